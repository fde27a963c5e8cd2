# What the rest of a project may need, by logical names.

output "functions" {
  description = "ARNs of functions"
  value       = { for name, function in aws_lambda_function.function : name => function.arn }
}

output "queues" {
  description = "URLs of queues, and of queues of dead letters"
  value       = { for name, queue in merge(aws_sqs_queue.queue, aws_sqs_queue.dead) : name => queue.url }
}

output "tables" {
  description = "ARNs of tables whose home is here"
  value       = { for name, table in aws_dynamodb_table.table : name => table.arn }
}

output "buckets" {
  description = "ARNs of buckets whose home is here"
  value       = { for name, bucket in aws_s3_bucket.bucket : name => bucket.arn }
}

output "buses" {
  description = "ARNs of buses"
  value       = { for name, bus in aws_cloudwatch_event_bus.bus : name => bus.arn }
}

output "state_machines" {
  description = "ARNs of workflows"
  value       = { for name, machine in aws_sfn_state_machine.flow : name => machine.arn }
}

output "api" {
  description = "the address of the API in this region; null without a domain"
  value       = try(aws_apigatewayv2_api.api["api"].api_endpoint, null)
}
