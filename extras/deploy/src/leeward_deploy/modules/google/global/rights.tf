# A service account for each function, with what its code uses and no more. What it may call is in
# each region.

locals {
  own_accounts = { for name, function in local.functions : name => function if function.role == null }
  account      = { for name, function in local.functions : name => try(google_service_account.function[name].email, function.role) }
  flow_account = { for name, flow in local.flows_here : name => google_service_account.flow[name].email }

  # Who publishes where. A function: buses, queues, and the dead letters of what it gives up itself; a
  # bucket what it tells of objects; Pub/Sub dead letters.
  publishes = merge(
    { for name, topic in google_pubsub_topic.dead : "agent/${name}" => { caller = null, member = local.agent, topic = topic.name } },
    { for name, handler in local.objects : "storage/${name}" => {
      caller = null, member = "serviceAccount:${data.google_storage_project_service_account.this["storage"].email_address}"
      topic  = try(google_pubsub_topic.queue[handler.queue].name, local.queues[handler.queue].name)
    } },
    { for right in flatten([for name, function in local.own_accounts : [for bus in function.rights.publishes : {
      key = "${name}/bus/${bus}", caller = name, topic = try(google_pubsub_topic.bus[bus].name, local.buses[bus].name)
    }]]) : right.key => right },
    { for right in flatten([for name, function in local.own_accounts : [for queue in function.rights.sends : {
      key = "${name}/queue/${queue}", caller = name, topic = try(google_pubsub_topic.queue[queue].name, local.queues[queue].name)
    }]]) : right.key => right },
    { for name, handler in local.handlers : "${name}/dead" => {
      caller = name, topic = google_pubsub_topic.dead[handler.dead_letters].name
    } if handler.gives_up },
  )

  # A role is for a whole bucket, and for a whole database.
  bucket_roles = merge([for name, function in local.own_accounts : {
    for bucket in distinct([for place in concat(function.rights.gets, function.rights.puts, function.rights.deletes) : place.bucket]) :
    "${name}/${bucket}" => {
      caller = name, bucket = bucket
      role   = contains([for place in concat(function.rights.puts, function.rights.deletes) : place.bucket], bucket) ? "objectUser" : "objectViewer"
    }
  }]...)
  changes = { for name, function in local.own_accounts : name => concat(function.rights.stores, function.rights.removes, function.rights.writes) }
  database_roles = merge([for name, function in local.own_accounts : {
    for database in distinct([for table in concat(local.changes[name], function.rights.reads, function.rights.scans) : local.tables[table].firestore]) :
    "${name}/${database}" => {
      caller = name, database = database
      role   = contains([for table in local.changes[name] : local.tables[table].firestore], database) ? "user" : "viewer"
    }
  }]...)
}

resource "google_service_account" "function" {
  for_each     = local.own_accounts
  project      = var.project
  account_id   = local.account_id[each.key]
  display_name = "${local.facts.app}: ${each.key}"
}

resource "google_service_account" "push" {
  project      = var.project
  account_id   = local.account_id["push"]
  display_name = "${local.facts.app}: push"
}

resource "google_service_account" "flow" {
  for_each     = local.flows_here
  project      = var.project
  account_id   = local.account_id["workflow-${each.key}"]
  display_name = "${local.facts.app}: workflow-${each.key}"
}

resource "google_pubsub_topic_iam_member" "publish" {
  for_each = local.publishes
  project  = var.project
  topic    = each.value.topic
  role     = "roles/pubsub.publisher"
  member   = each.value.caller == null ? each.value.member : "serviceAccount:${local.account[each.value.caller]}"
}

resource "google_storage_bucket_iam_member" "function" {
  for_each = local.bucket_roles
  bucket   = try(google_storage_bucket.bucket[each.value.bucket].name, local.buckets[each.value.bucket].name)
  role     = "roles/storage.${each.value.role}"
  member   = "serviceAccount:${local.account[each.value.caller]}"
}

resource "google_project_iam_member" "function" {
  for_each = local.database_roles
  project  = var.project
  role     = "roles/datastore.${each.value.role}"
  member   = "serviceAccount:${local.account[each.value.caller]}"

  condition {
    title      = "one database"
    expression = "resource.name == \"projects/${var.project}/databases/${each.value.database}\""
  }
}
