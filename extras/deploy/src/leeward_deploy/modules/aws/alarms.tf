# Alarms. They notify alarm_topic; without one, nobody is notified.

locals {
  # By what goes wrong: `datapoints` of `periods` of five minutes are above the threshold.
  alarm_kinds = {
    errors = {
      text   = "its runs fail: look into its log"
      metric = "Errors", namespace = "AWS/Lambda", statistic = "Sum", periods = 3, datapoints = 2
    }
    throttles = {
      text   = "it is throttled: give it, or the account, more concurrency"
      metric = "Throttles", namespace = "AWS/Lambda", statistic = "Sum", periods = 3, datapoints = 2
    }
    dead-letters = {
      text   = "there are dead letters: see leeward dlq list"
      metric = "ApproximateNumberOfMessagesVisible", namespace = "AWS/SQS", statistic = "Maximum", periods = 1, datapoints = 1
    }
    oldest-message = {
      text   = "a message waits for too long: its handler fails, or is too slow"
      metric = "ApproximateAgeOfOldestMessage", namespace = "AWS/SQS", statistic = "Maximum", periods = 3, datapoints = 3
    }
    runs = {
      text   = "a run has failed"
      metric = "ExecutionsFailed", namespace = "AWS/States", statistic = "Sum", periods = 1, datapoints = 1
    }
    health = {
      text   = "the app does not answer in ${var.region}: DNS leads elsewhere"
      metric = "HealthCheckStatus", namespace = "AWS/Route53", statistic = "Minimum", periods = 1, datapoints = 1
    }
  }

  dead_letters_of = { for name, handler in local.handlers : handler.dead_letters => name... }

  alarm_list = flatten([
    [for name in keys(local.handlers) : [for kind in ["errors", "throttles"] : {
      key = "${name}/${kind}", kind = kind, name = "${local.title}${name}-${kind}", threshold = 0
      on  = { FunctionName = aws_lambda_function.function[name].function_name }
    }]],
    # Retained ones included: what is in them is still somebody's.
    [for name, queue in aws_sqs_queue.dead : {
      key  = "${name}/dead-letters", kind = "dead-letters", threshold = 0, on = { QueueName = queue.name }
      name = "${local.title}${try(local.dead_letters_of[name][0], replace(name, "/-dead(\\.fifo)?$/", ""))}-dead-letters"
    }],
    [for name, handler in local.handlers : {
      key       = "${name}/oldest-message", kind = "oldest-message", name = "${local.title}${name}-oldest-message"
      threshold = max(900, 12 * handler.seconds), on = { QueueName = local.queue_name[handler.queue] }
    } if handler.queue != null],
    [for name, machine in aws_sfn_state_machine.flow : {
      key = "${name}/runs", kind = "runs", name = "${machine.name}-runs", threshold = 0, on = { StateMachineArn = machine.arn }
    }],
    [for check in aws_route53_health_check.region : {
      key = "health", kind = "health", name = "${local.title}health-${var.region}", threshold = 1, on = { HealthCheckId = check.id }
    }],
  ])
}

resource "aws_cloudwatch_metric_alarm" "alarm" {
  for_each            = { for alarm in local.alarm_list : alarm.key => alarm if local.alarms }
  region              = each.key == "health" ? "us-east-1" : var.region # where Route 53 has its metrics
  tags                = local.tags
  alarm_name          = each.value.name
  alarm_description   = local.alarm_kinds[each.value.kind].text
  namespace           = local.alarm_kinds[each.value.kind].namespace
  metric_name         = local.alarm_kinds[each.value.kind].metric
  statistic           = local.alarm_kinds[each.value.kind].statistic
  period              = each.key == "health" ? 60 : 300
  evaluation_periods  = local.alarm_kinds[each.value.kind].periods
  datapoints_to_alarm = local.alarm_kinds[each.value.kind].datapoints
  comparison_operator = each.key == "health" ? "LessThanThreshold" : "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = each.key == "health" ? "breaching" : "notBreaching"
  alarm_actions       = each.key == "health" ? local.health_topic : local.topic
  ok_actions          = each.key == "health" ? local.health_topic : local.topic
  dimensions          = each.value.on
}
