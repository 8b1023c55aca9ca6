# partsweep on AWS, with Terraform: what serverless.yml creates, for those who use this instead. Build the zip first:
#
#   go run ./infra/package
#   terraform -chdir=infra/terraform init
#   terraform -chdir=infra/terraform apply -var 'buckets=["videos","logs"]'
#
# It plans and aborts nothing until mode is "apply"; infra/aws/README.md says how to read the plan.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 5.80" }
  }
}

variable "buckets" {
  description = "The buckets that may be touched, by name"
  type        = list(string)
  validation {
    condition     = length(var.buckets) > 0
    error_message = "Name at least one bucket."
  }
}

variable "older_than" {
  description = "How long nothing must have happened to an upload"
  type        = string
  default     = "48h"
}

variable "mode" {
  description = "plan or apply"
  type        = string
  default     = "plan"
  validation {
    condition     = contains(["plan", "apply"], var.mode)
    error_message = "Write plan or apply."
  }
}

variable "rate" {
  description = "When the sweep ticks"
  type        = string
  default     = "rate(1 day)"
}

variable "cloud_trail" {
  description = "Act at once on failed multipart calls that CloudTrail logs as data events"
  type        = bool
  default     = false
}

variable "concurrency" {
  description = "Runs at once, at most; 0 switches the function off"
  type        = number
  default     = 5
}

variable "workers" {
  description = "Of them for the queue, at least 2"
  type        = number
  default     = 4
}

variable "log_days" {
  type    = number
  default = 30
}

variable "alarm_topics" {
  description = "ARNs of SNS topics that alarms go to"
  type        = list(string)
  default     = []
}

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  name    = "partsweep"
  timeout = 900
  zip     = "${path.module}/../../dist/lambda.zip"
  arns    = [for b in var.buckets : "arn:${data.aws_partition.this.partition}:s3:::${b}"]
}

resource "aws_sqs_queue" "dead" {
  name                      = "${local.name}-dead"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue" "work" {
  name                       = "${local.name}-work"
  message_retention_seconds  = 345600
  visibility_timeout_seconds = 6 * local.timeout
  sqs_managed_sse_enabled    = true
  redrive_policy             = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead.arn, maxReceiveCount = 5 })
}

resource "aws_sqs_queue_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.dead.arn
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.this.account_id } }
    }]
  })
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${local.name}"
  retention_in_days = var.log_days
}

resource "aws_iam_role" "this" {
  name = local.name
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "this" {
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "s3:ListBucketMultipartUploads", Resource = local.arns },
      { Effect = "Allow", Action = ["s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"], Resource = [for a in local.arns : "${a}/*"] },
      { Effect = "Allow", Action = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], Resource = aws_sqs_queue.work.arn },
      { Effect = "Allow", Action = "sqs:SendMessage", Resource = aws_sqs_queue.dead.arn },
      { Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = "${aws_cloudwatch_log_group.this.arn}:*" },
    ]
  })
}

resource "aws_lambda_function" "this" {
  function_name                  = local.name
  description                    = "Aborts stale multipart uploads and says how many bytes came back"
  role                           = aws_iam_role.this.arn
  runtime                        = "provided.al2023"
  architectures                  = ["arm64"]
  handler                        = "bootstrap"
  filename                       = local.zip
  source_code_hash               = filebase64sha256(local.zip)
  memory_size                    = 256
  timeout                        = local.timeout
  reserved_concurrent_executions = var.concurrency
  environment {
    variables = {
      PARTSWEEP_BUCKETS     = join(" ", [for b in var.buckets : "s3://${b}"])
      PARTSWEEP_MODE        = var.mode
      PARTSWEEP_MIN_AGE     = var.older_than
      PARTSWEEP_SQS_PARTIAL = "true"
      PARTSWEEP_QUEUE       = aws_sqs_queue.work.id
      PARTSWEEP_METRICS     = "emf"
    }
  }
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.this]
}

# A sweep that goes on through the queue is a loop to Lambda, which would stop it after some sixteen hops. The messages carry a
# hop counter and an expiry of their own.
resource "aws_lambda_function_recursion_config" "this" {
  function_name  = aws_lambda_function.this.function_name
  recursive_loop = "Allow"
}

resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  maximum_event_age_in_seconds = 21600
  maximum_retry_attempts       = 2
  destination_config {
    on_failure { destination = aws_sqs_queue.dead.arn }
  }
}

resource "aws_lambda_event_source_mapping" "work" {
  event_source_arn        = aws_sqs_queue.work.arn
  function_name           = aws_lambda_function.this.arn
  batch_size              = 1
  function_response_types = ["ReportBatchItemFailures"]
  scaling_config { maximum_concurrency = var.workers }
}

locals {
  rules = {
    daily = { schedule = var.rate, pattern = null, enabled = true, input = jsonencode({ sweep = "s3://*?olderThan=${var.older_than}" }) }
    # Your uploader says that an upload failed: PutEvents with this detail-type.
    failed = { schedule = null, pattern = jsonencode({ "detail-type" = ["Multipart Upload Failed"] }), enabled = true, input = null }
    # CloudTrail logs it, where a trail has data events of these buckets.
    trail = {
      schedule = null, enabled = var.cloud_trail, input = null
      pattern = jsonencode({
        source        = ["aws.s3"]
        "detail-type" = ["AWS API Call via CloudTrail"]
        detail = {
          eventSource = ["s3.amazonaws.com"]
          eventName   = ["CompleteMultipartUpload", "UploadPart"]
          errorCode   = [{ exists = true }]
        }
      })
    }
  }
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each            = local.rules
  name                = "${local.name}-${each.key}"
  schedule_expression = each.value.schedule
  event_pattern       = each.value.pattern
  state               = each.value.enabled ? "ENABLED" : "DISABLED"
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = local.rules
  rule     = aws_cloudwatch_event_rule.this[each.key].name
  arn      = aws_lambda_function.this.arn
  input    = each.value.input
  retry_policy {
    maximum_event_age_in_seconds = 21600
    maximum_retry_attempts       = 10
  }
  dead_letter_config { arn = aws_sqs_queue.dead.arn }
}

resource "aws_lambda_permission" "events" {
  for_each      = local.rules
  statement_id  = each.key
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.this[each.key].arn
}

locals {
  alarms = {
    dead-letters   = { namespace = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = aws_sqs_queue.dead.name }, statistic = "Maximum", period = 300, above = 0, text = "Messages that nobody could work off: read them, they say why" }
    failures       = { namespace = "AWS/Lambda", metric = "Errors", dimensions = { FunctionName = local.name }, statistic = "Sum", period = 300, above = 0, text = "The function reported that something is left to do" }
    uploads-failed = { namespace = "partsweep", metric = "UploadsFailed", dimensions = {}, statistic = "Sum", period = 3600, above = 0, text = "Uploads that could not be aborted" }
    throttles      = { namespace = "AWS/Lambda", metric = "Throttles", dimensions = { FunctionName = local.name }, statistic = "Sum", period = 300, above = 10, text = "More runs were wanted than the reserved concurrency allows" }
  }
  widgets = {
    "bytes freed"                                       = ["BytesFreed"]
    "uploads"                                           = ["UploadsAborted", "UploadsPlanned", "UploadsFailed"]
    "kept, by reason"                                   = ["KeptTooYoung", "KeptActive", "KeptNoTrustworthyTime"]
    "age of the oldest upload that is kept, in seconds" = ["OldestKeptAge"]
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each            = local.alarms
  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = each.value.text
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = 1
  threshold           = each.value.above
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topics
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = local.name
  dashboard_body = jsonencode({
    widgets = [for i, title in keys(local.widgets) : {
      type = "metric", x = 12 * (i % 2), y = 6 * floor(i / 2), width = 12, height = 6
      properties = {
        title   = title
        region  = data.aws_region.this.name
        stat    = startswith(title, "age") ? "Maximum" : "Sum"
        period  = 3600
        metrics = [for m in local.widgets[title] : ["partsweep", m]]
      }
    }]
  })
}

output "function" {
  description = "aws lambda invoke --function-name … --cli-binary-format raw-in-base64-out --payload '\"s3://videos?olderThan=48h\"' /dev/stdout"
  value       = aws_lambda_function.this.function_name
}
