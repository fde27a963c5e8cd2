from shop import app

main = app.handler("google", dead_letters={"orders": "orders-dead"})
