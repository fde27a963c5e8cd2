from ordering import app

lambda_handler = app.handler("aws", dead_letters={"orders": "orders-dead"})
