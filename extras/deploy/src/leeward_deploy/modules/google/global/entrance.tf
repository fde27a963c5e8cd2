# For callers without leeward: an address for each region, and Cloud DNS, which leads to the first one
# as long as its health check goes well. Only if the app has a domain.

locals {
  addressed = { for region in local.facts.regions : region => true if length(local.entrance) > 0 }
  standbys  = [for region in local.facts.regions : region if region != local.facts.serving]
}

resource "google_compute_global_address" "region" {
  for_each = local.addressed
  project  = var.project
  labels   = local.labels
  name     = local.short["${local.title}entrance-${each.key}"]
}

# What is open to everybody has a bound.
resource "google_compute_security_policy" "health" {
  for_each    = local.entrance
  project     = var.project
  labels      = local.labels
  name        = local.short["${local.title}health"]
  description = "the health of ${local.facts.app} is open, and asked for this often at most"

  rule {
    action   = "throttle"
    priority = 1000

    match {
      versioned_expr = "SRC_IPS_V1"
      config { src_ip_ranges = ["*"] }
    }

    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"
      rate_limit_threshold {
        count        = 120
        interval_sec = 60
      }
    }
  }

  # Every policy needs one for all that no other rule is for.
  rule {
    action   = "allow"
    priority = 2147483647

    match {
      versioned_expr = "SRC_IPS_V1"
      config { src_ip_ranges = ["*"] }
    }
  }
}

resource "google_compute_health_check" "entrance" {
  for_each            = local.entrance
  project             = var.project
  name                = local.short["${local.title}health"]
  check_interval_sec  = each.value.interval
  timeout_sec         = 5
  healthy_threshold   = 2
  unhealthy_threshold = each.value.failures
  source_regions      = ["us-central1", "europe-west1", "asia-east1"] # exactly three

  https_health_check {
    host         = each.value.domain
    port         = 443
    request_path = "/health"
    response     = "{\"status\":\"ok\"}"
  }
}

resource "google_dns_record_set" "entrance" {
  for_each     = local.entrance
  project      = var.project
  managed_zone = each.value.zone
  name         = "${each.value.domain}."
  type         = "A"
  ttl          = 60
  rrdatas      = length(local.standbys) > 0 ? null : [google_compute_global_address.region[local.facts.serving].address]

  dynamic "routing_policy" {
    for_each = length(local.standbys) > 0 ? [true] : []
    content {
      health_check = google_compute_health_check.entrance[each.key].id
      primary_backup {
        trickle_ratio = 0
        primary {
          external_endpoints = [google_compute_global_address.region[local.facts.serving].address]
        }
        dynamic "backup_geo" {
          for_each = local.standbys
          content {
            location = backup_geo.value
            health_checked_targets {
              external_endpoints = [google_compute_global_address.region[backup_geo.value].address]
            }
          }
        }
      }
    }
  }
}
