# The load balancer of this region, only if the app has a domain. It hands on the calls of functions,
# and all else to the function that answers for the health.

locals {
  routed = { for name, function in local.functions : name => function if contains(["call", "health"], function.kind) && length(local.entrance) > 0 }
}

resource "google_compute_region_network_endpoint_group" "function" {
  for_each              = local.routed
  project               = local.app.project
  region                = var.region
  name                  = local.part[each.key]
  network_endpoint_type = "SERVERLESS"

  cloud_run { service = google_cloudfunctions2_function.function[each.key].name }
}

resource "google_compute_backend_service" "function" {
  for_each              = local.routed
  project               = local.app.project
  name                  = local.part[each.key]
  protocol              = "HTTPS"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  security_policy       = each.value.kind == "health" ? local.app.policy["entrance"] : null

  dynamic "log_config" {
    for_each = { for name, entrance in local.entrance : name => true if entrance.logs }
    content {
      enable      = true
      sample_rate = 1
    }
  }

  backend { group = google_compute_region_network_endpoint_group.function[each.key].id }
}

resource "google_compute_url_map" "entrance" {
  for_each        = local.entrance
  project         = local.app.project
  name            = local.part["entrance"]
  default_service = google_compute_backend_service.function["leeward-health"].id

  host_rule {
    hosts        = [each.value.domain]
    path_matcher = "functions"
  }

  path_matcher {
    name            = "functions"
    default_service = google_compute_backend_service.function["leeward-health"].id

    dynamic "path_rule" {
      for_each = { for name, function in local.routed : name => function if function.kind == "call" }
      content {
        paths   = ["/${path_rule.key}"]
        service = google_compute_backend_service.function[path_rule.key].id
      }
    }
  }
}

resource "google_compute_target_https_proxy" "entrance" {
  for_each         = local.entrance
  project          = local.app.project
  name             = local.part["entrance"]
  url_map          = google_compute_url_map.entrance[each.key].id
  ssl_certificates = [var.certificate]
}

resource "google_compute_global_forwarding_rule" "entrance" {
  for_each              = local.entrance
  project               = local.app.project
  labels                = local.labels
  name                  = local.part["entrance"]
  target                = google_compute_target_https_proxy.entrance[each.key].id
  ip_address            = local.app.address[var.region]
  port_range            = "443"
  load_balancing_scheme = "EXTERNAL_MANAGED"
}
