# Static rules at Azure Front Door, as leeward edge export writes them: a rule set, of which the first
# rule that matches counts, and a firewall that denies before it.

terraform {
  required_version = ">= 1.5"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 5.0"
    }
  }
}

variable "rules" {
  description = "the path of edge.azure.json"
  type        = string
}

variable "profile_id" {
  description = "the id of the profile of Front Door, Standard or Premium"
  type        = string
}

variable "resource_group" {
  description = "the name of the resource group of the firewall"
  type        = string
}

variable "sku" {
  description = "of the profile: Standard_AzureFrontDoor or Premium_AzureFrontDoor"
  type        = string
  default     = "Standard_AzureFrontDoor"
}

locals {
  absent  = { prefix = 0, only = null, except = null, deny = 0, status = null, host = null, to = null, keep = 0 }
  all     = [for rule in jsondecode(file(var.rules)).rules : merge(local.absent, rule, { label = "r${replace(rule.name, "-", "X")}" })]
  rules   = { for order, rule in [for rule in local.all : rule if rule.deny == 0] : rule.name => merge(rule, { order = order + 1 }) }
  denials = [for rule in local.all : rule if rule.deny == 1]

  rule_set = length(local.rules) == 0 ? {} : { edge = var.profile_id }
  firewall = length(local.denials) == 0 ? {} : { edge = local.denials }

  changes = { for name, rule in local.rules : name => { for part in ["request", "response"] : part => concat(
    [for header, value in try(rule[part].set, {}) : { operator = "Overwrite", name = header, value = value }],
    [for header in try(rule[part].remove, []) : { operator = "Delete", name = header, value = null }],
  ) } }

  codes = { 301 = "Moved", 302 = "Found", 307 = "TemporaryRedirect", 308 = "PermanentRedirect" }
}

resource "azurerm_cdn_frontdoor_rule_set" "rules" {
  for_each                 = local.rule_set
  name                     = "leewardEdge"
  cdn_frontdoor_profile_id = each.value
}

resource "azurerm_cdn_frontdoor_rule" "rule" {
  for_each                  = local.rules
  name                      = each.value.label
  cdn_frontdoor_rule_set_id = azurerm_cdn_frontdoor_rule_set.rules["edge"].id
  order                     = each.value.order
  behaviour_on_match        = "Stop" # else later rules would change what this one has left

  dynamic "conditions" {
    for_each = each.value.path == "/" && each.value.prefix == 1 && each.value.only == null && each.value.except == null ? [] : [each.value]
    content {
      dynamic "request_path" {
        for_each = conditions.value.path == "/" && conditions.value.prefix == 1 ? [] : [conditions.value]
        content {
          operator = request_path.value.prefix == 1 ? "BeginsWith" : "Equal"
          values   = [coalesce(trimprefix(request_path.value.path, "/"), "/")] # it is compared without its first slash
        }
      }

      dynamic "remote_address" {
        for_each = conditions.value.only == null && conditions.value.except == null ? [] : [conditions.value]
        content {
          operator = remote_address.value.except == null ? "GeoMatch" : "NotGeoMatch"
          values   = remote_address.value.except == null ? remote_address.value.only : remote_address.value.except
        }
      }
    }
  }

  actions {
    dynamic "url_redirect" {
      for_each = each.value.status == null ? [] : [each.value]
      content {
        redirect_type         = local.codes[url_redirect.value.status]
        redirect_protocol     = url_redirect.value.host == null ? "MatchRequest" : "Https"
        destination_host_name = try(trimprefix(url_redirect.value.host, "https://"), null)

        # The variable has no slash at its beginning.
        destination_path = join("", [url_redirect.value.to, url_redirect.value.keep == 0 ? "" :
          url_redirect.value.path == "/" ? "{url_path}" : "{url_path:${length(url_redirect.value.path) - 1}}"
        ])
      }
    }

    dynamic "url_rewrite" {
      for_each = each.value.status != null || each.value.to == null ? [] : [each.value]
      content {
        source_pattern                  = url_rewrite.value.path
        destination_path                = url_rewrite.value.to
        preserve_unmatched_path_enabled = url_rewrite.value.keep == 1
      }
    }

    dynamic "modify_request_header" {
      for_each = local.changes[each.key].request
      content {
        operator     = modify_request_header.value.operator
        header_name  = modify_request_header.value.name
        header_value = modify_request_header.value.value
      }
    }

    dynamic "modify_response_header" {
      for_each = local.changes[each.key].response
      content {
        operator     = modify_response_header.value.operator
        header_name  = modify_response_header.value.name
        header_value = modify_response_header.value.value
      }
    }
  }
}

resource "azurerm_cdn_frontdoor_firewall_policy" "denials" {
  for_each                          = local.firewall
  name                              = "leewardEdgeFirewall"
  resource_group_name               = var.resource_group
  sku_name                          = var.sku
  enabled                           = true
  mode                              = "Prevention"
  custom_block_response_status_code = 403

  dynamic "custom_rule" {
    for_each = each.value
    content {
      name     = custom_rule.value.label
      priority = custom_rule.key + 1
      enabled  = true
      type     = "MatchRule"
      action   = "Block"

      match_condition {
        match_variable = "RequestUri"
        operator       = "RegEx"

        # The firewall sees a URL with its host or without; both begin with the path after it.
        match_values = [join("", [
          "^(https?://[^/?#]*)?", replace(custom_rule.value.path, "/([.$()+])/", "\\$1"), custom_rule.value.prefix == 1 ? "" : "(\\?|$)",
        ])]
      }

      dynamic "match_condition" {
        for_each = custom_rule.value.only == null && custom_rule.value.except == null ? [] : [custom_rule.value]
        content {
          match_variable     = "SocketAddr" # a client cannot write it
          operator           = "GeoMatch"
          negation_condition = match_condition.value.except != null
          match_values       = match_condition.value.except == null ? match_condition.value.only : match_condition.value.except
        }
      }
    }
  }
}

output "rule_sets" {
  description = "ids for cdn_frontdoor_rule_set_ids of a route"
  value       = [for rules in azurerm_cdn_frontdoor_rule_set.rules : rules.id]
}

output "firewall" {
  description = "the id for a security policy; null if nothing is denied"
  value       = try(azurerm_cdn_frontdoor_firewall_policy.denials["edge"].id, null)
}
