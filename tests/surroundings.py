"""The environment of a program that a test starts: nothing of the tests' own run leaks into it."""

import os

LEAKS = ("MLFLOW_", "MAKE", "MFLAGS", "PYTEST_")


def plain_environment() -> dict[str, str]:
    """This process's variables, without what make, pytest and MLflow itself have put there.

    MLflow writes its store's address into the environment of the process that set it.
    """
    return {key: value for key, value in os.environ.items() if not key.startswith(LEAKS)}
