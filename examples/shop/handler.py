from shop import app

lambda_handler = app.handler("aws")
