"""AWS Lambda, S3, DynamoDB and SQS."""

from __future__ import annotations

from portable_contracts.provider import Provider

provider = Provider(
    name="aws",
    defaults={"bucket": "s3", "table": "dynamodb", "queue": "sqs"},
    capabilities="portable_aws.limits:CAPABILITIES",
)
