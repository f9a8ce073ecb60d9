import multiprocessing
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch.utils.data import WeightedRandomSampler

from inspection.models.ddp import ALONE, Rank, ranks
from inspection.models.training import CropDataset, training_batches
from tests.architecture import ROOT
from tests.networks import SCHEDULE
from tests.squares import CLASSES, draw_crops, joined

# A machine that is busy with other tests, on which processes take their time to begin.
PATIENCE_S = 300.0
BOTH = (Rank(0, 2), Rank(1, 2))


def sampler() -> WeightedRandomSampler:
    generator = torch.Generator().manual_seed(0)
    return WeightedRandomSampler([1.0] * 11, 11, replacement=False, generator=generator)


def test_of_what_all_draw_alike_each_takes_another_share_in_every_epoch() -> None:
    drawn, shares = sampler(), [rank.share(sampler()) for rank in BOTH]

    for _ in range(3):
        rows = list(drawn)
        assert [list(share) for share in shares] == [rows[0:10:2], rows[1:10:2]]
    assert ALONE.share(drawn) is drawn


def test_a_step_has_as_many_crops_of_all_together_and_each_class_as_often() -> None:
    # of each bright crop there are six normal ones
    crops = joined(draw_crops(24, classes=("normal",)), draw_crops(4, classes=("normal", "bright")))
    dataset = CropDataset(crops, CLASSES)
    alone = training_batches(dataset, SCHEDULE)
    shares = [training_batches(dataset, SCHEDULE, rank) for rank in BOTH]

    labels: Counter[int] = Counter()
    for whole, *parts in zip(alone, *shares, strict=True):
        assert [len(part["label"]) for part in parts] == [6, 6]
        together = torch.cat([part["label"] for part in parts])
        assert sorted(together.tolist()) == sorted(whole["label"].tolist())
        labels.update(together.tolist())
    assert 0.3 < labels[1] / labels.total() < 0.7


def test_the_first_draws_as_one_alone_and_the_others_otherwise() -> None:
    assert [rank.seed(7) for rank in (ALONE, *BOTH)][:2] == [7, 7]
    assert len({Rank(number, 4).seed(7) for number in range(4)}) == 4
    assert BOTH[1].seed(7) == Rank(1, 2).seed(7) != BOTH[1].seed(8)


def test_one_alone_is_trained_as_ever_and_starts_nobody() -> None:
    with ranks(1, print) as rank:
        assert rank.trainer_settings() == {}
        assert multiprocessing.active_children() == []
        assert "LOCAL_RANK" not in os.environ


# What is killed here takes no other test with it.
TOGETHER = """
import os, sys
from torch import distributed
from inspection.errors import InspectionError
from inspection.models.ddp import ranks
from tests.labour import DiesWhenRead, add_up, add_up_and_die
if __name__ == "__main__":
    work = {"all": add_up, "dies": add_up_and_die, "never": DiesWhenRead()}[sys.argv[1]]
    try:
        with ranks(2, work) as rank:
            print(add_up(rank))
            if sys.argv[1] == "dies":
                print(add_up(rank))
    except InspectionError as error:
        print(error)
    print("LOCAL_RANK" in os.environ, distributed.is_initialized())
"""
ENDED = (
    "train: a process that trains beside this one has ended before its time; see what it said "
    "above, and where memory was short take fewer train.devices"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "said"), [("all", ["3.0"]), ("dies", ["3.0", ENDED]), ("never", [ENDED])]
)
def test_all_take_part_and_one_that_ends_early_is_a_line(
    what: str, said: list[str], tmp_path: Path
) -> None:
    # a file: it is started anew by its path
    program = tmp_path / "together.py"
    program.write_text(TOGETHER)
    done = subprocess.run(
        [sys.executable, str(program), what], timeout=PATIENCE_S, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip

    assert done.stdout.splitlines() == [*said, "False False"], done.stderr
