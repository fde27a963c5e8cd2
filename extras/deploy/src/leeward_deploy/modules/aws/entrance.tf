# For callers without leeward: an API in each region, its health check, and DNS that fails over. The
# API asks for tokens, or for signed requests, but for GET /health. Only if the app has a domain.

locals {
  called    = { for name, handler in local.handlers : name => handler if handler.kind == "call" && length(local.entrance) > 0 }
  routed    = merge(local.called, local.health)
  entrances = { for entrance in local.entrance : "api" => merge({ issuer = null, audience = [], logs = false }, entrance) }
  api_name  = replace(local.facts.prefix, "/-+$/", "") == "" ? local.facts.app : replace(local.facts.prefix, "/-+$/", "")
  has_token = { for name, entrance in local.entrances : name => entrance if entrance.issuer != null }
  has_log   = { for name, entrance in local.entrances : name => entrance if entrance.logs }
}

resource "aws_apigatewayv2_api" "api" {
  for_each      = local.entrances
  region        = var.region
  tags          = local.tags
  name          = local.api_name
  protocol_type = "HTTP"
}

resource "aws_cloudwatch_log_group" "api" {
  for_each          = local.has_log
  region            = var.region
  tags              = local.tags
  name              = "/aws/vendedlogs/apis/${local.api_name}"
  retention_in_days = local.log_days
}

resource "aws_apigatewayv2_authorizer" "tokens" {
  for_each         = local.has_token
  region           = var.region
  api_id           = aws_apigatewayv2_api.api["api"].id
  name             = "tokens"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = each.value.issuer
    audience = each.value.audience
  }
}

resource "aws_apigatewayv2_stage" "api" {
  for_each    = local.entrances
  region      = var.region
  tags        = local.tags
  api_id      = aws_apigatewayv2_api.api["api"].id
  name        = "$default"
  auto_deploy = true

  dynamic "access_log_settings" {
    for_each = local.has_log
    content {
      destination_arn = aws_cloudwatch_log_group.api["api"].arn
      format = jsonencode({
        requestId               = "$context.requestId"
        ip                      = "$context.identity.sourceIp"
        requestTime             = "$context.requestTime"
        routeKey                = "$context.routeKey"
        status                  = "$context.status"
        responseLength          = "$context.responseLength"
        integrationErrorMessage = "$context.integrationErrorMessage"
      })
    }
  }

  # Route 53 asks from about 16 places, each in 10 or 30 s.
  route_settings {
    route_key              = "GET /health"
    throttling_burst_limit = 50
    throttling_rate_limit  = 25
  }

  depends_on = [aws_apigatewayv2_route.api]
}

resource "aws_apigatewayv2_integration" "api" {
  for_each               = local.routed
  region                 = var.region
  api_id                 = aws_apigatewayv2_api.api["api"].id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.function[each.key].arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "api" {
  for_each           = local.routed
  region             = var.region
  api_id             = aws_apigatewayv2_api.api["api"].id
  route_key          = each.value.kind == "health" ? "GET /health" : "POST /${each.key}"
  authorization_type = each.value.kind == "health" ? "NONE" : length(local.has_token) > 0 ? "JWT" : "AWS_IAM"
  authorizer_id      = each.value.kind == "health" ? null : try(aws_apigatewayv2_authorizer.tokens["api"].id, null)
  target             = "integrations/${aws_apigatewayv2_integration.api[each.key].id}"
}

resource "aws_apigatewayv2_domain_name" "api" {
  for_each    = local.entrances
  region      = var.region
  tags        = local.tags
  domain_name = each.value.domain

  domain_name_configuration {
    certificate_arn = var.certificate
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "api" {
  for_each    = local.entrances
  region      = var.region
  api_id      = aws_apigatewayv2_api.api["api"].id
  domain_name = aws_apigatewayv2_domain_name.api["api"].domain_name
  stage       = aws_apigatewayv2_stage.api["api"].name
}

resource "aws_route53_health_check" "region" {
  for_each          = local.entrances
  tags              = local.tags
  type              = "HTTPS_STR_MATCH"
  fqdn              = "${aws_apigatewayv2_api.api["api"].id}.execute-api.${var.region}.${data.aws_partition.this.dns_suffix}"
  port              = 443
  resource_path     = "/health"
  search_string     = "\"status\":\"ok\""
  request_interval  = each.value.interval
  failure_threshold = each.value.failures
  enable_sni        = true
}

resource "aws_route53_record" "region" {
  for_each        = local.entrances
  zone_id         = each.value.zone
  name            = each.value.domain
  type            = "CNAME"
  ttl             = 60
  set_identifier  = var.region
  health_check_id = aws_route53_health_check.region["api"].id
  records         = [aws_apigatewayv2_domain_name.api["api"].domain_name_configuration[0].target_domain_name]

  failover_routing_policy { type = local.serves ? "PRIMARY" : "SECONDARY" }
}
