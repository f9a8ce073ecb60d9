import math

import pytest
import torch

from inspection.models.places import fit_target, place_loss
from tests.networks import tiny_architecture

BRIGHT = 1


def one_sample(
    *, label: int, known: bool = True, evidence: float = 0.0, at_defect: float | None = None
) -> float:
    """The place loss of one crop of 2 x 2 cells whose defect lies in the first cell."""
    maps = torch.full((1, 3, 2, 2), evidence)
    if at_defect is not None:
        maps[0, BRIGHT, 0, 0] = at_defect
    wanted = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    return float(place_loss(maps, wanted, torch.tensor([label]), torch.tensor([known])))


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


def test_undecided_evidence_costs_one_bit_inside_and_one_outside_per_defect_class() -> None:
    assert one_sample(label=BRIGHT) == pytest.approx(math.log(2) * (1 + 1 / 2))


def test_evidence_on_the_defect_is_wanted_and_elsewhere_it_is_not() -> None:
    found = one_sample(label=BRIGHT, at_defect=2.0)
    assert found == pytest.approx(softplus(-2.0) + math.log(2) / 2)
    spread = one_sample(label=BRIGHT, evidence=2.0, at_defect=2.0)
    assert spread == pytest.approx(softplus(-2.0) + softplus(2.0) / 2)


def test_evidence_for_another_defect_is_wanted_nowhere() -> None:
    wrong = one_sample(label=BRIGHT + 1, at_defect=2.0)
    assert wrong == pytest.approx(math.log(2) + (6 * math.log(2) + softplus(2.0)) / 7 / 2)


def test_a_normal_crop_wants_no_defect_anywhere() -> None:
    assert one_sample(label=0, evidence=-3.0) == pytest.approx(softplus(-3.0) / 2)


def test_a_defect_of_unknown_place_teaches_only_where_the_other_defects_are_not() -> None:
    assert one_sample(label=BRIGHT, known=False, at_defect=50.0) == pytest.approx(math.log(2) / 2)


def test_the_target_is_brought_to_the_grid_of_the_evidence() -> None:
    target = torch.zeros(1, 8, 16)
    target[0, 2, 5] = 1
    whole = fit_target(target, tiny_architecture(), torch.Size((4, 8)))
    assert whole.nonzero().tolist() == [[0, 1, 2]]
    centre = fit_target(target, tiny_architecture(centre_fraction=(0.5, 0.5)), torch.Size((4, 8)))
    assert centre.nonzero().tolist() == [[0, 0, 1]]
