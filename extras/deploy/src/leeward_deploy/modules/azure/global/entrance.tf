# How callers without leeward reach the app, if it has a domain: Traffic Manager asks each region for
# its health, and leads to the first one that is well. It does not look at certificates; callers do, so
# every app has that of the one domain.

locals {
  entrances = local.facts.entrance == {} ? {} : { app = local.facts.entrance }
  doors     = { for region in local.regions : region => local.facts.entrance if length(local.entrances) > 0 }
  profile   = var.profile == "" ? local.facts.azure.app : var.profile
}

resource "azurerm_traffic_manager_profile" "app" {
  for_each               = local.entrances
  name                   = local.profile
  resource_group_name    = var.resource_group
  tags                   = local.tags
  traffic_routing_method = "Priority"

  dns_config {
    relative_name = local.profile
    ttl           = 60
  }

  monitor_config {
    protocol                     = "HTTPS"
    port                         = 443
    path                         = local.facts.azure.health
    interval_in_seconds          = each.value.interval
    timeout_in_seconds           = each.value.interval == 10 ? 9 : 10 # the longest
    tolerated_number_of_failures = each.value.failures - 1            # one more makes it degraded
    expected_status_code_ranges  = ["200-200"]
  }

  lifecycle {
    precondition {
      condition     = var.key_vault_certificate != ""
      error_message = "The app has a domain: set key_vault_certificate in the call of the module global."
    }
  }
}

resource "azurerm_traffic_manager_external_endpoint" "region" {
  for_each   = local.doors
  name       = each.key
  profile_id = azurerm_traffic_manager_profile.app["app"].id
  target     = var.apps[each.key].host
  priority   = 1 + index(local.facts.azure.order, each.key)
}

resource "azurerm_dns_txt_record" "app" {
  for_each            = local.entrances
  name                = "asuid.${local.facts.azure.host}"
  zone_name           = each.value.zone
  resource_group_name = var.resource_group
  tags                = local.tags
  ttl                 = 60

  record {
    value = var.apps[local.facts.serving].verification # alike for all apps of a subscription
  }
}

resource "azurerm_dns_cname_record" "app" {
  for_each            = local.entrances
  name                = local.facts.azure.host
  zone_name           = each.value.zone
  resource_group_name = var.resource_group
  tags                = local.tags
  ttl                 = 60
  record              = azurerm_traffic_manager_profile.app["app"].fqdn
}

resource "azurerm_app_service_certificate" "region" {
  for_each            = local.doors
  name                = var.apps[each.key].app
  resource_group_name = var.resource_group
  location            = each.key
  tags                = local.tags
  key_vault_secret_id = var.key_vault_certificate
}

resource "azurerm_app_service_custom_hostname_binding" "region" {
  for_each            = local.doors
  hostname            = each.value.domain
  app_service_name    = var.apps[each.key].app
  resource_group_name = var.resource_group
  ssl_state           = "SniEnabled"
  thumbprint          = azurerm_app_service_certificate.region[each.key].thumbprint
  depends_on          = [azurerm_dns_txt_record.app]
}

resource "azurerm_monitor_metric_alert" "health" {
  for_each            = local.facts.settings.alarms ? local.entrances : {}
  name                = "${local.profile}-health"
  resource_group_name = var.resource_group
  tags                = local.tags
  scopes              = [azurerm_traffic_manager_profile.app["app"].id]
  description         = "A region does not answer: DNS leads elsewhere."
  severity            = 1
  frequency           = "PT5M"
  window_size         = "PT5M"

  criteria {
    metric_namespace = "Microsoft.Network/trafficManagerProfiles"
    metric_name      = "ProbeAgentCurrentEndpointStateByProfileResourceId"
    aggregation      = "Average"
    operator         = "LessThan"
    threshold        = 1

    dimension {
      name     = "EndpointName"
      operator = "Include"
      values   = ["*"]
    }
  }

  dynamic "action" {
    for_each = compact([var.action_group])
    content { action_group_id = action.value }
  }
}
