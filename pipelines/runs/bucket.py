"""Make buckets in the object store that the environment names, where there are none.

python -m pipelines.runs.bucket NAME [NAME ...]
"""

import argparse
import sys

from inspection.errors import InspectionError
from inspection.failures import PlainErrors


def main() -> None:
    """Make the buckets, and say what was done."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("names", nargs="+", metavar="NAME")
    with PlainErrors("bucket"):
        for name in parser.parse_args().names:
            made = make(name)
            sys.stdout.write(f"{name}: {'made' if made else 'was there already'}\n")


def make(name: str) -> bool:
    """Make a bucket; False where it was there already. Raises InspectionError."""
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise InspectionError("boto3: is not installed; run `make plant`") from error

    try:
        client = boto3.client("s3")
        if name in {one["Name"] for one in client.list_buckets()["Buckets"]}:
            return False
        client.create_bucket(Bucket=name)
    except (BotoCoreError, ClientError) as error:
        raise InspectionError(
            f"{name}: {error}; see that AWS_ENDPOINT_URL and the key are right"
        ) from error
    return True


if __name__ == "__main__":
    main()
