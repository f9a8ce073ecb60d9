"""Where servers keep what they know: databases in PostgreSQL, and a bucket in an object store.

Asked are those that the environment names, as it does on the hosts of the MLflow and the Prefect
server, and the database that MLFLOW_TRACKING_URI names, if any.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from pipelines.doctor.finding import FAULT, OK, Finding, clock

# By the variable that each server reads: whose tables these are.
DATABASES = {
    "MLFLOW_BACKEND_STORE_URI": "MLflow",
    "PREFECT_API_DATABASE_CONNECTION_URL": "Prefect",
}
BUCKET = "MLFLOW_ARTIFACTS_DESTINATION"
ENDPOINTS = ("MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
SUBJECT = "S3"
# What is written into the bucket and taken away again: only so is it known that one may.
PROBE = ".knurl-doctor"
ANSWER_S = 5  # a server that is up answers within a second
# The oldest that Prefect 3 works with, by its documentation.
MIN_PREFECT_POSTGRES = 140009
LOOK = """
SELECT current_setting('server_version'), current_setting('server_version_num')::int,
       extract(epoch FROM clock_timestamp())::float, current_user,
       has_schema_privilege(current_user, 'public', 'CREATE'),
       EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm')
           OR (EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm')
               AND has_database_privilege(current_database(), 'CREATE'))
"""


def checks() -> Iterator[Finding]:
    """All databases and buckets that the environment names."""
    for name, server in DATABASES.items():
        if os.environ.get(name, "").startswith("postgresql"):
            yield from database(server, os.environ[name])
    yield from bucket(os.environ)


def database(server: str, address: str) -> Iterator[Finding]:
    """Whether a database answers, is of a version that will do, and lets tables be made in it."""
    parts = urlsplit(address)
    subject = "PostgreSQL"
    where = (
        f"{server}'s, {parts.hostname or 'this host'}:{parts.port or 5432}{parts.path}"
    )
    try:
        import psycopg2
    except ImportError:
        text = f"{where}: psycopg2 is not installed, so it is not asked"
        yield Finding(FAULT, subject, text, "`make plant`")
        return

    plain = parts._replace(scheme="postgresql").geturl()
    try:
        with closing(psycopg2.connect(plain, connect_timeout=ANSWER_S)) as connection:
            row = _row(connection)
    except psycopg2.OperationalError as error:
        reason = str(error).splitlines()[0]
        remedy = (
            "start it, make the database (`createdb`), or correct address and password"
        )
        yield Finding(FAULT, subject, f"{where}: no answer ({reason})", remedy)
        return

    version, number, epoch_s, user, may_create, has_trigrams = row
    found = f"{where}: version {version}"
    if not may_create:
        remedy = f"as its owner: `GRANT CREATE ON SCHEMA public TO {user}`"
        yield Finding(FAULT, subject, f"{found}; {user} may make no tables", remedy)
    elif server == "Prefect" and number < MIN_PREFECT_POSTGRES:
        yield Finding(
            FAULT, subject, f"{found}; Prefect wants 14.9", "a newer PostgreSQL"
        )
    elif server == "Prefect" and not has_trigrams:
        text = f"{found}; the extension pg_trgm, which Prefect wants, cannot be made"
        remedy = (
            "install PostgreSQL's contrib; as its owner: `CREATE EXTENSION pg_trgm`"
        )
        yield Finding(FAULT, subject, text, remedy)
    else:
        yield Finding(OK, subject, f"{found}, {user} may make tables")
    yield clock(f"{server}'s database", epoch_s)


def bucket(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the bucket of artifacts is there, and may be written."""
    address = variables.get(BUCKET, "")
    if not address.startswith("s3://"):
        return
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        text = f"{address}: boto3 is not installed, so it is not asked"
        yield Finding(FAULT, SUBJECT, text, "`make plant`")
        return

    endpoint = next((variables[one] for one in ENDPOINTS if variables.get(one)), None)
    where = f"{address} at {endpoint or 'AWS'}"
    name, _, prefix = address.removeprefix("s3://").partition("/")
    one = {"Bucket": name, "Key": f"{prefix}/{PROBE}".lstrip("/")}
    patience = Config(
        connect_timeout=ANSWER_S, read_timeout=ANSWER_S, retries={"max_attempts": 1}
    )
    try:
        client = boto3.client("s3", endpoint_url=endpoint, config=patience)
        client.put_object(Body=b"", **one)
        answer = client.delete_object(**one)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        yield Finding(FAULT, SUBJECT, f"{where}: {error}", _remedy(code, name))
        return
    except (BotoCoreError, ValueError) as error:
        remedy = "start it, or correct AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"
        yield Finding(FAULT, SUBJECT, f"{where}: {error}", remedy)
        return

    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    server = f" ({headers['server']})" if "server" in headers else ""
    yield Finding(OK, SUBJECT, f"{where}{server}: may be written")
    if "date" in headers:
        yield clock(SUBJECT, parsedate_to_datetime(headers["date"]).timestamp())


def _row(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(LOOK)
        return cursor.fetchone()


def _remedy(code: str, name: str) -> str:
    """What helps against an error of S3, by its code."""
    if code == "NoSuchBucket":
        return f"make the bucket: `python -m pipelines.runs.bucket {name}`"
    if code == "RequestTimeTooSkewed":
        return "let both machines follow NTP"
    return "give a key that may write there: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"
