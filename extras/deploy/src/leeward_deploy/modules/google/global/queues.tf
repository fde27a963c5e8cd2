# Topics, the subscriptions that push to functions, and those that keep dead letters. The provider
# refuses to delete one of these, even if the call of the module is gone.

locals {
  # Who pushes to whom: a subscription whose handler is gone keeps what comes, and pushes nothing.
  pushes = merge(
    { for name, queue in local.queues : "queue/${name}" => merge(queue, { type = null, to = queue.handler })
    if try(local.handlers[queue.handler].queue, null) == name },
    { for name, subscription in local.subscriptions : "event/${name}" => merge(subscription, { to = subscription.handler })
    if contains(keys(local.handlers), subscription.handler) },
  )
  consumed = { for name, queue in local.queues : name => queue if queue.handler != null }

  # An event that attributes cannot hold has its type in the message, and no such attribute.
  filters = { for name, subscription in local.subscriptions : name => subscription.type == null ? null : format(
    "attributes.ce-type = \"%s\" OR NOT attributes:ce-type", replace(replace(subscription.type, "\\", "\\\\"), "\"", "\\\"")
  ) }

  bus_topic = { for name, bus in local.buses : name =>
    startswith(bus.name, "projects/") ? bus.name : "projects/${var.project}/topics/${bus.name}"
  }
  agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_topic" "bus" {
  for_each        = local.buses_here
  project         = var.project
  labels          = local.labels
  name            = each.value.name
  deletion_policy = "PREVENT"

  lifecycle { prevent_destroy = true }
}

resource "google_pubsub_topic" "queue" {
  for_each        = local.queues_here
  project         = var.project
  labels          = local.labels
  name            = each.value.name
  deletion_policy = "PREVENT"

  lifecycle { prevent_destroy = true }
}

resource "google_pubsub_topic" "dead" {
  for_each        = local.dead_letters
  project         = var.project
  labels          = local.labels
  name            = each.value.name
  deletion_policy = "PREVENT"

  lifecycle { prevent_destroy = true }
}

resource "google_pubsub_subscription" "queue" {
  for_each             = local.consumed
  project              = var.project
  labels               = local.labels
  name                 = each.value.subscription
  topic                = try(google_pubsub_topic.queue[each.key].id, "projects/${var.project}/topics/${each.value.name}")
  ack_deadline_seconds = max(10, min(600, each.value.seconds + 10))
  deletion_policy      = "PREVENT"

  dynamic "push_config" {
    for_each = { for key, push in local.pushes : key => push if key == "queue/${each.key}" }
    content {
      push_endpoint = local.address[push_config.value.to]
      oidc_token { service_account_email = google_service_account.push.email }
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead[each.value.dead_letters].id
    max_delivery_attempts = max(5, min(100, each.value.deliveries))
  }

  expiration_policy { ttl = "" }

  lifecycle { prevent_destroy = true }
}

resource "google_pubsub_subscription" "event" {
  for_each             = local.subscriptions
  project              = var.project
  labels               = local.labels
  name                 = "${local.title}${each.key}"
  topic                = try(google_pubsub_topic.bus[each.value.bus].id, local.bus_topic[each.value.bus])
  filter               = length(base64encode(coalesce(local.filters[each.key], "-"))) > 340 ? null : local.filters[each.key] # 255 bytes
  ack_deadline_seconds = max(10, min(600, each.value.seconds + 10))
  deletion_policy      = "PREVENT"

  dynamic "push_config" {
    for_each = { for key, push in local.pushes : key => push if key == "event/${each.key}" }
    content {
      push_endpoint = local.address[push_config.value.to]
      oidc_token { service_account_email = google_service_account.push.email }
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead[each.value.dead_letters].id
    max_delivery_attempts = max(5, min(100, each.value.deliveries))
  }

  expiration_policy { ttl = "" }

  lifecycle { prevent_destroy = true }
}

resource "google_pubsub_subscription" "dead" {
  for_each                   = local.dead_letters
  project                    = var.project
  labels                     = local.labels
  name                       = each.value.name
  topic                      = google_pubsub_topic.dead[each.key].id
  message_retention_duration = "1209600s" # 14 days
  deletion_policy            = "PREVENT"

  expiration_policy { ttl = "" }

  lifecycle { prevent_destroy = true }
}

# What Pub/Sub needs itself to move a dead letter; where it may publish is in rights.tf.
resource "google_pubsub_subscription_iam_member" "agent" {
  for_each = merge(
    { for name in keys(local.consumed) : "queue/${name}" => google_pubsub_subscription.queue[name].name },
    { for name in keys(local.subscriptions) : "event/${name}" => google_pubsub_subscription.event[name].name },
  )
  project      = var.project
  subscription = each.value
  role         = "roles/pubsub.subscriber"
  member       = local.agent
}
