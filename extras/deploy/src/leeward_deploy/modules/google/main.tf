# The names that follow from the facts in this region.

locals {
  app    = var.global
  facts  = var.global.facts
  title  = var.global.title
  labels = var.global.labels
  serves = var.region == local.facts.serving # the other regions stand by

  settings = local.facts.settings
  memory   = try(coalesce(var.memory, local.settings.memory), 256)
  entrance = local.app.entrance

  functions = local.app.functions
  handlers  = { for name, function in local.functions : name => function if function.kind != "health" }

  # Own names in this region, of functions of the app and of others.
  callee = merge(local.facts.functions, local.functions)
  own_name = { for name, function in local.callee : name =>
    lower(try(function.names[var.region], function.name))
  }

  # Names of at most 63 characters: one that is cut ends with a digest.
  long_names = toset(concat([for part in concat(keys(local.functions), ["entrance"]) : lower("${local.title}${part}-${var.region}")],
  ["${local.app.project}-${local.title}code-${var.region}"]))
  short = { for name in local.long_names : name => length(name) <= 63 ? name :
    "${replace(substr(name, 0, 54), "/-+$/", "")}-${substr(sha256(name), 0, 8)}"
  }
  part = { for part in concat(keys(local.functions), ["entrance"]) : part => local.short[lower("${local.title}${part}-${var.region}")] }
}

resource "terraform_data" "facts" {
  lifecycle {
    precondition {
      condition     = length(local.entrance) == 0 || var.certificate != ""
      error_message = "The app has a domain: set certificate to the id of its certificate."
    }
  }
}
