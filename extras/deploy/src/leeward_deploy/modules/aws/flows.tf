# Workflows, as state machines. In a definition, a logical name of a function stands between @@.

resource "aws_sfn_state_machine" "flow" {
  for_each = local.flows_here
  region   = var.region
  tags     = local.tags
  name     = local.machine_name[each.key]
  type     = "STANDARD"
  role_arn = aws_iam_role.flow[each.key].arn

  definition = join("", [for place, text in split("@@", file("${dirname(var.facts)}/${each.value.file}")) :
    place % 2 == 0 ? text : try(local.callee[text].names[var.region], local.callee[text].name)
  ])

  dynamic "tracing_configuration" {
    for_each = local.tracing ? [true] : []
    content {
      enabled = true
    }
  }
}

resource "aws_iam_role" "flow" {
  for_each             = local.flows_here
  tags                 = local.tags
  name                 = local.short["${local.title}${each.key}-machine-role-${var.region}"]
  permissions_boundary = local.boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "states.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "flow" {
  for_each = local.flows_here
  name     = "leeward"
  role     = aws_iam_role.flow[each.key].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Effect = "Allow"
        Action = ["lambda:InvokeFunction"]
        Resource = [for callee in each.value.calls : startswith(local.callee[callee].name, "arn:") ? local.callee[callee].name :
          "arn:${local.partition}:lambda:${local.here}:function:${try(local.callee[callee].names[var.region], local.callee[callee].name)}"
        ]
      }],
      local.tracing ? [{
        Effect   = "Allow"
        Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"]
        Resource = ["*"]
      }] : [],
    )
  })
}
