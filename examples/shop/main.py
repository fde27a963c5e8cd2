from ordering import app

main = app.handler("google", dead_letters={"orders": "orders-dead"})
