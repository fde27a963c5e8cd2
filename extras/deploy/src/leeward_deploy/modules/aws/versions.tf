# Infrastructure of one app of leeward in one region of AWS. All that differs from app to app is in
# facts.json, which leeward export writes; leeward.module.json says which version this is.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0" # a resource has a region of its own
    }
  }
}
