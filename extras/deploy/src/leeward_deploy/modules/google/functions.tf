# A function for each handler, and one for the health where the app has a domain. An instance runs one
# call at a time, so the number of instances is what a handler may take away from what is behind it.

locals {
  # What is brought by a topic waits there, so it may have a limit of its own.
  most = { for name, function in local.functions : name => function.kind == "health" ? 2 : try(coalesce(
    function.concurrency, contains(["message", "object"], function.kind) ? local.settings.concurrency : local.settings.limit,
  ), var.max_instances) }

  # Of what is called, a standby has some ready; of the health, every region has.
  least = { for name, function in local.functions : name => try(coalesce(
    local.serves || !contains(["call", "health"], function.kind) ? null : coalesce(local.settings.standby_instances, 1),
    function.kind == "health" ? 1 : null,
  ), null) }

  # Pub/Sub and Scheduler of the project count as internal; nobody else calls these.
  ingress = { call = null, health = "ALLOW_INTERNAL_AND_GCLB" }
}

resource "google_storage_bucket" "code" {
  project                     = local.app.project
  labels                      = local.labels
  name                        = local.short["${local.app.project}-${local.title}code-${var.region}"]
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
}

# The name changes with the content, so that functions are built anew.
resource "google_storage_bucket_object" "code" {
  bucket = google_storage_bucket.code.name
  name   = "google-${filesha256(var.package)}.zip"
  source = var.package
}

resource "google_cloudfunctions2_function" "function" {
  for_each = local.functions
  project  = local.app.project
  labels   = local.labels
  location = var.region
  name     = local.own_name[each.key]

  build_config {
    runtime     = "python${replace(local.facts.python, ".", "")}"
    entry_point = "main"
    source {
      storage_source {
        bucket = google_storage_bucket_object.code.bucket
        object = google_storage_bucket_object.code.name
      }
    }
  }

  service_config {
    available_memory                 = "${coalesce(each.value.memory, local.memory)}M"
    timeout_seconds                  = each.value.seconds
    max_instance_count               = local.most[each.key]
    min_instance_count               = local.least[each.key]
    max_instance_request_concurrency = 1
    service_account_email            = local.app.accounts[each.key]
    ingress_settings                 = lookup(local.ingress, each.value.kind, "ALLOW_INTERNAL_ONLY")

    environment_variables = merge(
      { LEEWARD_FUNCTION = each.key, GOOGLE_CLOUD_REGION = var.region }, # no platform says where it is
      local.facts.order == "" ? {} : { CLOUD_PROVIDER = local.facts.order },
      local.facts.stage == "" ? {} : { LEEWARD_STAGE = local.facts.stage },
    )
  }
}
