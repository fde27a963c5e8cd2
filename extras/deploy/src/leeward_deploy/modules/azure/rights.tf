# The identity of the app, and what its code uses and no more. On Azure a function has no identity of
# its own, so what one handler needs all of them may do. What they may do in other regions is in
# global, because a role can be given only on what is there.

locals {
  reader      = "00000000-0000-0000-0000-000000000001" # Cosmos DB Built-in Data Reader
  contributor = "00000000-0000-0000-0000-000000000002" # Cosmos DB Built-in Data Contributor

  all_rights = concat([merge(local.no_rights, local.facts.warm)], [for handler in values(local.facts.handlers) : merge(local.no_rights, try(handler.rights, {}))])
  rights     = { for verb in keys(local.no_rights) : verb => distinct(flatten([for rights in local.all_rights : rights[verb]])) }

  # What is used, by logical names, and as what.
  stored = concat(local.rights.stores, local.rights.removes, local.rights.writes)
  put    = concat(local.rights.puts, local.rights.deletes)
  uses = {
    buses = local.rights.publishes
    tables = { for name in distinct(concat(local.rights.reads, local.rights.scans, local.stored)) : name =>
      contains(local.stored, name) ? local.contributor : local.reader
    }
    buckets = { for name in distinct([for place in concat(local.rights.gets, local.put) : place.bucket]) : name =>
      contains([for place in local.put : place.bucket], name) ? "Storage Blob Data Contributor" : "Storage Blob Data Reader"
      if contains(keys(local.buckets), name)
    }
  }

  cosmos_id = { for name, table in local.tables : name => "${local.group}/providers/Microsoft.DocumentDB/databaseAccounts/${table.account}" }
  table_scope = { for name, table in local.tables : name =>
    "${try(azurerm_cosmosdb_account.tables[table.home == var.region && !table.existing ? "tables" : "-"].id, local.cosmos_id[name])}/dbs/${table.database}/colls/${table.name}"
  }
  has_queues = { for name, queue in local.facts.queues : name => queue if local.active && try(queue.deliveries, null) != null && try(queue.service_bus, null) != null }

  roles = merge(
    # What the host needs on the app's own account: for its locks and keys, for queues, and for those of
    # poison messages, which it makes itself.
    { for role in ["Storage Blob Data Owner", "Storage Queue Data Contributor"] : role => { role = role, scope = azurerm_storage_account.app.id } },
    { for insights in azurerm_application_insights.app : "Monitoring Metrics Publisher" => { role = "Monitoring Metrics Publisher", scope = insights.id } },
    { for bus in local.uses.buses : "publish/${bus}" => { role = "EventGrid Data Sender", scope = local.topic_id[bus] } if contains(keys(local.buses_near), bus) },
    { for name in keys(local.has_queues) : "receive/${name}" => {
      role  = "Azure Service Bus Data Receiver"
      scope = try(azurerm_servicebus_queue.queue[name].id, "${local.namespace_id[local.queues[name].service_bus]}/queues/${name}")
    } },
    { for name, queue in local.has_queues : "give-up/${name}" => {
      role = "Azure Service Bus Data Sender", scope = azurerm_servicebus_queue.dead[queue.dead_letters].id
    } if try(queue.dead_letters, null) != null },
    # Those of the own account need no role besides.
    { for name, role in local.uses.buckets : "objects/${name}" => {
      role = role, scope = "${local.objects_account}/blobServices/default/containers/${local.buckets[name].name}"
    } if local.azure.blobs != "" },
  )
}

resource "azurerm_user_assigned_identity" "app" {
  for_each            = local.here
  name                = local.app
  resource_group_name = var.resource_group
  location            = var.region
  tags                = local.tags
}

resource "azurerm_role_assignment" "app" {
  for_each             = { for name, role in local.roles : name => role if local.active }
  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = azurerm_user_assigned_identity.app["app"].principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_cosmosdb_sql_role_assignment" "table" {
  for_each            = { for name, role in local.uses.tables : name => role if local.active && (local.tables[name].existing || local.tables[name].home == var.region) }
  resource_group_name = var.resource_group
  account_name        = local.tables[each.key].account
  principal_id        = azurerm_user_assigned_identity.app["app"].principal_id
  role_definition_id  = "${split("/dbs/", local.table_scope[each.key])[0]}/sqlRoleDefinitions/${each.value}"
  scope               = local.table_scope[each.key]
}
