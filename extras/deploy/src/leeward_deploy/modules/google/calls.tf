# What calls a function here: topics, schedules, other functions, workflows.

locals {
  calls = merge([for name, function in local.functions : { for callee in function.rights.calls : "${name}/${callee}" => {
    caller = name, callee = callee
  } if function.role == null }]...)

  # One that is made here is referred to, so that it is there before anybody is let call it.
  service = { for name, own in local.own_name : name => try(google_cloudfunctions2_function.function[name].name, own) }
}

resource "google_cloud_run_service_iam_member" "call" {
  for_each = merge(
    { for name, handler in local.handlers : "push/${name}" => { callee = name, member = local.app.push } if handler.queue != null || handler.kind != "call" },
    { for key, call in local.calls : "call/${key}" => { callee = call.callee, member = local.app.accounts[call.caller] } },
    merge([for name, flow in local.app.flows : { for callee in flow.calls : "flow/${name}/${callee}" => { callee = callee, member = local.app.flow_emails[name] } }]...),
    # Nobody reaches it but through the load balancer.
    { for name, function in local.functions : "health/${name}" => { callee = name, member = null } if function.kind == "health" },
  )
  project  = local.app.project
  location = var.region
  service  = local.service[each.value.callee]
  role     = "roles/run.invoker"
  member   = each.value.member == null ? "allUsers" : "serviceAccount:${each.value.member}"
}

# To find out where a function is, unless the settings say so.
resource "google_cloudfunctions2_function_iam_member" "find" {
  for_each       = { for key, call in local.calls : key => call if !contains(try(local.facts.google.found, []), call.callee) }
  project        = local.app.project
  location       = var.region
  cloud_function = local.service[each.value.callee]
  role           = "roles/cloudfunctions.viewer"
  member         = "serviceAccount:${local.app.accounts[each.value.caller]}"
}

resource "google_cloud_scheduler_job" "schedule" {
  for_each         = { for name, handler in local.handlers : name => handler if handler.kind == "schedule" }
  project          = local.app.project
  region           = var.region
  name             = "${local.facts.prefix}${each.key}"
  schedule         = each.value.schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "${max(15, min(1800, each.value.seconds))}s"
  paused           = local.serves ? null : true # two regions would do everything twice

  retry_config { retry_count = each.value.retries }

  http_target {
    http_method = "POST"
    uri         = google_cloudfunctions2_function.function[each.key].service_config[0].uri
    oidc_token { service_account_email = local.app.push }
  }
}

# Workflows. In a definition, a logical name of a function stands between @@.
resource "google_workflows_workflow" "flow" {
  for_each        = local.app.flows
  project         = local.app.project
  labels          = local.labels
  region          = var.region
  name            = lower(reverse(split("/", each.value.name))[0])
  service_account = local.app.flow_emails[each.key]
  source_contents = join("", [for place, text in local.app.sources[each.key] : place % 2 == 0 ? text : local.own_name[text]])
}
