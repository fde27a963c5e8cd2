# Alerts of functions. Of a function that is pushed to, each failure is an attempt of a message, too.

locals {
  alert_kinds = {
    errors = {
      title  = "runs fail", advice = "Look into the log of the function."
      filter = "metric.labels.response_code_class = \"5xx\""
    }
    throttles = {
      title  = "calls are turned away", advice = "All instances are busy: give it more, or send it less."
      filter = "metric.labels.response_code = \"429\""
    }
  }
  alerts = { for alert in setproduct(keys(local.functions), keys(local.alert_kinds)) : "${alert[0]}/${alert[1]}" =>
    merge(local.alert_kinds[alert[1]], { name = alert[0] }) if local.app.alarms
  }
}

resource "google_monitoring_alert_policy" "function" {
  for_each              = local.alerts
  project               = local.app.project
  user_labels           = local.labels
  display_name          = "${local.title}${each.value.name} in ${var.region}: ${each.value.title}"
  combiner              = "OR"
  notification_channels = local.app.channels

  conditions {
    display_name = each.value.title
    condition_threshold {
      filter = join(" AND ", [
        "resource.type = \"cloud_run_revision\"",
        "resource.labels.service_name = \"${google_cloudfunctions2_function.function[each.value.name].name}\"",
        "resource.labels.location = \"${var.region}\"",
        "metric.type = \"run.googleapis.com/request_count\"", each.value.filter,
      ])
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "600s"
      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content   = each.value.advice
    mime_type = "text/markdown"
  }
}
