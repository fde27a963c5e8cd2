# What a platform engineer may rely on in the module of AWS, with a provider that only pretends.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
}

variables {
  region   = "us-east-1"
  facts    = "../../aws/facts.json"
  retained = "../../aws/retained.json"
  package  = "../../aws/package.zip"
}

run "the_serving_region_runs_schedules" {
  command = plan

  assert {
    condition     = aws_scheduler_schedule.schedule["schedule"].state == "ENABLED"
    error_message = "The serving region has to run the schedule."
  }

  assert {
    condition     = keys(aws_dynamodb_table.table) == ["mails", "orders"]
    error_message = "Tables are in their home."
  }
}

run "a_standby_region_runs_none_and_has_no_data" {
  command = plan

  variables {
    region = "us-west-2"
  }

  assert {
    condition     = aws_scheduler_schedule.schedule["schedule"].state == "DISABLED"
    error_message = "A standby must not run the schedule, too."
  }

  assert {
    condition     = length(aws_dynamodb_table.table) == 0 && length(aws_s3_bucket.bucket) == 0
    error_message = "Data has one home."
  }
}

run "a_region_that_the_app_has_left_keeps_its_queues_alone" {
  command = plan

  variables {
    region = "eu-west-1"
  }

  assert {
    condition     = length(aws_lambda_function.function) == 0 && length(aws_sqs_queue.dead) > 0
    error_message = "Handlers go, queues stay."
  }
}

run "nobody_may_delete_a_queue" {
  command = plan

  assert {
    condition = alltrue([for queue in values(merge(aws_sqs_queue.queue, aws_sqs_queue.dead)) :
    jsondecode(queue.policy).Statement[0].Effect == "Deny"])
    error_message = "A queue's own policy denies its deletion."
  }
}

run "variables_win_over_facts" {
  command = plan

  variables {
    log_days = 5
    memory   = 1024
  }

  assert {
    condition     = aws_cloudwatch_log_group.function["call"].retention_in_days == 5
    error_message = "log_days counts."
  }

  assert {
    condition     = aws_lambda_function.function["call"].memory_size == 1024
    error_message = "memory counts."
  }
}
