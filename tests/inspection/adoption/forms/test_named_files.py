import pytest

from inspection.adoption.proposal import Lacks, Proposal
from inspection.errors import InspectionError
from tests.inspection.adoption.listed import planned, recognise, words

NAMES = [
    f"P{n:03}_{word}_{shot}.png" for n, word in enumerate(["ok", "scratch"] * 6) for shot in "12"
]


def test_the_token_that_holds_a_normal_word_is_the_label() -> None:
    found = recognise("named_files", NAMES)
    assert isinstance(found, Proposal)
    assert (found.layout, found.label_column) == ("flat", 1)
    assert set(found.labels.values()) == {"ok", "scratch"}


def test_a_pattern_of_the_user_says_which_token_it_is() -> None:
    found = recognise("named_files", NAMES, part="<part>_<label>_<shot>")
    assert isinstance(found, Proposal)
    assert found.labels["P000_ok_1.png"] == "ok"
    assert found.label_column is None


def test_numbers_are_no_classes() -> None:
    found = recognise("named_files", [f"{n}_{n % 3}.png" for n in range(12)])
    assert found == Lacks("the file names hold no token that is one of few words")


def test_words_of_which_none_is_normal_are_asked_about() -> None:
    names = [f"{n}_{word}.png" for n in range(9) for word in ("ax", "bx", "cx")]
    found = recognise("named_files", names)
    assert isinstance(found, Lacks)
    assert "words ax, bx, cx" in found.what
    assert "NORMAL=<word>" in found.what


def test_names_that_are_not_built_alike_are_said_to_be_so() -> None:
    found = recognise("named_files", ["1.png", "2_3_4_5.png", "6_7.png", "8_9_10.png"])
    assert isinstance(found, Lacks)
    assert "not built alike" in found.what


@pytest.mark.parametrize(
    ("n_words", "n_views", "fits"), [(40, 2, True), (41, 2, False), (3, 1, False)]
)
def test_classes_in_names_are_up_to_40_words_of_two_images_each(
    n_words: int, n_views: int, fits: bool
) -> None:
    lines = [
        f"{n}{k:02}-{word}.png" for k, word in enumerate(words(n_words)) for n in range(n_views)
    ]
    if fits:
        assert len(planned(lines, part="file").n_parts) == n_words
    else:
        with pytest.raises(InspectionError, match="no token that is one of few words"):
            planned(lines, form="named_files")


def test_words_of_a_class_stand_in_two_images_each() -> None:
    names = [f"{n}-{word}.png" for n in range(2) for word in ("ok", "ax")]
    assert isinstance(recognise("named_files", names), Proposal)
    assert isinstance(recognise("named_files", names[:3]), Lacks)
