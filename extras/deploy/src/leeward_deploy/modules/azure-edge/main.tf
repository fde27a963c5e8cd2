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
  edge     = jsondecode(file(var.rules))
  rules    = { for rule in local.edge.rules : rule.key => merge({ path = null, countries = null, redirect = null, rewrite = null }, rule) }
  denials  = [for denial in local.edge.denials : merge({ countries = null }, denial)]
  rule_set = length(local.rules) == 0 ? {} : { edge = var.profile_id }
  firewall = length(local.denials) == 0 ? {} : { edge = local.denials }
}

resource "azurerm_cdn_frontdoor_rule_set" "rules" {
  for_each                 = local.rule_set
  name                     = "leewardEdge"
  cdn_frontdoor_profile_id = each.value
}

resource "azurerm_cdn_frontdoor_rule" "rule" {
  for_each                  = local.rules
  name                      = each.value.name
  cdn_frontdoor_rule_set_id = azurerm_cdn_frontdoor_rule_set.rules["edge"].id
  order                     = each.value.order
  behaviour_on_match        = "Stop" # else later rules would change what this one has left

  dynamic "conditions" {
    for_each = each.value.path == null && each.value.countries == null ? [] : [each.value]
    content {
      dynamic "request_path" {
        for_each = conditions.value.path == null ? [] : [conditions.value.path]
        content {
          operator = request_path.value.operator
          values   = [request_path.value.value]
        }
      }

      dynamic "remote_address" {
        for_each = conditions.value.countries == null ? [] : [conditions.value.countries]
        content {
          operator = remote_address.value.operator
          values   = remote_address.value.values
        }
      }
    }
  }

  actions {
    dynamic "url_redirect" {
      for_each = each.value.redirect == null ? [] : [each.value.redirect]
      content {
        redirect_type         = url_redirect.value.type
        redirect_protocol     = url_redirect.value.protocol
        destination_path      = url_redirect.value.path
        destination_host_name = try(url_redirect.value.host, null)
      }
    }

    dynamic "url_rewrite" {
      for_each = each.value.rewrite == null ? [] : [each.value.rewrite]
      content {
        source_pattern                  = url_rewrite.value.source
        destination_path                = url_rewrite.value.destination
        preserve_unmatched_path_enabled = url_rewrite.value.preserve
      }
    }

    dynamic "modify_request_header" {
      for_each = each.value.request
      content {
        operator     = modify_request_header.value.operator
        header_name  = modify_request_header.value.name
        header_value = try(modify_request_header.value.value, null)
      }
    }

    dynamic "modify_response_header" {
      for_each = each.value.response
      content {
        operator     = modify_response_header.value.operator
        header_name  = modify_response_header.value.name
        header_value = try(modify_response_header.value.value, null)
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
      name     = custom_rule.value.name
      priority = custom_rule.value.priority
      enabled  = true
      type     = "MatchRule"
      action   = "Block"

      match_condition {
        match_variable = "RequestUri"
        operator       = "RegEx"
        match_values   = [custom_rule.value.pattern]
      }

      dynamic "match_condition" {
        for_each = custom_rule.value.countries == null ? [] : [custom_rule.value.countries]
        content {
          match_variable     = "SocketAddr" # a client cannot write it
          operator           = "GeoMatch"
          negation_condition = match_condition.value.negated
          match_values       = match_condition.value.values
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
