# The facts, with the defaults of what they leave out, and the names that follow from them.

data "azurerm_client_config" "this" {}

locals {
  facts    = jsondecode(file(var.facts))
  retained = jsondecode(file(var.retained))
  azure    = merge({ storage = null, service_bus = [], blobs = "", access_logs = false, told = false }, local.facts.azure)
  regions  = local.facts.regions
  active   = contains(local.regions, var.region) # false in a region that the app has left
  serves   = var.region == local.facts.serving   # the other regions stand by
  group    = "/subscriptions/${data.azurerm_client_config.this.subscription_id}/resourceGroups/${var.resource_group}"
  title    = local.facts.title # begins the names that only people need

  settings = local.facts.settings
  tags     = merge(local.settings.tags, var.tags)
  log_days = coalesce(var.log_days, max(30, min(730, local.settings.log_days))) # what a workspace takes
  tracing  = coalesce(var.tracing, local.settings.tracing)
  alarms   = coalesce(var.alarms, local.settings.alarms)

  # All handlers of an app share what an instance has.
  most_memory = max(0, [for size in concat([local.settings.memory], [for handler in local.handlers : handler.memory]) : coalesce(size, 0)]...)
  memory      = coalesce(var.memory, local.most_memory == 0 ? 2048 : try([for size in [512, 2048, 4096] : size if size >= local.most_memory][0], 4096))

  # Names that the whole world knows. One of an account of storage has 24 characters at most.
  app = lookup(var.apps, var.region, "${local.azure.app}-${var.region}")
  storage = lookup(var.storage_accounts, var.region, join("", [
    substr(replace(local.azure.app, "/[^a-z0-9]/", ""), 0, 14),
    substr(sha256("${local.group}/${local.azure.app}/${var.region}"), 0, 10),
  ]))

  # Source: "Azure regions with availability zone support", November 2026.
  zones = split(" ", join(" ", [
    "australiaeast austriaeast belgiumcentral brazilsouth canadacentral centralindia centralus",
    "chilecentral chinanorth3 eastasia eastus eastus2 francecentral germanywestcentral",
    "indonesiacentral israelcentral italynorth japaneast japanwest koreacentral malaysiawest",
    "mexicocentral newzealandnorth northeurope norwayeast polandcentral qatarcentral",
    "southafricanorth southcentralus southeastasia spaincentral swedencentral switzerlandnorth",
    "uaenorth uksouth usgovvirginia westeurope westus2 westus3",
  ]))

  no_rights = {
    publishes = [], calls = [], sends = [], starts = [],
    reads     = [], stores = [], removes = [], writes = [], scans = [],
    gets      = [], puts = [], deletes = [],
  }
  no_handler = { memory = null, gives_up = false, queue = null, bucket = null, prefix = "", rights = {} }
  handlers   = { for name, handler in local.facts.handlers : name => merge(local.no_handler, handler) if local.active }

  # What is retained has the same address as before, so nothing happens to it.
  queues = { for name, queue in merge(try(local.retained.queues, {}), local.facts.queues) : name =>
    merge({ existing = false, service_bus = null, dead_letters = null, deliveries = null }, queue)
  }
  dead_letters = { for name, queue in merge(try(local.retained.dead_letters, {}), local.facts.dead_letters) : name =>
    merge({ service_bus = null }, queue)
  }
  tables = { for name, table in merge(try(local.retained.tables, {}), local.facts.tables) : name => merge(
    { existing = false }, table,
    { account = try(table.account, var.cosmos_account), database = try(table.database, var.cosmos_database) },
  ) }
  buckets = { for name, bucket in merge(try(local.retained.buckets, {}), local.facts.buckets) : name =>
    merge({ existing = false, home = null }, bucket)
  }
  buses = { for name, bus in merge(try(local.retained.buses, {}), local.facts.buses) : name =>
    merge({ existing = false, home = null, names = {} }, bus)
  }
  topic_name = { for name, bus in local.buses : name =>
    try(local.retained.names.buses[name][var.region], bus.names[var.region], bus.name)
  }

  # What this region has: a bus whose name another region has is there alone, and so is a container.
  tables_here  = { for name, table in local.tables : name => table if !table.existing && table.home == var.region }
  buckets_near = { for name, bucket in local.buckets : name => bucket if bucket.home == null || bucket.home == var.region }
  buckets_here = { for name, bucket in local.buckets_near : name => bucket if !bucket.existing }
  buses_near = { for name, bus in local.buses : name => bus
    if bus.home == null || bus.home == var.region || local.topic_name[name] != try(bus.names[bus.home], bus.name)
  }
  buses_here = { for name, bus in local.buses_near : name => bus if !bus.existing }

  own_queues = { for name, queue in local.queues : name => queue if !queue.existing && queue.service_bus == null }
  bus_queues = { for name, queue in local.queues : name => queue if !queue.existing && queue.service_bus != null }
  own_dead   = { for name, queue in local.dead_letters : name => queue if queue.service_bus == null }
  bus_dead   = { for name, queue in local.dead_letters : name => queue if queue.service_bus != null }
  namespace_id = { for setting, namespace in var.service_bus_namespaces : setting =>
    "${local.group}/providers/Microsoft.ServiceBus/namespaces/${namespace}"
  }

  # In a region that the app has left there is no app, and what holds data stays.
  here = local.active ? { app = local.app } : {}
}

resource "terraform_data" "facts" {
  lifecycle {
    precondition {
      condition     = local.facts.format == 1 && local.facts.cloud == "azure"
      error_message = "This module reads facts of Azure in format 1: run leeward export again, with the version of leeward that leeward.module.json names."
    }

    precondition {
      condition     = alltrue([for table in values(local.tables) : table.account != "" && table.database != ""])
      error_message = "The app has tables: set cosmos_account and cosmos_database, or cosmos_endpoint and cosmos_database in leeward.toml."
    }

    precondition {
      condition     = length(setsubtract(local.azure.service_bus, keys(var.service_bus_namespaces))) == 0
      error_message = "The app has queues of Service Bus: set service_bus_namespaces for ${join(", ", local.azure.service_bus)}."
    }
  }
}
