# What you may set. leeward.toml and the app say the rest, in facts.json.

variable "project" {
  description = "the id of the project"
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

variable "labels" {
  description = "more labels of everything, besides the tags of [deploy]"
  type        = map(string)
  default     = {}
}

variable "log_days" {
  description = "days that logs are kept; null for that of [deploy]"
  type        = number
  default     = null
}

variable "alarms" {
  description = "whether alerts are made; null for that of [deploy]"
  type        = bool
  default     = null
}

variable "notification_channels" {
  description = "the ids of the channels that alerts go to; without one they only show in Cloud Monitoring"
  type        = list(string)
  default     = []
}
