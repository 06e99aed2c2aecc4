"""Calls one method of Amazon's own client, and prints the answer as JSON.

    boto.py ENDPOINT SERVICE METHOD ARGUMENTS

An error of the service is printed as {"error": CODE}.
"""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, service, method, arguments = sys.argv[1:]
arguments = json.loads(arguments)
if "Body" in arguments:
    arguments["Body"] = arguments["Body"].encode()
client = boto3.client(
    service,
    endpoint_url=endpoint,
    region_name="us-east-1",
    config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 2}),
)
try:
    answer = getattr(client, method)(**arguments)
except ClientError as error:
    answer = {"error": error.response["Error"]["Code"]}
answer.pop("ResponseMetadata", None)
print(json.dumps(answer, default=str))
