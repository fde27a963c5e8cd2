# Events, schedules and objects: what makes handlers run, and who may do that.

locals {
  # A bucket tells the handlers of its own region.
  objects = { for name, handler in local.handlers : name => handler if handler.kind == "object" &&
    try(coalesce(local.buckets[handler.bucket].home, var.region) == var.region, false)
  }
  notified_buckets = { for bucket in keys(local.buckets_here) : bucket => {
    for name, handler in local.objects : name => handler if handler.bucket == bucket
  } if length([for handler in local.objects : true if handler.bucket == bucket]) > 0 }

  schedules = { for name, handler in local.handlers : name => handler if handler.kind == "schedule" }

  # In the ARN of a rule, the bus that every account has is not named.
  rule_bus = { for name, subscription in local.subscriptions : name => reverse(split("/", local.bus_name[subscription.bus]))[0] }
  rule_arn = { for name, bus in local.rule_bus : name =>
    "arn:${local.partition}:events:${local.here}:rule/${bus == "default" ? "" : "${bus}/"}${local.short["${local.title}${name}"]}"
  }
}

resource "aws_cloudwatch_event_rule" "event" {
  for_each       = local.subscriptions
  region         = var.region
  tags           = local.tags
  name           = local.short["${local.title}${each.key}"]
  event_bus_name = try(aws_cloudwatch_event_bus.bus[each.value.bus].name, local.bus_name[each.value.bus])

  # The source is never empty, so this prefix is that of every event.
  event_pattern = each.value.type == null ? jsonencode({ source = [{ prefix = "" }] }) : jsonencode({ detail-type = [each.value.type] })
}

resource "aws_cloudwatch_event_target" "event" {
  for_each       = local.subscriptions
  region         = var.region
  rule           = aws_cloudwatch_event_rule.event[each.key].name
  event_bus_name = aws_cloudwatch_event_rule.event[each.key].event_bus_name
  target_id      = "handler"
  arn            = aws_lambda_function.function[each.value.handler].arn

  dead_letter_config { arn = aws_sqs_queue.dead[each.value.dead_letters].arn }
}

resource "aws_scheduler_schedule" "schedule" {
  for_each                     = local.schedules
  region                       = var.region
  name                         = local.short["${local.title}${each.key}"]
  schedule_expression          = each.value.schedule
  schedule_expression_timezone = "UTC"
  state                        = local.serves ? "ENABLED" : "DISABLED" # two regions would do everything twice

  flexible_time_window { mode = "OFF" }

  target {
    arn      = aws_lambda_function.function[each.key].arn
    role_arn = aws_iam_role.role["schedule/${each.key}"].arn

    input = jsonencode({
      source   = "leeward.schedule"
      schedule = each.key
      time     = "<aws.scheduler.scheduled-time>"
      attempt  = "<aws.scheduler.attempt-number>"
    })

    retry_policy {
      maximum_retry_attempts       = 3
      maximum_event_age_in_seconds = 3600
    }

    dead_letter_config { arn = aws_sqs_queue.dead[each.value.dead_letters].arn }
  }
}

# Who may call which function.
resource "aws_lambda_permission" "call" {
  for_each = merge(
    { for name, subscription in local.subscriptions : "event/${name}" => {
      handler = subscription.handler, service = "events", source = local.rule_arn[name], account = null
    } },
    { for name, handler in local.objects : "object/${name}" => {
      handler = name, service = "s3", source = local.bucket_arn[handler.bucket], account = local.account
    } if handler.queue == null },
    { for name in keys(local.routed) : "api/${name}" => {
      handler = name, service = "apigateway", account = null
      source  = "arn:${local.partition}:execute-api:${local.here}:${aws_apigatewayv2_api.api["api"].id}/*/*/*"
    } },
  )
  region         = var.region
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.function[each.value.handler].function_name
  principal      = "${each.value.service}.amazonaws.com"
  source_arn     = each.value.source
  source_account = each.value.account
}

resource "aws_s3_bucket_notification" "bucket" {
  for_each = local.notified_buckets
  region   = var.region
  bucket   = aws_s3_bucket.bucket[each.key].bucket

  dynamic "queue" {
    for_each = { for name, handler in each.value : name => handler if handler.queue != null }
    content {
      queue_arn     = aws_sqs_queue.queue[queue.value.queue].arn
      events        = ["s3:ObjectCreated:*"]
      filter_prefix = queue.value.prefix == "" ? null : local.facts.aws.filters[queue.key]
    }
  }

  dynamic "lambda_function" {
    for_each = { for name, handler in each.value : name => handler if handler.queue == null }
    content {
      lambda_function_arn = aws_lambda_function.function[lambda_function.key].arn
      events              = ["s3:ObjectCreated:*"]
      filter_prefix       = lambda_function.value.prefix == "" ? null : local.facts.aws.filters[lambda_function.key]
    }
  }

  depends_on = [aws_lambda_permission.call] # S3 tries whether it may tell
}
