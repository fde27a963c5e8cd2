# What the rest of a project may need, by logical names; and what the module global needs.

output "app" {
  description = "the name of the function app; null in a region that the app has left"
  value       = try(azurerm_function_app_flex_consumption.app["app"].name, null)
}

output "host" {
  description = "the name of the host of the app"
  value       = try(azurerm_function_app_flex_consumption.app["app"].default_hostname, null)
}

output "verification" {
  description = "what a record of DNS shows, so that the app may have a domain"
  value       = try(azurerm_function_app_flex_consumption.app["app"].custom_domain_verification_id, null)
}

output "principal" {
  description = "the id of the app's identity, by which it is given roles"
  value       = try(azurerm_user_assigned_identity.app["app"].principal_id, null)
}

output "storage_account" {
  description = "the id of the app's storage account"
  value       = azurerm_storage_account.app.id
}

output "uses" {
  description = "what the app uses: buses, and tables and buckets with the role on each"
  value       = local.uses
}

output "buses" {
  description = "ids of topics that are made here"
  value       = { for name, topic in azurerm_eventgrid_topic.bus : name => topic.id }
}

output "tables" {
  description = "tables whose home is here: the account, its id, and the scope of a role"
  value = { for name, container in azurerm_cosmosdb_sql_container.table : name => {
    account = container.account_name, account_id = azurerm_cosmosdb_account.tables["tables"].id
    scope   = "${azurerm_cosmosdb_account.tables["tables"].id}/dbs/${container.database_name}/colls/${container.name}"
  } }
}

output "buckets" {
  description = "ids of containers whose home is here"
  value       = { for name, bucket in azurerm_storage_container.bucket : name => bucket.id if local.buckets[name].home != null }
}
