# Queues, and queues of dead letters. No plan can delete one, even if the call of the module is gone:
# its policy denies that to everybody, until somebody changes the policy.

locals {
  keep_queue = { Sid = "Keep", Effect = "Deny", Principal = "*", Action = "sqs:DeleteQueue" }
}

resource "aws_sqs_queue" "queue" {
  for_each                   = local.queues_here
  region                     = var.region
  tags                       = local.tags
  name                       = local.queue_name[each.key]
  fifo_queue                 = each.value.ordered ? true : null
  sqs_managed_sse_enabled    = true
  visibility_timeout_seconds = 6 * each.value.seconds # Lambda asks for six times the function's

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead[each.value.dead_letters].arn
    maxReceiveCount     = each.value.deliveries
  })

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [merge(local.keep_queue, { Resource = local.queue_arn[each.key] })],
      [for handler in values(local.objects) : {
        Effect    = "Allow"
        Principal = { Service = "s3.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.queue_arn[each.key]
        Condition = {
          ArnEquals    = { "aws:SourceArn" = local.bucket_arn[handler.bucket] }
          StringEquals = { "aws:SourceAccount" = local.account }
        }
      } if handler.queue == each.key],
    )
  })

  lifecycle { prevent_destroy = true }
}

resource "aws_sqs_queue" "dead" {
  for_each                  = local.dead_letters
  region                    = var.region
  tags                      = local.tags
  name                      = each.value.name
  fifo_queue                = each.value.ordered ? true : null
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600 # 14 days, the longest that SQS keeps one

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [merge(local.keep_queue, { Resource = local.dead_arn[each.key] })],
      [for name, subscription in local.subscriptions : {
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.dead_arn[each.key]
        Condition = { ArnEquals = { "aws:SourceArn" = local.rule_arn[name] } }
      } if subscription.dead_letters == each.key],
    )
  })

  lifecycle { prevent_destroy = true }
}

resource "aws_lambda_event_source_mapping" "queue" {
  for_each                = { for name, handler in local.handlers : name => handler if handler.queue != null }
  region                  = var.region
  tags                    = local.tags
  event_source_arn        = try(aws_sqs_queue.queue[each.value.queue].arn, local.queue_arn[each.value.queue])
  function_name           = aws_lambda_function.function[each.key].function_name
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"] # else messages that failed are taken for done

  dynamic "scaling_config" {
    for_each = try([coalesce(each.value.concurrency, local.settings.concurrency)], [])
    content { maximum_concurrency = scaling_config.value }
  }
}
