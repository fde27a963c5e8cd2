# Queues, and those of the dead letters that leeward puts there itself. The host makes the queues of
# poison messages.

resource "azurerm_storage_queue" "queue" {
  for_each           = local.own_queues
  name               = each.value.name
  storage_account_id = azurerm_storage_account.app.id

  lifecycle { prevent_destroy = true }
}

resource "azurerm_storage_queue" "dead" {
  for_each           = local.own_dead
  name               = each.value.name
  storage_account_id = azurerm_storage_account.app.id

  lifecycle { prevent_destroy = true }
}

resource "azurerm_servicebus_queue" "queue" {
  for_each                             = local.bus_queues
  name                                 = each.value.name
  namespace_id                         = local.namespace_id[each.value.service_bus]
  max_delivery_count                   = each.value.deliveries
  dead_lettering_on_message_expiration = true

  lifecycle { prevent_destroy = true }
}

resource "azurerm_servicebus_queue" "dead" {
  for_each     = local.bus_dead
  name         = each.value.name
  namespace_id = local.namespace_id[each.value.service_bus]

  lifecycle { prevent_destroy = true }
}
