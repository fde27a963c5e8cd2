from shop import app

main = app.handler("google")
