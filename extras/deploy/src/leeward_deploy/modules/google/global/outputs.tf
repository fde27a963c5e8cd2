# What the rest of a project may need, by logical names.

output "topics" {
  description = "ids of topics: of buses, and of queues"
  value = {
    buses  = { for name, topic in google_pubsub_topic.bus : name => topic.id }
    queues = { for name, topic in google_pubsub_topic.queue : name => topic.id }
  }
}

output "addresses" {
  description = "the address of the load balancer of each region"
  value       = { for region, address in google_compute_global_address.region : region => address.address }
}

output "accounts" {
  description = "emails of the accounts of functions and workflows"
  value       = { functions = local.account, flows = local.flow_account }
}

# Nothing here refers to what is in a region, so that one can be planned while another one is down.
output "for_regions" {
  description = "what a region needs of the app"
  value = {
    facts       = local.facts
    title       = local.title
    project     = var.project
    labels      = local.labels
    functions   = local.functions
    flows       = local.flows_here
    sources     = { for name, flow in local.flows_here : name => split("@@", file("${dirname(var.facts)}/${flow.file}")) }
    accounts    = local.account
    flow_emails = local.flow_account
    push        = google_service_account.push.email
    entrance    = local.entrance
    policy      = { for name, policy in google_compute_security_policy.health : name => policy.id }
    address     = { for region, address in google_compute_global_address.region : region => address.id }
  }
}
