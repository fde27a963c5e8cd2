# The account of Cosmos DB with the tables whose home is here. An account that was deleted can be
# restored as it was at any second of the last 30 days.

locals {
  cosmos = { for account, names in { for name, table in local.tables_here : table.account => name... } : "tables" => {
    account = account, database = local.tables_here[names[0]].database
  } }
}

resource "azurerm_cosmosdb_account" "tables" {
  for_each                           = local.cosmos
  name                               = each.value.account
  resource_group_name                = var.resource_group
  location                           = var.region
  tags                               = local.tags
  offer_type                         = "Standard"
  local_authentication_enabled       = false
  access_key_metadata_writes_enabled = false

  consistency_policy { consistency_level = "Session" }

  geo_location {
    location          = var.region
    failover_priority = 0
  }

  backup { type = "Continuous" }

  lifecycle { prevent_destroy = true }
}

resource "azurerm_cosmosdb_sql_database" "tables" {
  for_each            = local.cosmos
  name                = each.value.database
  resource_group_name = var.resource_group
  account_name        = azurerm_cosmosdb_account.tables["tables"].name

  lifecycle { prevent_destroy = true }
}

resource "azurerm_cosmosdb_sql_container" "table" {
  for_each            = local.tables_here
  name                = each.value.name
  resource_group_name = var.resource_group
  account_name        = azurerm_cosmosdb_account.tables["tables"].name
  database_name       = azurerm_cosmosdb_sql_database.tables["tables"].name
  partition_key_paths = [length(each.value.key) > 1 ? "/${each.value.key[0]}" : "/id"]
  default_ttl         = -1 # none of its own: items with an expiry are collected

  lifecycle { prevent_destroy = true }
}
