# Databases and buckets, and what buckets tell of their objects. Firestore refuses to delete one of
# these databases, and Cloud Storage a bucket that holds something.

locals {
  databases = { for name, tables in { for table in local.tables : table.firestore => table... } : name => tables[0].home
  if anytrue([for table in tables : !table.existing]) }
}

# A table is a collection, which is there when it is written to: so its database is made.
resource "google_firestore_database" "database" {
  for_each                          = local.databases
  project                           = var.project
  name                              = each.key
  location_id                       = each.value
  type                              = "FIRESTORE_NATIVE"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  delete_protection_state           = "DELETE_PROTECTION_ENABLED"

  lifecycle { prevent_destroy = true }
}

resource "google_storage_bucket" "bucket" {
  for_each                    = local.buckets_here
  project                     = var.project
  labels                      = local.labels
  name                        = each.value.name
  location                    = each.value.home
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  deletion_policy             = "PREVENT"

  versioning { enabled = true }

  lifecycle_rule {
    action { type = "Delete" }
    condition {
      days_since_noncurrent_time = local.settings.retention_days
      with_state                 = "ARCHIVED"
    }
  }

  lifecycle { prevent_destroy = true }
}

resource "google_storage_notification" "object" {
  for_each           = local.objects
  bucket             = try(google_storage_bucket.bucket[each.value.bucket].name, local.buckets[each.value.bucket].name)
  topic              = try(google_pubsub_topic.queue[each.value.queue].id, "projects/${var.project}/topics/${local.queues[each.value.queue].name}")
  payload_format     = "JSON_API_V1"
  event_types        = ["OBJECT_FINALIZE"]
  object_name_prefix = each.value.prefix == "" ? null : each.value.prefix

  depends_on = [google_pubsub_topic_iam_member.publish]
}
