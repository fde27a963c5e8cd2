# One app for all handlers. On a Flex Consumption plan the functions that are called by HTTP scale
# together, and every other function by itself: consumers take no instance from callers.

locals {
  home     = try([for bucket in values(local.facts.buckets) : bucket.home if can(bucket.home)][0], var.region) # of the objects
  accounts = distinct(compact(["AzureWebJobsStorage", local.azure.storage]))
  client   = try(azurerm_user_assigned_identity.app["app"].client_id, "")

  app_settings = merge(
    {
      AZURE_CLIENT_ID = local.client
      # The provider writes a connection string without a key there, which host and client refuse.
      AzureWebJobsStorage = ""
      # leeward's own client reads the whole URL.
      AzureWebJobsStorage__queueServiceUri = azurerm_storage_account.app.primary_queue_endpoint
      AzureWebJobsStorage__blobServiceUri  = azurerm_storage_account.app.primary_blob_endpoint
    },
    { for name in local.accounts : "${name}__accountName" => azurerm_storage_account.app.name },
    { for name in local.accounts : "${name}__credential" => "managedidentity" },
    { for name in local.accounts : "${name}__clientId" => local.client },
    { for name in local.azure.service_bus : "${name}__fullyQualifiedNamespace" => "${var.service_bus_namespaces[name]}.servicebus.windows.net" },
    { for name in local.azure.service_bus : "${name}__credential" => "managedidentity" },
    { for name in local.azure.service_bus : "${name}__clientId" => local.client },
    local.facts.stage == "" ? {} : { LEEWARD_STAGE = local.facts.stage },
    local.facts.order == "" ? {} : { CLOUD_PROVIDER = local.facts.order },
    # Two regions would do everything twice.
    { for name, handler in local.handlers : "AzureWebJobs.${name}.Disabled" => "true" if handler.kind == "schedule" && !local.serves },
    local.home == var.region || local.azure.blobs != "" ? {} : {
      AZURE_STORAGEBLOB_RESOURCEENDPOINT = replace(azurerm_storage_account.app.primary_blob_endpoint, local.storage, local.home_account)
    },
    merge([for insights in azurerm_application_insights.app : {
      APPLICATIONINSIGHTS_CONNECTION_STRING     = insights.connection_string
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING = "ClientId=${local.client};Authorization=AAD"
    }]...),
  )

  # By its name, as that region has it: the regions refer to nothing of each other.
  home_account = lookup(var.storage_accounts, local.home, join("", [
    substr(replace(local.azure.app, "/[^a-z0-9]/", ""), 0, 14),
    substr(sha256("${local.group}/${local.azure.app}/${local.home}"), 0, 10),
  ]))
}

resource "azurerm_service_plan" "app" {
  for_each            = local.here
  name                = local.app
  resource_group_name = var.resource_group
  location            = var.region
  tags                = local.tags
  os_type             = "Linux"
  sku_name            = "FC1"
}

resource "azurerm_function_app_flex_consumption" "app" {
  for_each                                       = local.here
  name                                           = local.app
  resource_group_name                            = var.resource_group
  location                                       = var.region
  tags                                           = local.tags
  service_plan_id                                = azurerm_service_plan.app["app"].id
  runtime_name                                   = "python"
  runtime_version                                = local.facts.python
  instance_memory_in_mb                          = local.memory
  maximum_instance_count                         = var.max_instances
  http_concurrency                               = local.settings.limit
  https_only                                     = true
  webdeploy_publish_basic_authentication_enabled = false
  storage_container_type                         = "blobContainer"
  storage_container_endpoint                     = "${azurerm_storage_account.app.primary_blob_endpoint}${azurerm_storage_container.own["code"].name}"
  storage_authentication_type                    = "UserAssignedIdentity"
  storage_user_assigned_identity_id              = azurerm_user_assigned_identity.app["app"].id
  app_settings                                   = local.app_settings

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.app["app"].id]
  }

  site_config {
    minimum_tls_version = "1.2"
    http2_enabled       = true
  }

  dynamic "always_ready" {
    for_each = local.serves || try(coalesce(local.settings.standby_instances, 0), 0) == 0 ? [] : [local.settings.standby_instances]
    content {
      name           = "http"
      instance_count = always_ready.value
    }
  }
}
