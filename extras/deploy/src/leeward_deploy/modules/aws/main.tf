# The facts, with the defaults of what they leave out, and the names that follow from them.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

locals {
  facts     = jsondecode(file(var.facts))
  retained  = jsondecode(file(var.retained))
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  here      = "${var.region}:${local.account}"
  title     = local.facts.title # begins the names that only people need
  regions   = local.facts.regions
  active    = contains(local.regions, var.region) # false in a region that the app has left
  serves    = var.region == local.facts.serving   # the other regions stand by
  entrance  = local.active && local.facts.entrance != {} ? [local.facts.entrance] : []

  settings = local.facts.settings
  tags     = merge(local.settings.tags, var.tags)
  memory   = try(coalesce(var.memory, local.settings.memory), 256)
  log_days = coalesce(var.log_days, local.settings.log_days)
  tracing  = coalesce(var.tracing, local.settings.tracing)
  alarms   = coalesce(var.alarms, local.settings.alarms)
  boundary = var.permissions_boundary == "" ? null : var.permissions_boundary
  topic    = var.alarm_topic == "" ? [] : [var.alarm_topic]

  health_topic = var.health_topic != "" ? [var.health_topic] : var.region == "us-east-1" ? local.topic : []

  no_rights = {
    publishes = [], calls = [], sends = [], starts = [],
    reads     = [], stores = [], removes = [], writes = [], scans = [],
    gets      = [], puts = [], deletes = [],
  }
  no_handler = {
    memory = null, concurrency = null, role = null, gives_up = false, queue = null, schedule = null,
    bucket = null, prefix = "", rights = {}, names = {},
  }
  handlers = { for name, handler in local.facts.handlers : name => merge(local.no_handler, handler,
    { rights = merge(local.no_rights, try(handler.rights, {})) }
  ) if local.active }

  # What is retained has the same address as before, so nothing happens to it.
  queues = { for name, queue in merge(try(local.retained.queues, {}), local.facts.queues) : name =>
    merge({ existing = false, ordered = false, names = {} }, queue)
  }
  dead_letters = { for name, queue in merge(try(local.retained.dead_letters, {}), local.facts.dead_letters) : name =>
    merge({ ordered = false }, queue)
  }
  tables = { for name, table in merge(try(local.retained.tables, {}), local.facts.tables) : name =>
    merge({ existing = false }, table)
  }
  buckets = { for name, bucket in merge(try(local.retained.buckets, {}), local.facts.buckets) : name =>
    merge({ existing = false, home = null }, bucket)
  }
  buses = { for name, bus in merge(try(local.retained.buses, {}), local.facts.buses) : name =>
    merge({ existing = false, names = {} }, bus)
  }
  subscriptions = { for name, subscription in local.facts.subscriptions : name =>
    merge({ type = null }, subscription) if local.active
  }
  flows = { for name, flow in local.facts.flows : name => merge({ existing = false }, flow) }

  # Of these, what is made in this region.
  queues_here = { for name, queue in local.queues : name => queue if !queue.existing }
  tables_here = { for name, table in local.tables : name => table if !table.existing && table.home == var.region }
  buckets_here = { for name, bucket in local.buckets : name => bucket
  if !bucket.existing && bucket.home == var.region }
  buses_here = { for name, bus in local.buses : name => bus if !bus.existing }
  flows_here = { for name, flow in local.flows : name => flow if !flow.existing && local.active }

  # Own names in this region. A function may be known by its ARN, or by one of its versions.
  function_name = { for name, handler in local.handlers : name =>
    element(split(":", element(split(":function:", try(handler.names[var.region], handler.name)),
    length(split(":function:", try(handler.names[var.region], handler.name))) - 1)), 0)
  }
  queue_name = { for name, queue in local.queues : name => try(local.retained.names.queues[name][var.region], queue.names[var.region], queue.name) }
  bus_name   = { for name, bus in local.buses : name => try(local.retained.names.buses[name][var.region], bus.names[var.region], bus.name) }
  machine_name = { for name, flow in local.flows : name =>
    reverse(split(":", flow.name))[0]
  }

  queue_arn = { for name, own in local.queue_name : name => "arn:${local.partition}:sqs:${local.here}:${own}" }
  dead_arn = { for name, queue in local.dead_letters : name =>
    "arn:${local.partition}:sqs:${local.here}:${queue.name}"
  }
  table_arn = { for name, table in local.tables : name => startswith(table.name, "arn:") ? table.name :
    "arn:${local.partition}:dynamodb:${table.home}:${local.account}:table/${table.name}"
  }
  bucket_arn = { for name, bucket in local.buckets : name => "arn:${local.partition}:s3:::${bucket.name}" }

  # Names of at most 64 characters: one that is cut ends with a digest.
  long_names = toset(flatten([
    [for name in keys(local.functions) : ["${local.title}${name}", "${local.title}${name}-role-${var.region}",
    "${local.title}${name}-schedule-role-${var.region}"]],
    [for name in keys(local.flows) : "${local.title}${name}-machine-role-${var.region}"],
  ]))
  short = { for name in local.long_names : name => length(name) <= 64 ? name :
    "${replace(substr(name, 0, 55), "/-+$/", "")}-${substr(sha256(name), 0, 8)}"
  }
}

resource "terraform_data" "facts" {
  lifecycle {
    precondition {
      condition     = local.facts.format == 1 && local.facts.cloud == "aws"
      error_message = "This module reads facts of AWS in format 1: run leeward export again, with the version of leeward that leeward.module.json names."
    }

    precondition {
      condition     = length(local.entrance) == 0 || var.certificate != ""
      error_message = "The app has a domain: set certificate to the ARN of its certificate in ${var.region}."
    }
  }
}
