# partsweep on Tencent Cloud SCF, with Terraform. Build dist/scf.zip first: go run ./infra/package
# The function plans and aborts nothing until mode is "apply"; README.md says how to read the plan.

terraform {
  required_providers {
    tencentcloud = { source = "tencentcloudstack/tencentcloud" }
  }
}

variable "bucket" {
  description = "The bucket, with the account's APPID, as in media-1250000000"
  type        = string
}

variable "region" {
  type    = string
  default = "ap-guangzhou"
}

variable "mode" {
  description = "plan or apply"
  type        = string
  default     = "plan"
}

variable "role" {
  description = "The CAM role that SCF assumes, with policy.json"
  type        = string
  default     = "partsweep"
}

variable "ckafka" {
  description = "A CKafka topic on which your uploader says what failed, as INSTANCE-TOPIC; empty for none"
  type        = string
  default     = ""
}

locals {
  sweep = "cos://${var.bucket}?region=${var.region}&olderThan=48h"
}

resource "tencentcloud_scf_function" "partsweep" {
  name              = "partsweep"
  description       = "Aborts stale multipart uploads and says how many bytes came back"
  runtime           = "Go1"
  handler           = "main"
  zip_file          = "${path.module}/../../dist/scf.zip"
  mem_size          = 128
  timeout           = 900
  role              = var.role
  enable_public_net = true
  environment = {
    PARTSWEEP_BUCKETS = "cos://${var.bucket}?region=${var.region}"
    PARTSWEEP_MODE    = var.mode
    PARTSWEEP_MIN_AGE = "48h"
    PARTSWEEP_QUEUE   = "self" # a run whose time is up invokes the function again for the rest
  }
}

resource "tencentcloud_scf_trigger" "daily" {
  function_name   = tencentcloud_scf_function.partsweep.name
  namespace       = "default"
  type            = "timer"
  trigger_name    = "partsweep-daily"
  trigger_desc    = "0 17 3 * * * *"
  custom_argument = local.sweep
  enable          = "OPEN"
}

# An upload of a key was completed: what older attempts at the same key left is aborted.
resource "tencentcloud_scf_trigger" "completed" {
  function_name = tencentcloud_scf_function.partsweep.name
  namespace     = "default"
  type          = "cos"
  trigger_name  = "${var.bucket}.cos.${var.region}.myqcloud.com"
  trigger_desc = jsonencode({
    bucketUrl = "${var.bucket}.cos.${var.region}.myqcloud.com"
    event     = "cos:ObjectCreated:CompleteMultipartUpload"
    filter    = { Prefix = "", Suffix = "" }
  })
  enable = "OPEN"
}

# Your uploader says that an upload failed, on a topic. CMQ triggers are made in the console; the provider has none.
resource "tencentcloud_scf_trigger" "failed" {
  count         = var.ckafka == "" ? 0 : 1
  function_name = tencentcloud_scf_function.partsweep.name
  namespace     = "default"
  type          = "ckafka"
  trigger_name  = var.ckafka
  trigger_desc  = jsonencode({ maxMsgNum = "10", offset = "latest" })
  enable        = "OPEN"
}
