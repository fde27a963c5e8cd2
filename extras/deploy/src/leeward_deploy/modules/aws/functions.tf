# A function for each handler, and one that answers for the health where the app has a domain.

locals {
  health = { for entrance in local.entrance : "leeward-health" => merge(local.no_handler, {
    kind   = "health", name = local.facts.aws.health, seconds = 10,
    rights = merge(local.no_rights, local.facts.warm)
  }) }
  functions = merge(local.handlers, local.health)

  own_name = merge(local.function_name, { for name, health in local.health : name => health.name })

  # What is reserved for a consumer would starve the others: its limit is at its queue.
  reserved = { for name, handler in local.functions : name => handler.queue != null ? null : try(coalesce(
    handler.concurrency,
    handler.kind == "health" ? null : local.settings.limit,
    contains(["call", "health"], handler.kind) && !local.serves ? local.settings.standby_instances : null,
  ), null) }
}

resource "aws_cloudwatch_log_group" "function" {
  for_each          = local.functions
  region            = var.region
  tags              = local.tags
  name              = "/aws/lambda/${local.own_name[each.key]}"
  retention_in_days = local.log_days
}

resource "aws_lambda_function" "function" {
  for_each                       = local.functions
  region                         = var.region
  tags                           = local.tags
  function_name                  = local.own_name[each.key]
  description                    = "${each.key} of the app ${local.facts.app}"
  handler                        = "handler.lambda_handler"
  runtime                        = "python${local.facts.python}"
  architectures                  = [local.facts.arch]
  memory_size                    = coalesce(each.value.memory, local.memory)
  timeout                        = each.value.seconds
  role                           = each.value.role == null ? aws_iam_role.role[each.key].arn : each.value.role
  filename                       = var.package
  source_code_hash               = filebase64sha256(var.package)
  reserved_concurrent_executions = local.reserved[each.key]

  environment {
    variables = merge(
      { LEEWARD_FUNCTION = each.key },
      local.facts.order == "" ? {} : { CLOUD_PROVIDER = local.facts.order },
      local.facts.stage == "" ? {} : { LEEWARD_STAGE = local.facts.stage },
    )
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.function[each.key].name
  }

  dynamic "tracing_config" {
    for_each = local.tracing ? [true] : []
    content { mode = "Active" }
  }

  depends_on = [aws_iam_role_policy.role] # a trigger is refused if the role may not read it
}

resource "aws_lambda_function_event_invoke_config" "function" {
  for_each               = local.handlers
  region                 = var.region
  function_name          = aws_lambda_function.function[each.key].function_name
  maximum_retry_attempts = each.value.retries

  dynamic "destination_config" {
    for_each = local.dead_letters[each.value.dead_letters].ordered ? [] : [true] # Lambda takes none with an order
    content {
      on_failure { destination = aws_sqs_queue.dead[each.value.dead_letters].arn }
    }
  }
}
