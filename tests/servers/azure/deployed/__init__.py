"""The apps of Azure Functions that tests deploy, each in a folder of its own."""
