from dataclasses import fields

import pytest

from inspection.adoption.questions import Answers, asks
from tests.architecture import ROOT


def test_a_question_is_answered_by_a_make_variable_or_a_flag() -> None:
    assert asks("part", "file") == "say PART=file (pipelines.adopt: --part)"
    assert asks("form", "coco", "voc") == "say FORM=coco or FORM=voc (pipelines.adopt: --form)"


@pytest.mark.parametrize("flag", [field.name for field in fields(Answers)])
def test_every_answer_has_a_variable_and_a_flag_and_stands_in_the_readme(flag: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert f"--{flag} '$({flag.upper()})'" in makefile
    assert f"| `{flag.upper()}=`, `--{flag}` |" in readme


def test_nothing_is_answered_that_was_not_said() -> None:
    assert set(vars(Answers()).values()) == {""}
