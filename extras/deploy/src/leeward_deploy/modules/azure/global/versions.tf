# What the regions of an app have together: what they may do in each other, and the entrance. Nothing
# here holds anything, and a region can be planned without it.

terraform {
  required_version = ">= 1.5"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 5.0"
    }
  }
}
