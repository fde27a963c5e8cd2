# What the regions of an app have together; nothing here holds anything, and a region can be planned
# without it. Here, what an app may do in the other regions, to which its calls fail over and where its
# data has its home.

locals {
  facts   = jsondecode(file(var.facts))
  regions = local.facts.regions
  tags    = merge(local.facts.settings.tags, var.tags)

  pairs = flatten([for region in local.regions : [for other in keys(var.apps) : { region = region, other = other } if other != region]])

  roles = merge([for pair in local.pairs : merge(
    { for bus in var.apps[pair.region].uses.buses : "publish/${bus}/${pair.other}/${pair.region}" => {
      region = pair.region, role = "EventGrid Data Sender", scope = var.apps[pair.other].buses[bus]
    } if contains(keys(var.apps[pair.other].buses), bus) },
    { for bucket, role in var.apps[pair.region].uses.buckets : "objects/${bucket}/${pair.region}" => {
      region = pair.region, role = role, scope = var.apps[pair.other].buckets[bucket]
    } if contains(keys(var.apps[pair.other].buckets), bucket) },
  )]...)

  tables = merge([for pair in local.pairs : {
    for table, role in var.apps[pair.region].uses.tables : "${table}/${pair.region}" => merge(var.apps[pair.other].tables[table], { region = pair.region, role = role })
    if contains(keys(var.apps[pair.other].tables), table)
  }]...)
}

resource "azurerm_role_assignment" "region" {
  for_each             = local.roles
  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = var.apps[each.value.region].principal
  principal_type       = "ServicePrincipal"
}

resource "azurerm_cosmosdb_sql_role_assignment" "region" {
  for_each            = local.tables
  resource_group_name = var.resource_group
  account_name        = each.value.account
  principal_id        = var.apps[each.value.region].principal
  role_definition_id  = "${each.value.account_id}/sqlRoleDefinitions/${each.value.role}"
  scope               = each.value.scope
}
