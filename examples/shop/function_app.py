from ordering import app as shop_app

function_app = shop_app.handler("azure", dead_letters={"orders": "orders-dead"})
