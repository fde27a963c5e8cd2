# What each function may do: a role of its own, with what its handler uses and nothing else.

locals {
  # What a right allows, by its verb in the facts. After a lost answer an item is looked at.
  table_actions = {
    reads   = ["dynamodb:GetItem", "dynamodb:Query"]
    stores  = ["dynamodb:GetItem", "dynamodb:PutItem"]
    removes = ["dynamodb:GetItem", "dynamodb:DeleteItem"]
    writes  = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:Query"]
    scans   = ["dynamodb:Scan"]
  }
  object_actions = {
    gets    = ["s3:GetObject"]
    puts    = ["s3:GetObject", "s3:PutObject"]
    deletes = ["s3:DeleteObject"]
  }

  # A call may fail over to another region, so it is allowed in all of them.
  callee = merge(local.facts.functions, local.facts.handlers)
  callee_arns = { for name, function in local.callee : name => distinct([for region in local.regions :
    startswith(try(function.names[region], function.name), "arn:") ? try(function.names[region], function.name) :
    "arn:${local.partition}:lambda:${region}:${local.account}:function:${try(function.names[region], function.name)}"
  ]) }
  queue_arns = { for name, queue in local.queues : name => distinct([for region in local.regions :
    "arn:${local.partition}:sqs:${region}:${local.account}:${try(queue.names[region], queue.name)}"
  ]) }
  bus_arns = { for name, bus in local.buses : name => distinct([for region in local.regions :
    startswith(try(bus.names[region], bus.name), "arn:") ? try(bus.names[region], bus.name) :
    "arn:${local.partition}:events:${region}:${local.account}:event-bus/${try(bus.names[region], bus.name)}"
  ]) }
  machine_arns = { for name, flow in local.flows : name => distinct([for region in local.regions :
    startswith(flow.name, "arn:") ? flow.name :
    "arn:${local.partition}:states:${region}:${local.account}:stateMachine:${flow.name}"
  ]) }

  own_roles = { for name, function in local.functions : name => function if function.role == null }

  statements = { for name, function in local.own_roles : name => [for right in concat(
    # Its log, its traces, its queue and its dead letters.
    [
      {
        actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
        on      = ["arn:${local.partition}:logs:${local.here}:log-group:/aws/lambda/${local.own_name[name]}:*"]
      },
      # X-Ray knows no right that is narrower.
      { actions = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], on = local.tracing ? ["*"] : [] },
      {
        actions = concat(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        function.gives_up ? ["sqs:ChangeMessageVisibility", "sqs:GetQueueUrl"] : [])
        on = function.queue == null ? [] : [local.queue_arn[function.queue]]
      },
      {
        actions = concat(["sqs:SendMessage"], function.gives_up ? ["sqs:GetQueueUrl"] : [])
        on      = function.kind == "health" ? [] : [local.dead_arn[function.dead_letters]]
      },
    ],
    # What its code uses.
    [for verb, actions in local.table_actions : {
      actions = actions, on = [for table in function.rights[verb] : local.table_arn[table]]
    }],
    [for verb, actions in local.object_actions : {
      actions = actions
      on      = [for place in function.rights[verb] : "${local.bucket_arn[place.bucket]}/${place.prefix}*"]
    }],
    [
      {
        # Without it, S3 does not say of an object that it is not there.
        actions = ["s3:ListBucket"]
        on = distinct([for place in concat(function.rights.gets, function.rights.puts, function.rights.deletes) :
        local.bucket_arn[place.bucket]])
      },
      {
        actions = ["events:PutEvents", "events:DescribeEventBus"]
        on      = flatten([for bus in function.rights.publishes : local.bus_arns[bus]])
      },
      {
        actions = ["lambda:InvokeFunction"]
        on      = flatten([for callee in function.rights.calls : local.callee_arns[callee]])
      },
      {
        actions = ["sqs:SendMessage", "sqs:GetQueueUrl"]
        on      = flatten([for queue in function.rights.sends : local.queue_arns[queue]])
      },
      {
        actions = ["states:StartExecution"]
        on      = flatten([for flow in function.rights.starts : local.machine_arns[flow]])
      },
      {
        actions = ["states:DescribeExecution", "states:StopExecution"]
        on = [for arn in flatten([for flow in function.rights.starts : local.machine_arns[flow]]) :
        "${replace(arn, ":stateMachine:", ":execution:")}:*"]
      },
      {
        # A machine is found by its name among all of a region.
        actions = ["states:ListStateMachines"]
        on = length(function.rights.starts) == 0 ? [] : [for region in local.regions :
        "arn:${local.partition}:states:${region}:${local.account}:stateMachine:*"]
      },
    ],
  ) : { Effect = "Allow", Action = right.actions, Resource = right.on } if length(right.on) > 0] }

  # Those of functions, and those by which schedules and workflows call them.
  roles = merge(
    { for name in keys(local.own_roles) : name => {
      name = "${name}-role", service = "lambda", trust = {}, statements = local.statements[name]
    } },
    { for name, handler in local.schedules : "schedule/${name}" => {
      name = "${name}-schedule-role", service = "scheduler", trust = local.own_account
      statements = [
        {
          Effect   = "Allow", Action = ["lambda:InvokeFunction"]
          Resource = ["arn:${local.partition}:lambda:${local.here}:function:${local.own_name[name]}"]
        },
        { Effect = "Allow", Action = ["sqs:SendMessage"], Resource = [local.dead_arn[handler.dead_letters]] },
      ]
    } },
    { for name, flow in local.flows_here : "flow/${name}" => {
      name = "${name}-machine-role", service = "states", trust = local.own_account
      statements = concat(
        [{
          Effect = "Allow", Action = ["lambda:InvokeFunction"]
          Resource = [for callee in flow.calls : startswith(local.callee[callee].name, "arn:") ? local.callee[callee].name :
            "arn:${local.partition}:lambda:${local.here}:function:${try(local.callee[callee].names[var.region], local.callee[callee].name)}"
          ]
        }],
        local.tracing ? [{
          Effect = "Allow", Resource = ["*"]
          Action = ["xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"]
        }] : [],
      )
    } },
  )
  own_account = { Condition = { StringEquals = { "aws:SourceAccount" = local.account } } }
}

resource "aws_iam_role" "role" {
  for_each             = local.roles
  tags                 = local.tags
  name                 = local.short["${local.title}${each.value.name}-${var.region}"]
  permissions_boundary = local.boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [merge(each.value.trust, {
      Effect = "Allow", Principal = { Service = "${each.value.service}.amazonaws.com" }, Action = "sts:AssumeRole"
    })]
  })
}

resource "aws_iam_role_policy" "role" {
  for_each = local.roles
  name     = "leeward"
  role     = aws_iam_role.role[each.key].name
  policy   = jsonencode({ Version = "2012-10-17", Statement = each.value.statements })

  lifecycle {
    precondition {
      condition     = length(jsonencode(each.value.statements)) < 10200
      error_message = "The role of ${each.key} would have a policy of more than 10,240 characters, which IAM does not take: name less in leeward.toml, or make two apps."
    }
  }
}
