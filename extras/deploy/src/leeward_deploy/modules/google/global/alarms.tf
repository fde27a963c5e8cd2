# The logs of the functions, for as many days as the app wants them, and alerts of what waits. The
# bucket _Default of the project gets the logs, too, unless an exclusion of yours keeps them out.

locals {
  logged = toset(length(local.functions) > 0 ? ["app"] : []) # an app may have workflows alone
  services = sort(distinct(flatten([for name, function in local.functions :
    [for region in local.facts.regions : lower(try(function.names[region], function.name))]
  ])))

  # By what goes wrong. A handler that fails once and does well when it is tried again raises none.
  alert_kinds = {
    errors = {
      title  = "runs fail", advice = "Look into the log of the function."
      metric = "run.googleapis.com/request_count", seconds = 600
      type   = "cloud_run_revision", label = "resource.labels.service_name", align = "ALIGN_DELTA", reduce = "REDUCE_SUM"
      filter = "metric.labels.response_code_class = \"5xx\""
    }
    throttles = {
      title  = "calls are turned away", advice = "All instances are busy: give it more, or send it less."
      metric = "run.googleapis.com/request_count", seconds = 600
      type   = "cloud_run_revision", label = "resource.labels.service_name", align = "ALIGN_DELTA", reduce = "REDUCE_SUM"
      filter = "metric.labels.response_code = \"429\""
    }
    dead-letters = {
      title  = "there are dead letters", advice = "See leeward dlq list, and redrive them when it is mended."
      metric = "pubsub.googleapis.com/subscription/num_undelivered_messages", seconds = 0
      type   = "pubsub_subscription", label = "resource.labels.subscription_id", align = "ALIGN_MAX", reduce = "REDUCE_MAX"
    }
    oldest-message = {
      title  = "a message waits for too long", advice = "Its handler fails, or is too slow."
      metric = "pubsub.googleapis.com/subscription/oldest_unacked_message_age", seconds = 300
      type   = "pubsub_subscription", label = "resource.labels.subscription_id", align = "ALIGN_MAX", reduce = "REDUCE_MAX"
    }
    health = {
      title  = "it does not answer", advice = "No region answers, or DNS leads nowhere: see leeward doctor."
      metric = "monitoring.googleapis.com/uptime_check/check_passed", seconds = 120
      type   = "uptime_url", label = "metric.labels.check_id", align = "ALIGN_NEXT_OLDER", reduce = "REDUCE_COUNT_FALSE"
    }
  }
  alert_list = concat(
    # Of a function that is pushed to, each failure is an attempt of a message, too.
    flatten([for region in local.facts.regions : [for name, function in local.functions : [for kind in ["errors", "throttles"] : {
      key = "${name}/${region}/${kind}", kind = kind, name = "${name} in ${region}", threshold = 0, region = region
      on  = lower(try(function.names[region], function.name))
    }]]]),
    # Retained ones included: what is in them is still somebody's.
    [for name, letters in local.dead_letters : {
      key = "${name}/dead-letters", kind = "dead-letters", name = name, threshold = 0
      on  = google_pubsub_subscription.dead[name].name
    }],
    [for key, push in local.pushes : {
      key       = "${push.to}/oldest-message", kind = "oldest-message", name = push.to
      threshold = max(900, 12 * push.seconds)
      on        = try(google_pubsub_subscription.queue[trimprefix(key, "queue/")].name, google_pubsub_subscription.event[push.to].name)
    }],
    # One place that cannot reach it raises no alert; two do.
    [for check in google_monitoring_uptime_check_config.health : {
      key = "app/health", kind = "health", name = "app", threshold = 1, on = check.uptime_check_id
    }],
  )
}

resource "google_logging_project_bucket_config" "app" {
  for_each       = local.logged
  project        = var.project
  location       = local.facts.serving
  bucket_id      = "${local.title}logs"
  retention_days = local.log_days
  description    = "of the functions of ${local.facts.app}"

  lifecycle {
    ignore_changes = [location] # it stays where it is when regions change places
  }
}

resource "google_logging_project_sink" "app" {
  for_each               = local.logged
  project                = var.project
  name                   = "${local.title}logs"
  destination            = "logging.googleapis.com/${google_logging_project_bucket_config.app[each.key].id}"
  unique_writer_identity = true

  filter = join("", [
    "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = (",
    join(" OR ", [for service in local.services : "\"${service}\""]), ")",
    try(local.facts.google.requests, false) ? "" : " AND NOT log_id(\"run.googleapis.com/requests\")",
  ])
}

resource "google_monitoring_uptime_check_config" "health" {
  for_each     = local.alarms ? local.entrance : {}
  project      = var.project
  user_labels  = local.labels
  display_name = "${local.title}health"
  timeout      = "10s"
  period       = "60s"

  http_check {
    path         = "/health"
    port         = 443
    use_ssl      = true
    validate_ssl = true
  }

  monitored_resource {
    type   = "uptime_url"
    labels = { project_id = var.project, host = each.value.domain }
  }
}

resource "google_monitoring_alert_policy" "alert" {
  for_each              = { for alert in local.alert_list : alert.key => merge(local.alert_kinds[alert.kind], alert) if local.alarms }
  project               = var.project
  user_labels           = local.labels
  display_name          = "${local.title}${each.value.name}: ${each.value.title}"
  combiner              = "OR"
  notification_channels = var.notification_channels

  conditions {
    display_name = each.value.title
    condition_threshold {
      filter = join(" AND ", compact([
        "resource.type = \"${each.value.type}\"", "${each.value.label} = \"${each.value.on}\"", "metric.type = \"${each.value.metric}\"",
        try("resource.labels.location = \"${each.value.region}\" AND ${each.value.filter}", null),
      ]))
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.threshold
      duration        = "${each.value.seconds}s"
      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = each.value.align
        cross_series_reducer = each.value.reduce
      }
    }
  }

  documentation {
    content   = each.value.advice
    mime_type = "text/markdown"
  }
}
