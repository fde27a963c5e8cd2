# What an app of leeward has in a whole project of Google Cloud, whatever its regions. All that differs
# from app to app is in facts.json, which leeward export writes.

terraform {
  required_version = ">= 1.5"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 8.0" # whatever holds state has a deletion_policy
    }
  }
}
