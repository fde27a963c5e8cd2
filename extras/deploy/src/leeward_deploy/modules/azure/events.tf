# Topics of buses, and what they and the account of objects tell the handlers. Event Grid subscribes
# to functions that are there, so those wait for published.

locals {
  topic_id = { for name, bus in local.buses_near : name =>
    try(azurerm_eventgrid_topic.bus[name].id, "${local.group}/providers/Microsoft.EventGrid/topics/${local.topic_name[name]}")
  }
  objects_account = local.azure.blobs == "" ? azurerm_storage_account.app.id : "${local.group}/providers/Microsoft.Storage/storageAccounts/${local.azure.blobs}"

  events  = { for name, each in local.facts.subscriptions : name => merge({ type = null }, each) if local.active && contains(keys(local.buses_near), each.bus) }
  objects = { for name, handler in local.handlers : name => handler if handler.kind == "object" && contains(keys(local.buckets_near), coalesce(handler.bucket, "-")) }

  deliveries = merge(
    { for name, each in local.events : name => {
      scope = local.topic_id[each.bus], function = each.handler, queue = null, types = each.type == null ? null : [each.type], begins = null
    } },
    { for name, handler in local.objects : name => {
      scope  = local.objects_account, function = handler.queue == null ? name : null, queue = handler.queue, types = ["Microsoft.Storage.BlobCreated"]
      begins = "/blobServices/default/containers/${local.buckets[handler.bucket].name}/blobs/${handler.prefix}"
    } },
  )

  # Names of at most 64 characters: one that is cut ends with a digest.
  event_name = { for name in keys(local.deliveries) : name => length("${local.title}${name}") <= 64 ? "${local.title}${name}" :
    "${replace(substr("${local.title}${name}", 0, 55), "/-+$/", "")}-${substr(sha256("${local.title}${name}"), 0, 8)}"
  }
}

resource "azurerm_eventgrid_topic" "bus" {
  for_each            = local.buses_here
  name                = local.topic_name[each.key]
  resource_group_name = var.resource_group
  location            = var.region
  tags                = local.tags
  input_schema        = "CloudEventSchemaV1_0"
  local_auth_enabled  = false

  lifecycle { prevent_destroy = true }
}

resource "azurerm_eventgrid_event_subscription" "event" {
  for_each              = { for name, delivery in local.deliveries : name => delivery if var.published || delivery.queue != null }
  name                  = local.event_name[each.key]
  scope                 = each.value.scope
  event_delivery_schema = "CloudEventSchemaV1_0"
  included_event_types  = each.value.types

  dynamic "subject_filter" {
    for_each = each.value.begins == null ? [] : [each.value.begins]
    content {
      subject_begins_with = subject_filter.value
      case_sensitive      = true
    }
  }

  dynamic "storage_queue_endpoint" {
    for_each = each.value.queue == null ? [] : [each.value.queue]
    content {
      storage_account_id = azurerm_storage_account.app.id
      queue_name         = azurerm_storage_queue.queue[storage_queue_endpoint.value].name
    }
  }

  dynamic "azure_function_endpoint" {
    for_each = each.value.queue == null ? [each.value.function] : []
    content {
      function_id = "${azurerm_function_app_flex_consumption.app["app"].id}/functions/${azure_function_endpoint.value}"
    }
  }

  dynamic "retry_policy" {
    for_each = each.value.queue == null ? [local.handlers[each.value.function].retries] : []
    content {
      max_delivery_attempts = 1 + retry_policy.value
      event_time_to_live    = 1440 # minutes, the longest
    }
  }

  storage_blob_dead_letter_destination {
    storage_account_id          = azurerm_storage_account.app.id
    storage_blob_container_name = azurerm_storage_container.own["dead-letters"].name
  }
}
