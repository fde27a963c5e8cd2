# A dashboard for this region: each panel is one metric of everything of one kind, in parts of 40
# lines, which a person can tell apart.

locals {
  # Of each kind: what its metrics are called by, and its lines.
  drawn = {
    functions = {
      namespace = "AWS/Lambda", by = ["FunctionName"]
      lines     = [for name in keys(local.functions) : { label = name, value = local.own_name[name] }]
    }
    handlers = {
      namespace = coalesce(local.settings.metrics, "-"), by = ["service.name", local.facts.app, "faas.name"]
      lines     = [for name in keys(local.functions) : { label = name, value = name } if local.settings.metrics != null]
    }
    queues = {
      namespace = "AWS/SQS", by = ["QueueName"]
      lines     = [for name in keys(local.queues_here) : { label = name, value = local.queue_name[name] }]
    }
    dead = {
      namespace = "AWS/SQS", by = ["QueueName"]
      lines     = [for name, queue in local.dead_letters : { label = name, value = queue.name }]
    }
    tables = {
      namespace = "AWS/DynamoDB", by = ["TableName"]
      lines     = [for name, table in local.tables_here : { label = name, value = table.name }]
    }
    flows = {
      namespace = "AWS/States", by = ["StateMachineArn"]
      lines     = [for name, machine in aws_sfn_state_machine.flow : { label = name, value = machine.arn }]
    }
    checks = {
      namespace = "AWS/Route53", by = ["HealthCheckId"]
      lines     = [for check in aws_route53_health_check.region : { label = var.region, value = check.id }]
    }
  }

  panels = [
    { of = "functions", title = "Runs", metric = "Invocations", stat = "Sum" },
    { of = "functions", title = "Errors", metric = "Errors", stat = "Sum" },
    { of = "functions", title = "Throttles", metric = "Throttles", stat = "Sum" },
    { of = "functions", title = "Duration, 99 % [ms]", metric = "Duration", stat = "p99" },
    { of = "functions", title = "Runs at one time", metric = "ConcurrentExecutions", stat = "Maximum" },
    { of = "functions", title = "Asynchronous calls: age [ms]", metric = "AsyncEventAge", stat = "Maximum" },
    { of = "handlers", title = "Handlers: runs that went well", metric = "faas.invocations", stat = "Sum" },
    { of = "handlers", title = "Handlers: failures", metric = "faas.errors", stat = "Sum" },
    { of = "handlers", title = "Handlers: cold starts", metric = "faas.coldstarts", stat = "Sum" },
    { of = "handlers", title = "Handlers: duration, 99 % [s]", metric = "faas.invoke_duration", stat = "p99" },
    { of = "queues", title = "Messages that wait", metric = "ApproximateNumberOfMessagesVisible", stat = "Maximum" },
    { of = "queues", title = "Age of the oldest message [s]", metric = "ApproximateAgeOfOldestMessage", stat = "Maximum" },
    { of = "queues", title = "Messages under way", metric = "ApproximateNumberOfMessagesNotVisible", stat = "Maximum" },
    { of = "dead", title = "Dead letters", metric = "ApproximateNumberOfMessagesVisible", stat = "Maximum" },
    { of = "tables", title = "Tables: throttled requests", metric = "ThrottledRequests", stat = "Sum" },
    { of = "tables", title = "Tables: reads [units]", metric = "ConsumedReadCapacityUnits", stat = "Sum" },
    { of = "tables", title = "Tables: writes [units]", metric = "ConsumedWriteCapacityUnits", stat = "Sum" },
    { of = "tables", title = "Tables: refused conditions", metric = "ConditionalCheckFailedRequests", stat = "Sum" },
    { of = "flows", title = "Workflow runs that failed", metric = "ExecutionsFailed", stat = "Sum" },
    { of = "flows", title = "Workflow runs that were too slow", metric = "ExecutionsTimedOut", stat = "Sum" },
    { of = "checks", title = "Health checks: 1 is well", metric = "HealthCheckStatus", stat = "Minimum" },
  ]

  widgets = flatten([for panel in local.panels : [for lines in chunklist(local.drawn[panel.of].lines, 40) : {
    title  = panel.title
    region = panel.of == "checks" ? "us-east-1" : var.region # where Route 53 has its metrics
    metrics = [for line in lines : concat(
      [local.drawn[panel.of].namespace, panel.metric], local.drawn[panel.of].by, [line.value, { stat = panel.stat, label = line.label }],
    )]
  }]])
}

resource "aws_cloudwatch_dashboard" "dashboard" {
  region         = var.region
  dashboard_name = "${substr(replace("${local.facts.prefix}${local.facts.app}", "/[^A-Za-z0-9_-]/", "-"), 0, 200)}-${var.region}"

  dashboard_body = jsonencode({
    start = "-PT3H"
    widgets = concat(
      [for place, widget in local.widgets : {
        type       = "metric"
        x          = place % 3 * 8
        y          = floor(place / 3) * 6
        width      = 8
        height     = 6
        properties = { title = widget.title, view = "timeSeries", region = widget.region, period = 60, metrics = widget.metrics }
      }],
      [for place, arns in chunklist([for key, alarm in aws_cloudwatch_metric_alarm.alarm : alarm.arn if key != "health"], 100) : {
        type       = "alarm"
        x          = 0
        y          = (ceil(length(local.widgets) / 3) + place) * 6
        width      = 24
        height     = 6
        properties = { title = "Alarms", alarms = arns }
      }],
    )
  })
}
