"""What real gateways, platforms and frameworks answer instead of a function, and what it means.

Nothing in such an answer says whether it was given before the function began, or after: each may be
what a rule of the gateway's makes of a call that has run (``error_page``, a custom error page, a
timeout). So there are two kinds. What refuses this request alone stays where it is, and the caller
is told that it may have run; what says nothing of the request moves by effect.

Sources: the pages of each product on its error answers, and its source where that is open.
"""

from __future__ import annotations

import json
from typing import Final, Literal, NamedTuple

from leeward._http.messages import Response

Kind = Literal["stays", "by effect"]
STAYS: Final[Kind] = "stays"
"""APP_ERROR, `ran` is ``maybe``: neither an unsafe call nor an idempotent one moves."""
MOVES: Final[Kind] = "by effect"
"""AMBIGUOUS: an idempotent call moves, an unsafe one is `OutcomeUnknown`."""

HTML: Final = {"content-type": "text/html"}
TEXT: Final = {"content-type": "text/plain"}
JSON: Final = {"content-type": "application/json"}


class Refusal(NamedTuple):
    """An answer that a gateway gives by itself.

    Attributes:
        gateway: who gives it, and when.
        status: of HTTP.
        headers: that it has.
        body: of it.
        kind: what leeward makes of it.
    """

    gateway: str
    status: int
    headers: dict[str, str]
    body: bytes
    kind: Kind

    def response(self) -> Response:
        """Return it as the wire gives it."""
        return Response(self.status, dict(self.headers), self.body)


def _json(gateway: str, status: int, document: object, kind: Kind, **headers: str) -> Refusal:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return Refusal(gateway, status, JSON | sent, json.dumps(document).encode(), kind)


def _page(gateway: str, status: int, title: str, kind: Kind, **headers: str) -> Refusal:
    body = f"<html>\r\n<head><title>{title}</title></head>\r\n<body><h1>{title}</h1></body></html>"
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return Refusal(gateway, status, HTML | sent, body.encode(), kind)


def _text(gateway: str, status: int, text: str, kind: Kind, **headers: str) -> Refusal:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return Refusal(gateway, status, (TEXT if text else {}) | sent, text.encode(), kind)


def _login(gateway: str, status: int, location: str) -> Refusal:
    return Refusal(gateway, status, {**HTML, "location": location}, b"", STAYS)


def _apigee(gateway: str, status: int, code: str, kind: Kind) -> Refusal:
    return _json(
        gateway, status, {"fault": {"faultstring": "x", "detail": {"errorcode": code}}}, kind
    )


_FORBIDDEN: Final = {"x_amzn_errortype": "ForbiddenException"}

REFUSALS: Final = (
    # AWS
    _json("API Gateway REST, no token", 401, {"message": "Unauthorized"}, STAYS,
          x_amzn_errortype="UnauthorizedException"),
    _json("API Gateway REST, no API key", 403, {"message": "Forbidden"}, STAYS, **_FORBIDDEN),
    _json("API Gateway REST, no such route", 403, {"message": "Missing Authentication Token"},
          STAYS, x_amzn_errortype="MissingAuthenticationTokenException"),
    _json("API Gateway REST, WAF", 403, {"message": "Forbidden"}, STAYS, **_FORBIDDEN),
    _json("API Gateway REST, validator", 400, {"message": "Invalid request body"}, STAYS),
    _json("API Gateway REST, too large", 413, {"message": "Request Too Long"}, STAYS,
          x_amzn_errortype="RequestTooLargeException"),
    _json("API Gateway REST, media type", 415, {"message": "Unsupported Media Type"}, STAYS),
    _json("API Gateway REST, throttled", 429, {"message": "Too Many Requests"}, MOVES,
          x_amzn_errortype="TooManyRequestsException"),
    _json("API Gateway REST, quota", 429, {"message": "Limit Exceeded"}, MOVES,
          x_amzn_errortype="LimitExceededException"),
    _json("API Gateway REST, authorizer failed", 500, {"message": None}, MOVES,
          x_amzn_errortype="AuthorizerConfigurationException"),
    _json("API Gateway REST, malformed Lambda answer", 502, {"message": "Internal server error"},
          MOVES, x_amzn_errortype="InternalServerErrorException"),
    _json("API Gateway REST, busy", 503, {"message": "Service Unavailable"}, MOVES),
    _json("API Gateway REST, integration timed out", 504, {"message": "Endpoint request timed out"},
          MOVES, x_amzn_errortype="InternalServerErrorException"),
    _json("API Gateway HTTP, JWT", 401, {"message": "Unauthorized"}, STAYS,
          www_authenticate="Bearer", apigw_requestid="a="),
    _json("API Gateway HTTP, no route", 404, {"message": "Not Found"}, STAYS),
    _json("API Gateway HTTP, throttled", 429, {"message": "Too Many Requests"}, MOVES),
    _json("API Gateway HTTP, function failed", 500, {"message": "Internal Server Error"}, MOVES),
    _json("API Gateway HTTP, no connection", 503, {"message": "Service Unavailable"}, MOVES),
    _page("ALB, bad request", 400, "400 Bad Request", STAYS, server="awselb/2.0"),
    _login("ALB, OIDC", 302, "https://login.example/authorize"),
    _page("ALB, target gave nonsense", 502, "502 Bad Gateway", MOVES, server="awselb/2.0"),
    _page("ALB, no target", 503, "503 Service Temporarily Unavailable", MOVES, server="awselb/2.0"),
    _page("ALB, target timed out", 504, "504 Gateway Time-out", MOVES, server="awselb/2.0"),
    _json("Lambda URL, IAM", 403, {"Message": "Forbidden"}, STAYS,
          x_amzn_errortype="AccessDeniedException"),
    _json("Lambda URL, throttled", 429, {"Message": "Rate Exceeded."}, MOVES),
    _text("Lambda URL, function failed", 502, "Internal Server Error", MOVES),
    _page("CloudFront, blocked", 403, "ERROR: The request could not be satisfied", STAYS,
          x_cache="Error from cloudfront"),
    _page("CloudFront, origin timed out", 504, "ERROR: The request could not be satisfied", MOVES,
          x_cache="Error from cloudfront"),
    # Azure
    _json("API Management, no key", 401, {"statusCode": 401, "message": "Access denied"}, STAYS),
    _json("API Management, quota", 403, {"statusCode": 403, "message": "Out of call volume quota"},
          STAYS),
    _json("API Management, no operation", 404, {"statusCode": 404, "message": "Resource not found"},
          STAYS),
    _json("API Management, rate limit", 429,
          {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 7 seconds."}, MOVES,
          retry_after="7"),
    _json("API Management, backend failed", 500,
          {"statusCode": 500, "message": "Internal server error", "activityId": "a"}, MOVES),
    _text("API Management, backend timed out", 504, "", MOVES),
    _page("Front Door, WAF", 403, "The request is blocked.", STAYS, x_azure_ref="r"),
    _page("Front Door, origin away", 503, "Our services aren't available right now", MOVES,
          x_azure_ref="r"),
    _page("Application Gateway, WAF", 403, "403 Forbidden", STAYS,
          server="Microsoft-Azure-Application-Gateway/v2"),
    _page("Application Gateway, no backend", 502, "502 Bad Gateway", MOVES,
          server="Microsoft-Azure-Application-Gateway/v2"),
    _login("EasyAuth, login", 302, "https://login.microsoftonline.com/common/oauth2/authorize"),
    _text("EasyAuth, no token", 401, "", STAYS, www_authenticate='Bearer realm="shop"'),
    _text("EasyAuth, not allowed", 403, "", STAYS),
    _page("App Service, stopped", 403, "Web App - Unavailable", STAYS),
    _page("App Service, process died", 502, "502 Bad Gateway", MOVES),
    _page("App Service, starting", 503, "Service Unavailable", MOVES),
    _page("App Service, 230 seconds", 500, "500 - The request timed out.", MOVES),
    # Google
    _page("GFE, no backend", 404, "Error 404 (Not Found)!!1", STAYS),
    _page("GFE, too large", 413, "Error 413 (Request Entity Too Large)!!1", STAYS),
    _page("GFE, backend failed", 502, "502 Server Error", MOVES),
    _text("External load balancer, backend timed out", 504, "upstream request timeout", MOVES),
    _page("Cloud Run, not allowed", 403, "403 Forbidden", STAYS, server="Google Frontend"),
    _text("Cloud Run, no instance", 429, "Rate exceeded.", MOVES),
    _text("Cloud Run, container died", 503, "Service Unavailable", MOVES),
    _text("Cloud Run, out of time", 504, "upstream request timeout", MOVES),
    _login("IAP, login", 302, "https://accounts.google.com/o/oauth2/v2/auth"),
    _text("IAP, token", 401, "Invalid IAP credentials: empty token", STAYS,
          x_goog_iap_generated_response="true"),
    _json("Cloud Endpoints (ESPv2), no key", 401,
          {"code": 401, "message": "UNAUTHENTICATED: Method doesn't allow unregistered callers"},
          STAYS),
    _json("Cloud Endpoints (ESPv2), no route", 404,
          {"code": 404, "message": "The current request is not defined by this API."}, STAYS),
    _json("Cloud Endpoints (ESPv2), quota", 429, {"code": 429, "message": "Quota exceeded"}, MOVES),
    _json("Cloud Endpoints (ESPv2), backend away", 503,
          {"code": 503, "message": "upstream connect error or disconnect/reset before headers"},
          MOVES),
    _apigee("Apigee, token", 401, "oauth.v2.InvalidAccessToken", STAYS),
    _apigee("Apigee, no proxy", 404, "messaging.adaptors.http.flow.ApplicationNotFound", STAYS),
    _apigee("Apigee, quota", 429, "policies.ratelimit.QuotaViolation", MOVES),
    _apigee("Apigee, policy failed", 500, "steps.javascript.ScriptExecutionFailed", MOVES),
    _apigee("Apigee, target away", 503, "messaging.adaptors.http.flow.ServiceUnavailable", MOVES),
    _apigee("Apigee, target timed out", 504, "messaging.adaptors.http.flow.GatewayTimeout", MOVES),
    # Gateways and proxies that anybody runs
    _json("Kong, no key", 401, {"message": "No API key found in request"}, STAYS,
          www_authenticate='Key realm="kong"'),
    _json("Kong, ACL", 403, {"message": "You cannot consume this service"}, STAYS),
    _json("Kong, no route", 404, {"message": "no Route matched with those values"}, STAYS),
    _json("Kong, rate limit", 429, {"message": "API rate limit exceeded"}, MOVES, retry_after="9"),
    _json("Kong, upstream gave nonsense", 502,
          {"message": "An invalid response was received from the upstream server"}, MOVES),
    _json("Kong, no upstream", 503, {"message": "failure to get a peer from the ring-balancer"},
          MOVES),
    _json("Kong, upstream timed out", 504,
          {"message": "The upstream server is timing out"}, MOVES),
    _text("Traefik, no router", 404, "404 page not found\n", STAYS),
    _text("Traefik, no server", 503, "no available server\n", MOVES),
    _text("Traefik, server away", 502, "Bad Gateway", MOVES),
    _text("Traefik, client gone", 499, "Client Closed Request", STAYS),
    _page("HAProxy, denied", 403, "403 Forbidden", STAYS),
    _page("HAProxy, request too slow", 408, "408 Request Time-out", MOVES),
    _page("HAProxy, no server", 503, "503 Service Unavailable", MOVES),
    _page("HAProxy, server timed out", 504, "504 Gateway Time-out", MOVES),
    _page("nginx, denied", 403, "403 Forbidden", STAYS, server="nginx"),
    _page("nginx, method", 405, "405 Not Allowed", STAYS, server="nginx"),
    _page("nginx, too large", 413, "413 Request Entity Too Large", STAYS, server="nginx"),
    _page("nginx, limit_req", 503, "503 Service Temporarily Unavailable", MOVES, server="nginx"),
    _page("nginx, upstream died", 502, "502 Bad Gateway", MOVES, server="nginx"),
    _page("nginx, upstream timed out", 504, "504 Gateway Time-out", MOVES, server="nginx"),
    _login("nginx, error_page 504 =302", 302, "https://shop.example/sorry"),
    _text("Envoy, no route", 404, "", STAYS, server="envoy"),
    _text("Istio, RBAC", 403, "RBAC: access denied", STAYS, server="istio-envoy"),
    _text("Istio, JWT", 401, "Jwt is missing", STAYS, server="istio-envoy"),
    _text("Envoy, local rate limit", 429, "local_rate_limited", MOVES, server="envoy"),
    _text("Envoy, no upstream", 503, "no healthy upstream", MOVES, server="envoy"),
    _text("Envoy, upstream reset", 503, "upstream connect error or disconnect/reset before headers",
          MOVES, server="envoy"),
    _text("Envoy, route timed out", 504, "upstream request timeout", MOVES, server="envoy"),
    _text("Kubernetes ingress, default backend", 404, "default backend - 404", STAYS),
    # Content delivery networks
    _page("Cloudflare, challenge", 403, "Just a moment...", STAYS, cf_mitigated="challenge"),
    _text("Cloudflare, rate limit", 429, "error code: 1015", MOVES, server="cloudflare"),
    _text("Cloudflare, origin gave nonsense", 520, "error code: 520", MOVES, server="cloudflare"),
    _text("Cloudflare, origin away", 521, "error code: 521", MOVES, server="cloudflare"),
    _text("Cloudflare, origin timed out", 524, "error code: 524", MOVES, server="cloudflare"),
    _login("Cloudflare Access, login", 302, "https://shop.cloudflareaccess.com/cdn-cgi/access/login"),
    _page("Fastly, first byte timeout", 503, "503 first byte timeout", MOVES, x_served_by="cache"),
    _page("Fastly, unknown domain", 500, "Fastly error: unknown domain", MOVES),
    _page("Akamai, denied", 403, "Access Denied", STAYS, server="AkamaiGHost"),
    _page("Akamai, origin timed out", 504, "Gateway Timeout - In read", MOVES,
          server="AkamaiGHost"),
    # Frameworks, whose own words may come before a function, within it, or behind it
    _json("Spring, no route", 404, {"status": 404, "error": "Not Found", "path": "/charge"}, STAYS),
    _json("Spring, exception", 500, {"status": 500, "error": "Internal Server Error"}, MOVES),
    _login("Spring Security, login", 302, "/login"),
    _page("Express, no route", 404, "Error", STAYS, x_powered_by="Express"),
    _page("Express, exception", 500, "Error", MOVES, x_powered_by="Express"),
    _json("FastAPI, validation", 422, {"detail": [{"loc": ["body"], "msg": "x"}]}, STAYS),
    _text("FastAPI, exception", 500, "Internal Server Error", MOVES),
    _page("Django, CSRF", 403, "403 Forbidden", STAYS),
    _json("Rails, busy", 409, {"error": "conflict"}, STAYS),
)  # fmt: skip
