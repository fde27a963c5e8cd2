# The app's own account, with its code, its queues and its objects. What somebody deletes in it comes
# back for some days, and so does the account itself; no plan deletes what holds data.

locals {
  has_objects = anytrue([for bucket in values(local.buckets_near) : bucket.home == null ? !bucket.existing : local.azure.blobs == ""])
}

resource "azurerm_storage_account" "app" {
  name                            = local.storage
  resource_group_name             = var.resource_group
  location                        = var.region
  tags                            = local.tags
  account_tier                    = "Standard"
  account_replication_type        = coalesce(var.storage_replication, contains(local.zones, var.region) ? "ZRS" : "LRS")
  allow_nested_items_to_be_public = false
  shared_access_key_enabled       = local.azure.told # Event Grid uses the keys of this account: nothing else does
  default_to_oauth_authentication = true
  min_tls_version                 = "TLS1_2"

  sas_policy {
    expiration_period = "01.00:00:00" # a day, as a person should make one
  }

  blob_properties {
    versioning_enabled = local.has_objects ? true : null

    delete_retention_policy { days = local.has_objects ? local.settings.retention_days : 7 }

    container_delete_retention_policy {
      days = local.has_objects ? local.settings.retention_days : 7
    }
  }

  lifecycle { prevent_destroy = true }
}

resource "azurerm_storage_container" "own" {
  for_each           = toset(["code", "dead-letters"]) # the second has what Event Grid could not deliver
  name               = each.key
  storage_account_id = azurerm_storage_account.app.id

  lifecycle { prevent_destroy = true }
}

resource "azurerm_storage_container" "bucket" {
  for_each           = local.buckets_here
  name               = each.value.name
  storage_account_id = azurerm_storage_account.app.id

  lifecycle { prevent_destroy = true }
}
