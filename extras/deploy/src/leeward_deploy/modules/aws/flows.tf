# Workflows, as state machines; their roles are in rights.tf. In a definition, a logical name of a function stands between @@.

resource "aws_sfn_state_machine" "flow" {
  for_each = local.flows_here
  region   = var.region
  tags     = local.tags
  name     = local.machine_name[each.key]
  type     = "STANDARD"
  role_arn = aws_iam_role.role["flow/${each.key}"].arn

  definition = join("", [for place, text in split("@@", file("${dirname(var.facts)}/${each.value.file}")) :
    place % 2 == 0 ? text : try(local.callee[text].names[var.region], local.callee[text].name)
  ])

  dynamic "tracing_configuration" {
    for_each = local.tracing ? [true] : []
    content { enabled = true }
  }
}
