# Static rules at Google's global load balancer, as leeward edge export writes them: a URL map, of which
# the first rule that matches counts, and a policy of Cloud Armor that denies before it.

terraform {
  required_version = ">= 1.5"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 8.0"
    }
  }
}

variable "rules" {
  description = "the path of edge.google.json"
  type        = string
}

variable "service" {
  description = "the id of the backend service that answers"
  type        = string
}

locals {
  absent  = { prefix = 0, only = null, except = null, deny = 0, status = null, host = null, to = null, keep = 0 }
  rules   = [for rule in jsondecode(file(var.rules)).rules : merge(local.absent, rule)]
  routes  = [for rule in local.rules : rule if rule.deny == 0]
  denials = [for rule in local.rules : rule if rule.deny == 1]
  url_map = length(local.routes) == 0 ? {} : { edge = local.routes }
  policy  = length(local.denials) == 0 ? {} : { edge = local.denials }

  codes = {
    301 = "MOVED_PERMANENTLY_DEFAULT"
    302 = "FOUND"
    307 = "TEMPORARY_REDIRECT"
    308 = "PERMANENT_REDIRECT"
  }
}

resource "google_compute_url_map" "rules" {
  for_each        = local.url_map
  name            = "leeward-edge"
  default_service = var.service

  host_rule {
    hosts        = ["*"]
    path_matcher = "edge"
  }

  path_matcher {
    name            = "edge"
    default_service = var.service

    dynamic "route_rules" {
      for_each = each.value
      content {
        priority = route_rules.key + 1
        service  = route_rules.value.status == null ? var.service : null

        match_rules {
          prefix_match    = route_rules.value.prefix == 1 ? route_rules.value.path : null
          full_path_match = route_rules.value.prefix == 1 ? null : route_rules.value.path
        }

        dynamic "url_redirect" {
          for_each = route_rules.value.status == null ? [] : [route_rules.value]
          content {
            redirect_response_code = local.codes[url_redirect.value.status]
            host_redirect          = try(trimprefix(url_redirect.value.host, "https://"), null)
            https_redirect         = url_redirect.value.host != null
            prefix_redirect        = url_redirect.value.keep == 1 ? url_redirect.value.to : null
            path_redirect          = url_redirect.value.keep == 1 ? null : url_redirect.value.to
            strip_query            = false
          }
        }

        dynamic "route_action" {
          for_each = route_rules.value.status != null || route_rules.value.to == null ? [] : [route_rules.value.to]
          content {
            url_rewrite { path_prefix_rewrite = route_action.value }
          }
        }

        dynamic "header_action" {
          for_each = length(merge(route_rules.value.request, route_rules.value.response)) == 0 ? [] : [route_rules.value]
          content {
            request_headers_to_remove  = try(header_action.value.request.remove, null)
            response_headers_to_remove = try(header_action.value.response.remove, null)

            dynamic "request_headers_to_add" {
              for_each = try(header_action.value.request.set, {})
              content {
                header_name  = request_headers_to_add.key
                header_value = request_headers_to_add.value
                replace      = true
              }
            }

            dynamic "response_headers_to_add" {
              for_each = try(header_action.value.response.set, {})
              content {
                header_name  = response_headers_to_add.key
                header_value = response_headers_to_add.value
                replace      = true
              }
            }
          }
        }
      }
    }
  }
}

resource "google_compute_security_policy" "denials" {
  for_each = local.policy
  name     = "leeward-edge"

  dynamic "rule" {
    for_each = each.value
    content {
      action      = "deny(403)"
      priority    = rule.key + 1
      description = rule.value.name

      match {
        expr {
          # A country as a whole: one that is not known is an empty text, which every text contains.
          expression = join("", [
            rule.value.prefix == 1 ? "request.path.startsWith(\"${rule.value.path}\")" : "request.path == \"${rule.value.path}\"",
            rule.value.only == null ? "" : " && origin.region_code.matches('^(${join("|", rule.value.only)})$')",
            rule.value.except == null ? "" : " && !origin.region_code.matches('^(${join("|", rule.value.except)})$')",
          ])
        }
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

output "url_map" {
  description = "the id for a target proxy; null if no rule needs one"
  value       = try(google_compute_url_map.rules["edge"].id, null)
}

output "policy" {
  description = "the id for security_policy of the backend service; null if nothing is denied"
  value       = try(google_compute_security_policy.denials["edge"].id, null)
}
