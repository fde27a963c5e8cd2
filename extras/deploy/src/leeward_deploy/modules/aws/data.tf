# Tables and buckets in their home, and buses in each region. DynamoDB refuses to delete a table of
# these, and S3 a bucket that holds something, even if the call of the module is gone.

resource "aws_dynamodb_table" "table" {
  for_each                    = local.tables_here
  region                      = var.region
  tags                        = local.tags
  name                        = each.value.name
  hash_key                    = each.value.key[0]
  range_key                   = try(each.value.key[1], null)
  billing_mode                = "PAY_PER_REQUEST"
  deletion_protection_enabled = true

  dynamic "attribute" {
    for_each = each.value.key
    content {
      name = attribute.value
      type = "S"
    }
  }

  ttl {
    attribute_name = "_leeward_expires"
    enabled        = true
  }

  point_in_time_recovery { enabled = true }

  lifecycle { prevent_destroy = true }
}

resource "aws_s3_bucket" "bucket" {
  for_each = local.buckets_here
  region   = var.region
  tags     = local.tags
  bucket   = each.value.name

  lifecycle { prevent_destroy = true }
}

resource "aws_s3_bucket_versioning" "bucket" {
  for_each = local.buckets_here
  region   = var.region
  bucket   = aws_s3_bucket.bucket[each.key].bucket

  versioning_configuration { status = "Enabled" }

  lifecycle { prevent_destroy = true }
}

resource "aws_s3_bucket_lifecycle_configuration" "bucket" {
  for_each = local.buckets_here
  region   = var.region
  bucket   = aws_s3_bucket.bucket[each.key].bucket

  rule {
    id     = "retention"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration { noncurrent_days = local.settings.retention_days }

    abort_incomplete_multipart_upload { days_after_initiation = 7 }
  }
}

resource "aws_s3_bucket_public_access_block" "bucket" {
  for_each                = local.buckets_here
  region                  = var.region
  bucket                  = aws_s3_bucket.bucket[each.key].bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_cloudwatch_event_bus" "bus" {
  for_each = local.buses_here
  region   = var.region
  tags     = local.tags
  name     = local.bus_name[each.key]

  lifecycle { prevent_destroy = true }
}
