# Logs and traces of this region. Each request of a function is an entry of AppRequests.

resource "azurerm_log_analytics_workspace" "app" {
  for_each                     = local.here
  name                         = local.app
  resource_group_name          = var.resource_group
  location                     = var.region
  tags                         = local.tags
  sku                          = "PerGB2018"
  retention_in_days            = local.log_days
  local_authentication_enabled = false
}

resource "azurerm_application_insights" "app" {
  for_each                     = { for key, name in local.here : key => name if local.tracing }
  name                         = local.app
  resource_group_name          = var.resource_group
  location                     = var.region
  tags                         = local.tags
  workspace_id                 = azurerm_log_analytics_workspace.app["app"].id
  application_type             = "web"
  local_authentication_enabled = false
}

locals {
  # What each account of tables, and each topic, writes of its calls.
  logged = !local.azure.access_logs || !local.active ? {} : merge(
    { for key, account in azurerm_cosmosdb_account.tables : "tables" => { of = account.id, category = "DataPlaneRequests" } },
    { for name, topic in azurerm_eventgrid_topic.bus : "bus/${name}" => { of = topic.id, category = "DeliveryFailures" } },
  )
}

resource "azurerm_monitor_diagnostic_setting" "log" {
  for_each                   = local.logged
  name                       = "leeward"
  target_resource_id         = each.value.of
  log_analytics_workspace_id = azurerm_log_analytics_workspace.app["app"].id

  enabled_log { category = each.value.category }
}
