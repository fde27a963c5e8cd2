# Alerts to the action group of action_group. A handler that fails once and does well when it is tried
# again raises none; a dead letter does.

locals {
  from_app = "where AppRoleName in~ (\"${local.app}\")"

  # What a query of the logs finds: in so many of three periods of five minutes, or in one.
  found = local.alarms && local.tracing && local.active ? merge(
    {
      errors = {
        text  = "runs of a function fail. Look into its log.", severity = 2, times = 2, by = ["OperationName"]
        query = "AppRequests | ${local.from_app} | where Success == false"
      }
      throttles = {
        text  = "calls are turned away. All instances are busy: allow more, or send less.", severity = 2, times = 2, by = ["OperationName"]
        query = "AppRequests | ${local.from_app} | where ResultCode == \"429\""
      }
    },
    # A queue of Storage has no metric of its own. The host writes the first, leeward the second.
    { for name in length(local.queues) == 0 ? [] : ["dead-letters"] : name => {
      text  = "a message was given up. See leeward dlq list, and redrive it when it is mended.", severity = 1, times = 1, by = []
      query = "AppTraces | ${local.from_app} | where Message has_any (\"MaxDequeueCount\", \"dead_lettered\")"
    } },
  ) : {}

  # What a metric passes; of Service Bus, those that are retained included.
  passed = !local.alarms ? {} : merge(
    { for name, queue in merge(azurerm_servicebus_queue.queue, azurerm_servicebus_queue.dead) : "dead-letters-${name}" => {
      of   = queue.namespace_id, namespace = "Microsoft.ServiceBus/namespaces", metric = "DeadletteredMessages", aggregation = "Average"
      text = "There are dead letters: see leeward dlq list.", by = { EntityName = queue.name }
    } },
    { for name, topic in azurerm_eventgrid_topic.bus : "dead-letters-${topic.name}-events" => {
      of   = topic.id, namespace = "Microsoft.EventGrid/topics", metric = "DeadLetteredCount", aggregation = "Total"
      text = "Events were given up: they are in the container dead-letters.", by = {}
    } },
    { for name, account in azurerm_cosmosdb_account.tables : "throttles-tables" => {
      of   = account.id, namespace = "Microsoft.DocumentDB/databaseAccounts", metric = "TotalRequests", aggregation = "Count"
      text = "Calls of tables are turned away: give them more request units.", by = { StatusCode = "429" }
    } },
  )
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "alarm" {
  for_each             = local.found
  name                 = "${local.app}-${each.key}"
  resource_group_name  = var.resource_group
  location             = var.region
  tags                 = local.tags
  scopes               = [azurerm_log_analytics_workspace.app["app"].id]
  severity             = each.value.severity
  description          = each.value.text
  evaluation_frequency = "PT5M"
  window_duration      = "PT5M"

  criteria {
    query                   = each.value.query
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = 0

    dynamic "dimension" {
      for_each = each.value.by
      content {
        name     = dimension.value
        operator = "Include"
        values   = ["*"]
      }
    }

    failing_periods {
      minimum_failing_periods_to_trigger_alert = each.value.times
      number_of_evaluation_periods             = each.value.times > 1 ? 3 : 1
    }
  }

  action { action_groups = compact([var.action_group]) }
}

resource "azurerm_monitor_metric_alert" "alarm" {
  for_each            = local.passed
  name                = "${local.app}-${each.key}"
  resource_group_name = var.resource_group
  tags                = local.tags
  scopes              = [each.value.of]
  description         = each.value.text
  severity            = 1
  frequency           = "PT5M"
  window_size         = "PT5M"

  criteria {
    metric_namespace = each.value.namespace
    metric_name      = each.value.metric
    aggregation      = each.value.aggregation
    operator         = "GreaterThan"
    threshold        = 0

    dynamic "dimension" {
      for_each = each.value.by
      content {
        name     = dimension.key
        operator = "Include"
        values   = [dimension.value]
      }
    }
  }

  dynamic "action" {
    for_each = compact([var.action_group])
    content { action_group_id = action.value }
  }
}
