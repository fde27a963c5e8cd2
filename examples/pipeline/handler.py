from pipeline import app

lambda_handler = app.handler("aws", dead_letters={"summarize": "summarize-dead"})
