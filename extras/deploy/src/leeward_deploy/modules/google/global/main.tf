# What an app has in a whole project, whatever its regions. The facts, with the defaults of what they
# leave out, and the names that follow from them.

data "google_project" "this" { project_id = var.project }

data "google_storage_project_service_account" "this" {
  for_each = length(local.objects) > 0 ? toset(["storage"]) : [] # as which buckets tell of objects
  project  = var.project
}

locals {
  facts    = jsondecode(file(var.facts))
  retained = jsondecode(file(var.retained))
  title    = lower(local.facts.title) # begins the names that only people need
  settings = local.facts.settings
  entrance = { for name in ["entrance"] : name => merge({ logs = false }, local.facts.entrance) if length(local.facts.entrance) > 0 }

  labels = merge({ for name, value in local.settings.tags :
    replace(lower(name), "/[^a-z0-9_-]/", "_") => replace(lower(value), "/[^a-z0-9_-]/", "_")
  }, var.labels)
  log_days = coalesce(var.log_days, local.settings.log_days)
  alarms   = coalesce(var.alarms, local.settings.alarms)

  no_rights = {
    publishes = [], calls = [], sends = [], starts = [],
    reads     = [], stores = [], removes = [], writes = [], scans = [],
    gets      = [], puts = [], deletes = [],
  }
  no_handler = {
    memory = null, concurrency = null, role = null, gives_up = false, queue = null, schedule = null,
    bucket = null, prefix = "", rights = {}, names = {}, dead_letters = null,
  }
  handlers = { for name, handler in local.facts.handlers : name => merge(local.no_handler, handler,
    { rights = merge(local.no_rights, try(handler.rights, {})) }
  ) }
  # The load balancer asks a function of its own for the health: it makes what the handlers share.
  health = { for entrance in local.entrance : "leeward-health" => merge(local.no_handler, {
    kind   = "health", name = local.short["${local.title}health"], seconds = 10,
    rights = merge(local.no_rights, local.facts.warm)
  }) }
  functions = merge(local.handlers, local.health)

  # What is retained has the same address as before, so nothing happens to it.
  queues = { for name, queue in merge(try(local.retained.queues, {}), local.facts.queues) : name =>
    merge({ existing = false, handler = null }, queue)
  }
  dead_letters = merge(try(local.retained.dead_letters, {}), local.facts.dead_letters)
  subscriptions = { for name, subscription in merge(try(local.retained.subscriptions, {}), local.facts.subscriptions) : name =>
    merge({ type = null }, subscription)
  }
  tables = { for name, table in merge(try(local.retained.tables, {}), local.facts.tables) : name =>
    merge({ existing = false }, table)
  }
  buckets = { for name, bucket in merge(try(local.retained.buckets, {}), local.facts.buckets) : name =>
    merge({ existing = false, home = null }, bucket)
  }
  buses = { for name, bus in merge(try(local.retained.buses, {}), local.facts.buses) : name =>
    merge({ existing = false }, bus)
  }
  flows = { for name, flow in local.facts.flows : name => merge({ existing = false, calls = [] }, flow) }

  # Of these, what is made.
  queues_here  = { for name, queue in local.queues : name => queue if !queue.existing }
  buses_here   = { for name, bus in local.buses : name => bus if !bus.existing }
  buckets_here = { for name, bucket in local.buckets : name => bucket if !bucket.existing }
  flows_here   = { for name, flow in local.flows : name => flow if !flow.existing }

  objects = { for name, handler in local.handlers : name => handler
  if handler.kind == "object" && contains(keys(local.buckets), coalesce(handler.bucket, "-")) }

  # A function's address is known before it is there, so a subscription needs nothing of a region.
  address = { for name, handler in local.handlers : name => join("", [
    "https://", lower(try(handler.names[local.facts.serving], handler.name)), "-",
    data.google_project.this.number, ".${local.facts.serving}.run.app",
  ]) }

  # Names that are too long end with a digest: ids of accounts have 6 to 30 characters, others 63.
  account_names = { for name in concat(["push"], keys(local.functions), [for flow in keys(local.flows) : "workflow-${flow}"]) :
    name => lower("${local.title}${name}")
  }
  account_id = { for name, id in local.account_names : name =>
    length(id) < 6 ? "${id}-${substr(sha256(id), 0, 8)}" : length(id) <= 30 ? id :
    "${replace(substr(id, 0, 21), "/-+$/", "")}-${substr(sha256(id), 0, 8)}"
  }
  parts = toset([for part in concat(["health"], [for region in local.facts.regions : "entrance-${region}"]) : "${local.title}${part}"])
  short = { for name in local.parts : name => length(name) <= 63 ? name :
    "${replace(substr(name, 0, 54), "/-+$/", "")}-${substr(sha256(name), 0, 8)}"
  }
}

resource "terraform_data" "facts" {
  lifecycle {
    precondition {
      condition     = local.facts.format == 1 && local.facts.cloud == "google"
      error_message = "This module reads facts of Google in format 1: run leeward export again, with the version of leeward that leeward.module.json names."
    }
  }
}
