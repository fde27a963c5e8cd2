# Yours: leeward writes this file once, and never again. Keep the state of each stage by itself, and
# keep the call of the module and its name: without it, a plan would delete everything.

locals {
  facts    = jsondecode(file("${path.root}/facts.json"))
  retained = jsondecode(file("${path.root}/retained.json"))
}

variable "resource_group" {
  description = "the name of the resource group, which is there"
  type        = string
}

variable "published" {
  description = "true once the code has been published: Event Grid subscribes to functions that are there"
  type        = bool
  default     = false
}

variable "key_vault_certificate" {
  description = "the id of the secret in Key Vault that has the certificate for the domain, if the app has one"
  type        = string
  default     = ""
}

provider "azurerm" {
  features {}
  storage_use_azuread = true # the accounts take no keys
}

module "app" {
  source   = "../modules/azure"
  for_each = toset(concat(local.facts.regions, try(local.retained.regions, [])))

  region   = each.key
  facts    = "${path.root}/facts.json"
  retained = "${path.root}/retained.json"

  resource_group = var.resource_group
  published      = var.published
}

module "global" {
  source = "../modules/azure/global"

  facts                 = "${path.root}/facts.json"
  apps                  = module.app
  resource_group        = var.resource_group
  key_vault_certificate = var.key_vault_certificate
}

# As long as this refers to the module, Terraform refuses a plan without its call.
output "app" {
  value = module.app
}
