# What you may set of a region.

variable "region" {
  description = "the region of this instance of the module"
  type        = string
}

variable "global" {
  description = "the module global, with the facts, the accounts and the topics"
  type        = any
}

variable "package" {
  description = "the path of the zip that leeward package --target google makes"
  type        = string
}

variable "certificate" {
  description = "the id of the certificate of the load balancer; needed if there is a domain"
  type        = string
  default     = ""
}

variable "memory" {
  description = "megabytes of a function that names none; null for that of [deploy]"
  type        = number
  default     = null
}

variable "max_instances" {
  description = "instances of a function at most, where leeward.toml says nothing: each costs"
  type        = number
  default     = 100
}
