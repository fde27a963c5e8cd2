# What you may set. leeward.toml and the app say the rest, in facts.json.

variable "region" {
  description = "the region of this instance of the module"
  type        = string
}

variable "facts" {
  description = "the path of facts.json"
  type        = string
}

variable "retained" {
  description = "the path of retained.json: what the app does not name any more, and what holds data"
  type        = string
}

variable "package" {
  description = "the path of the zip that leeward package --target aws makes"
  type        = string
}

variable "certificate" {
  description = "the ARN of the certificate for the domain, in this region; needed if there is a domain"
  type        = string
  default     = ""
}

variable "alarm_topic" {
  description = "the ARN of the SNS topic, in this region, that alarms notify; empty for none"
  type        = string
  default     = ""
}

variable "health_topic" {
  description = "the ARN of the SNS topic in us-east-1 that alarms of health checks notify; empty for alarm_topic if this is us-east-1"
  type        = string
  default     = ""
}

variable "permissions_boundary" {
  description = "the ARN of the policy that bounds every role; empty for none"
  type        = string
  default     = ""
}

variable "tags" {
  description = "more tags, besides those of [deploy]"
  type        = map(string)
  default     = {}
}

variable "memory" {
  description = "megabytes of a function that names none; null for that of [deploy]"
  type        = number
  default     = null
}

variable "log_days" {
  description = "days that logs are kept; null for that of [deploy]"
  type        = number
  default     = null
}

variable "tracing" {
  description = "whether X-Ray traces runs; null for that of [deploy]"
  type        = bool
  default     = null
}

variable "alarms" {
  description = "whether alarms are made; null for that of [deploy]"
  type        = bool
  default     = null
}
