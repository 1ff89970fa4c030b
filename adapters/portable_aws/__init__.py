"""AWS Lambda, S3, DynamoDB and SQS."""

from __future__ import annotations

from portable_contracts.provider import Provider

provider = Provider(
    name="aws",
    buckets={"s3": "portable_aws.blob:S3Bucket"},
    tables={"dynamodb": "portable_aws.kv:DynamoTable"},
    queues={"sqs": "portable_aws.queue:SqsQueue", "sqs+fifo": "portable_aws.queue:SqsFifoQueue"},
    defaults={"bucket": "s3", "table": "dynamodb", "queue": "sqs"},
    capabilities="portable_aws.limits:CAPABILITIES",
    http_codecs=("portable_aws.http:Payload2", "portable_aws.http:Payload1", "portable_aws.http:LoadBalancer"),
    event_codecs=(
        "portable_aws.events:Sqs",
        "portable_aws.events:Sns",
        "portable_aws.events:S3",
        "portable_aws.events:DynamoDBStream",
        "portable_aws.events:Kinesis",
        "portable_aws.events:Schedule",
        "portable_aws.events:Scheduler",
        "portable_aws.events:S3EventBridge",
        "portable_aws.events:EventBridge",
    ),
    entry="portable_aws.entry:entry",
    harness="portable_aws.harness:AwsHarness",
)
