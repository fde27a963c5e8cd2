# Yours: leeward writes this file once, and never again. Keep the state of each stage by itself, and
# keep the calls of the modules and their names: without them, a plan would delete everything.

locals {
  facts = jsondecode(file("${path.root}/facts.json"))
}

variable "project" {
  description = "the id of the project"
  type        = string
}

provider "google" {}

# What is of the whole project: topics, subscriptions, data, accounts, the name in DNS.
module "global" {
  source = "../modules/google/global"

  project  = var.project
  facts    = "${path.root}/facts.json"
  retained = "${path.root}/retained.json"
}

# What runs: it holds nothing, and a region refers to nothing of another one.
module "app" {
  source   = "../modules/google"
  for_each = toset(local.facts.regions)

  region  = each.key
  global  = module.global.for_regions
  package = "${path.root}/package.zip" # of leeward package --target google
}

# As long as this refers to the modules, Terraform refuses a plan without their calls.
output "app" {
  value = { global = module.global, regions = module.app }
}
