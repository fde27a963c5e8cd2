variable "facts" {
  description = "the path of facts.json"
  type        = string
}

variable "apps" {
  description = "the outputs of the module of each region, by region"
  type        = any
}

variable "resource_group" {
  description = "the name of the resource group, which is there"
  type        = string
}

variable "profile" {
  description = "the name of the Traffic Manager, which is part of its URL; empty for that of the app"
  type        = string
  default     = ""
}

variable "key_vault_certificate" {
  description = "the id of the secret in Key Vault that has the certificate for the domain; needed if there is a domain"
  type        = string
  default     = ""
}

variable "action_group" {
  description = "the id of the action group that alerts go to"
  type        = string
  default     = ""
}

variable "tags" {
  description = "more tags, besides those of [deploy]"
  type        = map(string)
  default     = {}
}
