# What the rest of a project may need, by logical names.

output "functions" {
  description = "the address of each function; its callers need a token for it"
  value       = { for name, function in google_cloudfunctions2_function.function : name => function.service_config[0].uri }
}

output "workflows" {
  description = "ids of workflows"
  value       = { for name, flow in google_workflows_workflow.flow : name => flow.id }
}
