# Infrastructure of one app of leeward in one region of Azure. All that differs from app to app is in
# facts.json, which leeward export writes; leeward.module.json says which version this is.

terraform {
  required_version = ">= 1.5"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 5.0"
    }
  }
}
