"""What is deployed as functions of Google Cloud; functions-framework imports it."""
