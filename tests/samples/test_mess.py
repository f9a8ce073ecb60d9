from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from samples.line import plan_line
from samples.mess import BOX_STYLES, BREAKAGES, FILE_LABELS, NEAR_COPIES, File, plan_mess
from samples.parts import SURFACE_DEFECTS


def mess(n_parts: int = 400, seed: int = 0) -> list[File]:
    shots = plan_line(np.random.default_rng([seed, 1]), n_parts)
    return plan_mess(np.random.default_rng([seed, 2]), shots)


def originals(files: list[File]) -> list[File]:
    return [f for f in files if not f.copy]


def kinds(f: File) -> list[str]:
    return [k for k in (f.spoiled, f.broken, f.copy, "short" if f.short else "") if k]


def test_no_two_files_have_one_name_in_either_unicode_form() -> None:
    names = [unicodedata.normalize("NFC", f.name) for f in mess()]
    assert len(set(names)) == len(names)


def test_a_name_is_camera_part_class_shot() -> None:
    for f in mess():
        fields = unicodedata.normalize("NFC", f.name).removesuffix(".jpg").split("_")
        assert fields[0] == f.shot.camera
        assert fields[1] == f"{f.part_number:04d}"
        assert fields[2] == FILE_LABELS[f.typed_label]
        assert len(fields) == (3 if f.short else 4)


def test_short_names_are_dents_in_the_share_of_the_real_line() -> None:
    files = mess()
    short = [f for f in files if f.short]
    assert len(short) == round(35 / 2453 * len(originals(files)))
    assert {f.shot.label for f in short} == {"dent"}


def test_about_a_fifth_of_the_names_is_decomposed() -> None:
    files = mess()
    decomposed = [f for f in files if f.name != unicodedata.normalize("NFC", f.name)]
    assert len(decomposed) / len(files) == pytest.approx(0.2, abs=0.01)
    assert all(f.nfd for f in decomposed)


def test_three_percent_of_the_views_are_spoiled_half_of_them_as_whole_parts() -> None:
    files = originals(mess())
    for how in ("view", "part"):
        spoiled = sum(f.spoiled == how for f in files)
        assert spoiled / len(files) == pytest.approx(0.015, abs=0.003)


def test_the_list_of_wrong_labels_is_the_files_whose_typed_class_is_not_the_true_one() -> None:
    for f in mess():
        if f.shot.is_borderline:
            assert not f.spoiled
            assert f.typed_label in ("normal", f.shot.label)
        else:
            assert bool(f.spoiled) == (f.typed_label != f.shot.label)


def test_every_second_borderline_part_goes_by_for_normal_with_all_its_views() -> None:
    typed: dict[int, set[str]] = {}
    for f in originals(mess()):
        if f.shot.is_borderline:
            typed.setdefault(f.shot.part_index, set()).add(f.typed_label)
    assert all(len(labels) == 1 for labels in typed.values())
    n_normal = sum(labels == {"normal"} for labels in typed.values())
    assert abs(2 * n_normal - len(typed)) <= 1


def test_whole_parts_have_a_wrong_label_in_a_novices_lot_alone() -> None:
    drifts = [f.shot.drift for f in originals(mess()) if f.spoiled == "part"]
    assert 0.6 <= min(drifts) <= max(drifts) < 0.75


def test_a_whole_part_is_typed_wrong_in_one_way_and_a_single_view_alone() -> None:
    files = originals(mess())
    for f in files:
        siblings = [g for g in files if g.shot.part_index == f.shot.part_index]
        if f.spoiled == "part":
            assert {g.typed_label for g in siblings} == {f.typed_label}
        if f.spoiled == "view":
            assert sum(bool(g.spoiled) for g in siblings) == 1


@pytest.mark.parametrize("how", ["view", "part"])
def test_for_half_of_the_wrong_labels_the_boxes_still_tell_the_truth(how: str) -> None:
    spoiled = [f for f in originals(mess()) if f.spoiled == how]
    parts = {f.shot.part_index: f.boxes_follow for f in spoiled}
    truthful = sum(tell == "truth" for tell in parts.values())
    assert abs(2 * truthful - len(parts)) <= 1


def test_boxes_that_tell_the_truth_about_a_wrong_label_contradict_the_name() -> None:
    for f in mess():
        if f.spoiled and f.boxes_follow == "truth":
            assert f.shot.label in SURFACE_DEFECTS or f.typed_label in SURFACE_DEFECTS
            assert f.boxed_label == f.shot.label


def test_no_file_suffers_two_kinds_of_mess() -> None:
    files = mess()
    sources = {f.shot.index for f in files if f.copy}
    for f in files:
        assert len(kinds(f)) <= 1
        assert not (not f.copy and f.shot.index in sources and kinds(f))


def test_copies_have_part_numbers_of_their_own_within_the_line() -> None:
    files = mess()
    taken = {f.part_number for f in originals(files)}
    copies = [f.part_number for f in files if f.copy]
    assert len(set(copies)) == len(copies)
    assert not taken & set(copies)
    assert min(taken) - 3 <= min(copies)
    assert max(copies) <= max(taken) + 3


@pytest.mark.parametrize("seed", range(6))
def test_thirty_parts_have_every_kind_of_mess(seed: int) -> None:
    found = {k for f in mess(30, seed) for k in kinds(f)}
    wanted = {"view", "part", "short", "exact", *BREAKAGES, *NEAR_COPIES}
    assert found == wanted


def test_a_part_with_a_broken_file_keeps_two_good_ones() -> None:
    files = originals(mess())
    for f in (f for f in files if f.broken):
        siblings = [g for g in files if g.shot.part_index == f.shot.part_index]
        assert sum(not g.broken for g in siblings) == 2


def test_eight_percent_of_the_normals_lack_one_of_their_part_boxes() -> None:
    normals = [f for f in originals(mess()) if f.shot.label == "normal" and not f.spoiled]
    lacking = [f for f in normals if f.box_style.startswith("no ")]
    assert len(lacking) / len(normals) == pytest.approx(0.08, abs=0.005)
    assert {f.box_style for f in lacking} == {"no rivet", "no knurling"}


def test_defects_are_boxed_tight_loose_in_pieces_or_not_at_all_in_fixed_shares() -> None:
    files = [f for f in originals(mess()) if f.shot.label in SURFACE_DEFECTS and not f.spoiled]
    for style, share in BOX_STYLES.items():
        found = sum(f.box_style == style for f in files) / len(files)
        assert found == pytest.approx(share / sum(BOX_STYLES.values()), abs=0.02)
