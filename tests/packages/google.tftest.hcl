# What a platform engineer may rely on in the modules of Google, with a provider that only pretends.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
  mock_data "google_storage_project_service_account" {
    defaults = { email_address = "storage@example.com" }
  }
}

run "nobody_may_delete_what_holds_messages" {
  module {
    source = "./global"
  }

  variables {
    project  = "ours"
    facts    = "../../google/facts.json"
    retained = "../../google/retained.json"
  }

  assert {
    condition = alltrue([for thing in concat(
      values(google_pubsub_topic.queue), values(google_pubsub_topic.dead), values(google_pubsub_topic.bus),
      values(google_pubsub_subscription.queue), values(google_pubsub_subscription.event), values(google_pubsub_subscription.dead),
    ) : thing.deletion_policy == "PREVENT"])
    error_message = "The provider refuses to delete it."
  }

  assert {
    condition     = keys(google_firestore_database.database) == ["(default)"]
    error_message = "Tables are in a database of their home."
  }
}

run "messages_go_to_the_region_that_serves" {
  command = plan

  module {
    source = "./global"
  }

  variables {
    project  = "ours"
    facts    = "../../google/facts.json"
    retained = "../../google/retained.json"
  }

  assert {
    condition     = google_pubsub_subscription.queue["parcels"].push_config[0].push_endpoint == "https://message-123456789012.us-central1.run.app"
    error_message = "The address of a function follows from its name."
  }
}

run "the_serving_region_runs_schedules" {
  command = plan

  variables {
    region  = "us-central1"
    global  = run.nobody_may_delete_what_holds_messages.for_regions
    package = "../../google/package.zip"
  }

  assert {
    condition     = google_cloud_scheduler_job.schedule["schedule"].paused != true
    error_message = "The serving region has to run the schedule."
  }
}

run "a_standby_region_runs_none" {
  command = plan

  variables {
    region  = "europe-west1"
    global  = run.nobody_may_delete_what_holds_messages.for_regions
    package = "../../google/package.zip"
  }

  assert {
    condition     = google_cloud_scheduler_job.schedule["schedule"].paused
    error_message = "A standby must not run the schedule, too."
  }

  assert {
    condition     = length(google_cloudfunctions2_function.function) == 5
    error_message = "A standby has every handler, so that it can take over."
  }
}

run "variables_win_over_facts" {
  command = plan

  variables {
    region  = "us-central1"
    global  = run.nobody_may_delete_what_holds_messages.for_regions
    package = "../../google/package.zip"
    memory  = 1024
  }

  assert {
    condition     = google_cloudfunctions2_function.function["call"].service_config[0].available_memory == "1024M"
    error_message = "memory counts."
  }
}
