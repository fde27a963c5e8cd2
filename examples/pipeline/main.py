from pipeline import app

main = app.handler("google", dead_letters={"summarize": "summarize-dead"})
