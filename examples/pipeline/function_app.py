from pipeline import app as pipeline_app

function_app = pipeline_app.handler("azure", dead_letters={"summarize": "summarize-dead"})
