# Yours: leeward writes this file once, and never again. Keep the state of each stage by itself, and
# keep the call of the module and its name: without it, a plan would delete everything.

locals {
  facts    = jsondecode(file("${path.root}/facts.json"))
  retained = jsondecode(file("${path.root}/retained.json"))
}

provider "aws" {}

module "app" {
  source   = "../modules/aws"
  for_each = toset(concat(local.facts.regions, try(local.retained.regions, [])))

  region   = each.key
  facts    = "${path.root}/facts.json"
  retained = "${path.root}/retained.json"
  package  = "${path.root}/package.zip" # of leeward package --target aws
}

# As long as this refers to the module, Terraform refuses a plan without its call.
output "app" {
  value = module.app
}
