# A dashboard: each panel is one metric of everything of one kind, in parts of 20 lines.

locals {
  drawn = {
    services      = { type = "cloud_run_revision", label = "service_name", names = local.services }
    subscriptions = { type = "pubsub_subscription", label = "subscription_id", names = sort(concat(values(google_pubsub_subscription.queue)[*].name, values(google_pubsub_subscription.event)[*].name)) }
    dead          = { type = "pubsub_subscription", label = "subscription_id", names = sort(values(google_pubsub_subscription.dead)[*].name) }
  }
  panels = [
    { of = "services", title = "Requests [1/s]", metric = "run.googleapis.com/request_count", align = "ALIGN_RATE", reduce = "REDUCE_SUM", more = "" },
    { of = "services", title = "Errors [1/s]", metric = "run.googleapis.com/request_count", align = "ALIGN_RATE", reduce = "REDUCE_SUM", more = " AND metric.labels.response_code_class = \"5xx\"" },
    { of = "services", title = "Turned away [1/s]", metric = "run.googleapis.com/request_count", align = "ALIGN_RATE", reduce = "REDUCE_SUM", more = " AND metric.labels.response_code = \"429\"" },
    { of = "services", title = "Duration, 99 % [ms]", metric = "run.googleapis.com/request_latencies", align = "ALIGN_PERCENTILE_99", reduce = "REDUCE_MAX", more = "" },
    { of = "services", title = "Instances", metric = "run.googleapis.com/container/instance_count", align = "ALIGN_MAX", reduce = "REDUCE_SUM", more = "" },
    { of = "subscriptions", title = "Messages that wait", metric = "pubsub.googleapis.com/subscription/num_undelivered_messages", align = "ALIGN_MAX", reduce = "REDUCE_MAX", more = "" },
    { of = "subscriptions", title = "Age of the oldest message [s]", metric = "pubsub.googleapis.com/subscription/oldest_unacked_message_age", align = "ALIGN_MAX", reduce = "REDUCE_MAX", more = "" },
    { of = "dead", title = "Dead letters", metric = "pubsub.googleapis.com/subscription/num_undelivered_messages", align = "ALIGN_MAX", reduce = "REDUCE_MAX", more = "" },
  ]
}

resource "google_monitoring_dashboard" "app" {
  project = var.project

  dashboard_json = jsonencode({
    displayName = trimsuffix(local.title, "-")
    gridLayout = {
      columns = "3"
      widgets = flatten([for panel in local.panels : [for names in chunklist(local.drawn[panel.of].names, 20) : {
        title = panel.title
        xyChart = {
          dataSets = [{
            plotType = "LINE"
            timeSeriesQuery = { timeSeriesFilter = {
              filter = join("", [
                "resource.type = \"${local.drawn[panel.of].type}\" AND resource.labels.${local.drawn[panel.of].label} = one_of(",
                join(",", [for name in names : "\"${name}\""]), ") AND metric.type = \"${panel.metric}\"", panel.more,
              ])
              aggregation = {
                alignmentPeriod    = "60s"
                perSeriesAligner   = panel.align
                crossSeriesReducer = panel.reduce
                groupByFields      = ["resource.label.${local.drawn[panel.of].label}"]
              }
            } }
          }]
        }
      }]])
    }
  })
}
