# Infrastructure of one app of leeward in one region of Google Cloud: its functions, what calls them,
# workflows and the load balancer. It holds nothing: what does is in the module global.

terraform {
  required_version = ">= 1.5"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 8.0" # whatever holds state has a deletion_policy
    }
  }
}
