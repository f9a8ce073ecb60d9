"""One network trained by several processes at once: this one, and others beside it (Lightning DDP).

Each has the whole network and a share of each step's crops; after each step their gradients are
averaged, so that all networks stay the same. This process is the first rank, and the only one that
reports, keeps and writes anything.
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np
import torch
from lightning.fabric.plugins.environments.lightning import (
    LightningEnvironment,
    find_free_network_port,
)
from lightning.fabric.utilities.distributed import DistributedSamplerWrapper
from torch.utils.data import Sampler

from inspection.errors import InspectionError
from inspection.workers import begin, physical_cores

HOST = "127.0.0.1"
# no outcome: how soon it is noticed that a process has ended before it began to train
LOOK_S = 0.5
# The others end with the last step, but for what they tidy up: seconds on a busy machine.
END_S = 60.0


@dataclass(frozen=True)
class Rank:
    """One of `n` processes that train a network, by its number from 0; they meet at a port."""

    number: int = 0
    n: int = 1
    port: int = 0

    def seed(self, seed: int) -> int:
        """Of what this process draws for its own crops; the first one's is that of one alone."""
        if self.number == 0:
            return seed
        return int(np.random.SeedSequence([seed, self.number]).generate_state(1)[0])

    def share(self, sampler: Sampler[int]) -> Sampler[int]:
        """What this process takes of the rows that a sampler draws, which all must draw alike.

        Of every `n` rows each takes one, and as many as all others: a rest is left out.
        """
        if self.n == 1:
            return sampler
        return DistributedSamplerWrapper(
            sampler,
            num_replicas=self.n,
            rank=self.number,
            shuffle=False,
            drop_last=True,
        )

    def batch(self, size: int) -> int:
        """The crops of this process in a step that has `size` in all."""
        return size // self.n

    def trainer_settings(self) -> dict[str, Any]:
        """What Lightning's Trainer needs to know; nothing for one alone.

        Each process gets a GPU where there are so many, else all are on the CPU and speak by gloo.
        """
        if self.n == 1:
            return {}
        has_gpus = torch.cuda.device_count() >= self.n
        return {
            "accelerator": "gpu" if has_gpus else "cpu",
            "devices": self.n,
            "strategy": "ddp",
            "plugins": [LightningEnvironment()],
            # batch statistics over all shares; PyTorch has that for GPUs alone
            "sync_batchnorm": has_gpus,
            # each takes its share of the train crops, see `share`, and judges all of val
            "use_distributed_sampler": False,
        }


ALONE = Rank()
# What another process does: it trains the same network as the rank that it is given.
Work = Callable[[Rank], None]


@contextmanager
def ranks(n: int, work: Work) -> Iterator[Rank]:
    """Have `n` - 1 processes do `work`, picklable, while the block trains as the rank it gets.

    Raises InspectionError where one of them ends before its time; all end with this process.
    """
    if n == 1:
        yield ALONE
        return

    port = find_free_network_port()
    context = multiprocessing.get_context("spawn")
    ready = context.Semaphore(0)
    others: list[BaseProcess] = [
        context.Process(
            target=_train, args=(os.getpid(), ready, work, Rank(number, n, port))
        )
        for number in range(1, n)
    ]
    for process in others:
        process.start()
    try:
        _wait_for(ready, others)
        with _taking_part(Rank(0, n, port)):
            yield Rank(0, n, port)
        _require_ended(others)
    except RuntimeError as error:
        # what gloo and NCCL raise of a process that has gone, and much else
        if _ended_badly(others):
            raise _ended_early() from error
        raise
    finally:
        for process in others:
            process.kill()
            process.join()


def _train(parent: int, ready: Any, work: Work, rank: Rank) -> None:
    """What another process does: to be here, it has imported all that it needs."""
    begin(parent)
    ready.release()
    try:
        with _taking_part(rank):
            work(rank)
    except InspectionError as error:
        # the first rank meets the same problem, and says so
        raise SystemExit(1) from error


@contextmanager
def _taking_part(rank: Rank) -> Iterator[None]:
    """Let Lightning know which rank this process is, and that it has none to start; share cores."""
    told = {
        "MASTER_ADDR": HOST,
        "MASTER_PORT": str(rank.port),
        "NODE_RANK": "0",
        "LOCAL_RANK": str(rank.number),
    }
    before = {name: os.environ.get(name) for name in told}
    n_threads = torch.get_num_threads()
    os.environ.update(told)
    torch.set_num_threads(max(1, physical_cores() // rank.n))
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
        for name, text in before.items():
            os.environ.pop(name, None)
            if text is not None:
                os.environ[name] = text
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _wait_for(ready: Any, others: list[BaseProcess]) -> None:
    """Wait until all others are there. Raises InspectionError where one has ended instead."""
    n_there = 0
    while n_there < len(others):
        if ready.acquire(timeout=LOOK_S):
            n_there += 1
        elif any(process.exitcode is not None for process in others):
            raise _ended_early()


def _require_ended(others: list[BaseProcess]) -> None:
    until_s = time.monotonic() + END_S
    for process in others:
        process.join(max(0.0, until_s - time.monotonic()))
    if any(process.exitcode for process in others):
        raise _ended_early()


def _ended_badly(others: list[BaseProcess]) -> bool:
    """Whether one of the others has ended by a signal or an error, or does so in a moment."""
    for process in others:
        process.join(LOOK_S)
    return any(process.exitcode for process in others)


def _ended_early() -> InspectionError:
    return InspectionError(
        "train: a process that trains beside this one has ended before its time; see what it said "
        "above, and where memory was short take fewer train.devices"
    )
