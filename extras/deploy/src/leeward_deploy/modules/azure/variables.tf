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

variable "resource_group" {
  description = "the name of the resource group, which is there"
  type        = string
}

variable "published" {
  description = "true once the code has been published: Event Grid subscribes to functions that are there"
  type        = bool
  default     = false
}

variable "apps" {
  description = "names of function apps, by region; they are part of URLs. One that is left out follows from the app"
  type        = map(string)
  default     = {}
}

variable "storage_accounts" {
  description = "names of the apps' storage accounts, by region: 3 to 24 lower-case letters and digits. One that is left out follows from the app"
  type        = map(string)
  default     = {}
}

variable "storage_replication" {
  description = "of the storage account, which cannot be changed later; empty for ZRS where the region has zones, else LRS"
  type        = string
  default     = ""

  validation {
    condition     = contains(["", "LRS", "ZRS", "GRS", "GZRS"], var.storage_replication)
    error_message = "It must be LRS, ZRS, GRS or GZRS."
  }
}

variable "cosmos_account" {
  description = "the account of Cosmos DB with the tables, if leeward.toml names no cosmos_endpoint"
  type        = string
  default     = ""
}

variable "cosmos_database" {
  description = "the database with the tables, if leeward.toml names no cosmos_database"
  type        = string
  default     = ""
}

variable "service_bus_namespaces" {
  description = "namespaces of Service Bus, by the setting that leads to each"
  type        = map(string)
  default     = {}
}

variable "action_group" {
  description = "the id of the action group that alerts go to; without one they only show in Azure Monitor"
  type        = string
  default     = ""
}

variable "max_instances" {
  description = "instances at most of each function of a queue, and of those called by HTTP together"
  type        = number
  default     = 100

  validation {
    condition     = var.max_instances >= 1 && var.max_instances <= 1000
    error_message = "It must be 1 to 1000."
  }
}

variable "tags" {
  description = "more tags, besides those of [deploy]"
  type        = map(string)
  default     = {}
}

variable "memory" {
  description = "megabytes of an instance: 512, 2048 or 4096; null for the least that [deploy] and the handlers fit in"
  type        = number
  default     = null
}

variable "log_days" {
  description = "days that logs are kept, 30 to 730; null for that of [deploy]"
  type        = number
  default     = null
}

variable "tracing" {
  description = "whether Application Insights takes logs and traces; null for that of [deploy]"
  type        = bool
  default     = null
}

variable "alarms" {
  description = "whether alerts are made; null for that of [deploy]"
  type        = bool
  default     = null
}
