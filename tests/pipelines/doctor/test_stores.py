"""What the doctor says of databases and buckets, asked of real ones."""

import sys
from collections.abc import Iterator

import pytest

from pipelines.doctor import stores
from pipelines.doctor.finding import Finding
from pipelines.runs import bucket
from tests.servers import BUCKET, Postgres, object_store, postgres


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture
def bucket_variables(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The environment of a host that has a bucket for artifacts."""
    with object_store() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield {**variables, stores.BUCKET: f"s3://{BUCKET}/mlflow"}


def states(findings: Iterator[Finding]) -> list[tuple[str, str]]:
    return [(one.state, one.subject) for one in findings]


@pytest.mark.parametrize("server", ["MLflow", "Prefect"])
def test_a_database_in_which_tables_can_be_made_is_well(database: Postgres, server: str) -> None:
    found = list(stores.database(server, database.address("good", "+asyncpg")))

    assert states(iter(found)) == [("ok", "PostgreSQL"), ("ok", "clock")]
    assert f"127.0.0.1:{database.port}/good: version 17." in found[0].text


def test_a_user_who_may_make_no_tables_is_told_by_what_the_owner_lets_him(
    database: Postgres,
) -> None:
    address = database.address("theirs")
    database.execute("CREATE ROLE guest LOGIN")
    found = next(stores.database("MLflow", address.replace("postgres@", "guest:secret@")))

    assert found.state == "fault"
    assert "guest may make no tables" in found.text
    assert found.remedy == "as its owner: `GRANT CREATE ON SCHEMA public TO guest`"
    assert "secret" not in found.text + found.remedy


def test_prefect_wants_an_extension_that_its_user_may_make(database: Postgres) -> None:
    address = database.address("shared").replace("postgres@", "worker@")
    database.execute("CREATE ROLE worker LOGIN")
    database.run("shared", "GRANT CREATE ON SCHEMA public TO worker")
    assert next(stores.database("MLflow", address)).state == "ok"
    found = next(stores.database("Prefect", address))
    assert (found.state, "pg_trgm" in found.text) == ("fault", True)

    database.run("shared", "CREATE EXTENSION pg_trgm")
    assert next(stores.database("Prefect", address)).state == "ok"


def test_no_server_and_no_database_are_faults(database: Postgres) -> None:
    for address in (
        "postgresql://postgres@127.0.0.1:9/mlflow",
        f"postgresql://postgres:secret@127.0.0.1:{database.port}/nowhere",
    ):
        (found,) = stores.database("MLflow", address)
        assert found.state == "fault"
        assert "no answer" in found.text
        assert "secret" not in found.text


def test_a_missing_driver_is_told_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    monkeypatch.setitem(sys.modules, "boto3", None)
    (driver,) = stores.database("MLflow", "postgresql://db/mlflow")
    (client,) = stores.bucket({stores.BUCKET: "s3://plant"})

    assert driver.remedy == client.remedy == "`make plant`"


def test_only_what_the_environment_names_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*stores.DATABASES, stores.BUCKET):
        monkeypatch.delenv(name, raising=False)
    assert list(stores.checks()) == []

    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", "postgresql://127.0.0.1:9/mlflow")
    assert states(stores.checks()) == [("fault", "PostgreSQL")]


def test_a_bucket_that_can_be_written_is_well_and_keeps_nothing_of_it(
    bucket_variables: dict[str, str],
) -> None:
    import boto3

    client = boto3.client("s3")
    before = client.list_objects_v2(Bucket=BUCKET)["KeyCount"]
    assert states(stores.bucket(bucket_variables)) == [("ok", "S3"), ("ok", "clock")]
    assert client.list_objects_v2(Bucket=BUCKET)["KeyCount"] == before


def test_a_bucket_that_is_not_there_is_made_by_the_command_that_the_remedy_names(
    bucket_variables: dict[str, str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    bucket_variables[stores.BUCKET] = "s3://other/mlflow"
    (found,) = stores.bucket(bucket_variables)
    assert found.remedy == "make the bucket: `python -m pipelines.runs.bucket other`"

    monkeypatch.setattr(sys, "argv", ["bucket", "other", BUCKET])
    bucket.main()
    assert capsys.readouterr().out == f"other: made\n{BUCKET}: was there already\n"
    assert next(stores.bucket(bucket_variables)).state == "ok"


def test_a_store_that_is_away_is_a_fault(bucket_variables: dict[str, str]) -> None:
    bucket_variables["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    (found,) = stores.bucket(bucket_variables)

    assert (found.state, found.subject) == ("fault", "S3")
    assert "AWS_ENDPOINT_URL" in found.remedy
