# A workbook for this region: what the logs say of the handlers, and the metrics of what is around them.

locals {
  of_app  = "AppRequests | ${local.from_app}"
  by_name = "by bin(TimeGenerated, 5m), OperationName"

  panels = local.tracing ? {
    "1 Runs"                 = "${local.of_app} | summarize count() ${local.by_name}"
    "2 Errors"               = "${local.of_app} | where Success == false | summarize count() ${local.by_name}"
    "3 Turned away"          = "${local.of_app} | where ResultCode == \"429\" | summarize count() ${local.by_name}"
    "4 Duration, 99 % [ms]"  = "${local.of_app} | summarize percentile(DurationMs, 99) ${local.by_name}"
    "5 Messages given up"    = "AppTraces | ${local.from_app} | where Message has_any (\"MaxDequeueCount\", \"dead_lettered\") | summarize count() by bin(TimeGenerated, 5m)"
    "6 Instances that began" = "AppTraces | ${local.from_app} | summarize dcount(AppRoleInstance) by bin(TimeGenerated, 5m)"
  } : {}

  # Aggregations: 1 is the sum, 4 the average, 7 the count.
  metrics = concat(
    [{ title = "Storage: requests", type = "microsoft.storage/storageaccounts", of = [azurerm_storage_account.app.id], metric = "Transaction-Transactions", by = 1 }],
    [for account in azurerm_cosmosdb_account.tables : {
      title = "Tables: requests", type = "microsoft.documentdb/databaseaccounts", of = [account.id], metric = "Requests-TotalRequests", by = 7
    }],
    [for topics in chunklist(values(azurerm_eventgrid_topic.bus)[*].id, 10) : {
      title = "Events: given up", type = "microsoft.eventgrid/topics", of = topics, metric = "Latency-DeadLetteredCount", by = 1
    }],
    [for namespace in distinct(values(azurerm_servicebus_queue.queue)[*].namespace_id) : {
      title = "Service Bus: dead letters", type = "microsoft.servicebus/namespaces", of = [namespace], metric = "Message Count-DeadletteredMessages", by = 4
    }],
  )
}

resource "azurerm_application_insights_workbook" "dashboard" {
  for_each            = local.here
  name                = uuidv5("dns", "${local.app}.leeward") # Azure wants a UUID
  resource_group_name = var.resource_group
  location            = var.region
  tags                = local.tags
  display_name        = "${local.facts.prefix}${local.facts.app} in ${var.region}"

  data_json = jsonencode({
    version = "Notebook/1.0"
    items = concat(
      [for title, query in local.panels : {
        type        = 3
        name        = title
        customWidth = "33"
        content = {
          version                 = "KqlItem/1.0", query = query, title = substr(title, 2, -1), size = 0, queryType = 0, visualization = "timechart"
          timeContext             = { durationMs = 10800000 }, resourceType = "microsoft.operationalinsights/workspaces"
          crossComponentResources = [azurerm_log_analytics_workspace.app["app"].id]
        }
      }],
      [for number, panel in local.metrics : {
        type        = 10
        name        = "metric ${number}"
        customWidth = "33"
        content = {
          version      = "MetricsItem/2.0", title = panel.title, size = 0, chartType = 2, metricScope = 0, timeContext = { durationMs = 10800000 }
          resourceType = panel.type, resourceIds = panel.of
          metrics      = [{ namespace = panel.type, metric = "${panel.type}-${panel.metric}", aggregation = panel.by }]
        }
      }],
    )
  })
}
