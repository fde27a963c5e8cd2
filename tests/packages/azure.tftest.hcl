# What a platform engineer may rely on in the module of Azure, with a provider that only pretends.

mock_provider "azurerm" {
  mock_data "azurerm_client_config" {
    defaults = { subscription_id = "00000000-0000-0000-0000-00000000000f" }
  }
}

variables {
  region          = "westeurope"
  facts           = "../../azure/facts.json"
  retained        = "../../azure/retained.json"
  resource_group  = "ours"
  cosmos_account  = "acc"
  cosmos_database = "db"
  published       = true
}

run "the_serving_region_runs_schedules_and_has_the_data" {
  command = plan

  assert {
    condition     = !contains(keys(local.app_settings), "AzureWebJobs.schedule.Disabled")
    error_message = "The serving region has to run the schedule."
  }

  assert {
    condition     = keys(azurerm_cosmosdb_sql_container.table) == ["mails", "orders"]
    error_message = "Tables are in their home."
  }
}

run "a_standby_region_runs_none_and_has_no_data" {
  command = plan

  variables {
    region = "northeurope"
  }

  assert {
    condition     = local.app_settings["AzureWebJobs.schedule.Disabled"] == "true"
    error_message = "A standby must not run the schedule, too."
  }

  assert {
    condition     = length(azurerm_cosmosdb_account.tables) == 0 && length(azurerm_storage_container.bucket) == 0 && length(azurerm_eventgrid_topic.bus) == 0
    error_message = "Data has one home, and so has a topic whose name both regions share."
  }
}

run "a_region_that_the_app_has_left_keeps_its_queues_alone" {
  command = plan

  variables {
    region = "francecentral"
  }

  assert {
    condition     = length(azurerm_function_app_flex_consumption.app) == 0 && length(azurerm_storage_queue.queue) > 0
    error_message = "Handlers go, queues stay."
  }
}

run "what_somebody_deletes_comes_back" {
  command = plan

  assert {
    condition     = azurerm_storage_account.app.blob_properties[0].container_delete_retention_policy[0].days == 30 && azurerm_cosmosdb_account.tables["tables"].backup[0].type == "Continuous"
    error_message = "Containers and accounts of tables can be restored."
  }
}

run "event_grid_waits_for_the_code" {
  command = plan

  variables {
    published = false
  }

  assert {
    condition     = keys(azurerm_eventgrid_event_subscription.event) == ["object"]
    error_message = "Only a queue is there before the code."
  }
}

run "variables_win_over_facts" {
  command = plan

  variables {
    log_days = 60
    memory   = 4096
    apps     = { westeurope = "acme" }
  }

  assert {
    condition     = azurerm_log_analytics_workspace.app["app"].retention_in_days == 60
    error_message = "log_days counts."
  }

  assert {
    condition     = azurerm_function_app_flex_consumption.app["app"].instance_memory_in_mb == 4096 && azurerm_function_app_flex_consumption.app["app"].name == "acme"
    error_message = "memory counts, and so does a name."
  }
}
