"""Draws a whole line into two empty folders: the data set, and the truth about it."""

from __future__ import annotations

import json
import multiprocessing
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from samples.annotations import write_labels
from samples.develop import Developed, Job, develop_job
from samples.line import plan_line
from samples.mess import File, plan_mess
from samples.parts import Size

# Of each of these, truth.json says how many files have which value, and of the flags how many.
COUNTED = ("true_class", "camera", "spoiled", "broken", "copy", "box_style")
FLAGS = ("short_name", "nfd", "borderline", "series", "turned")
# Shots that a process takes at once: few, so that all are busy to the end.
CHUNK = 4


def produce(
    out: Path,
    truth: Path,
    n_parts: int,
    size: Size,
    seed: int,
    workers: int,
) -> dict[str, object]:
    """Draw `n_parts` parts and return the summary that stands in `truth/truth.json`.

    The bytes depend on `n_parts`, `size` and `seed` only.
    """
    (out / "images").mkdir()
    (truth / "masks").mkdir()
    jobs = plan_jobs(out, truth, n_parts, size, seed)
    done = _develop_all(jobs, workers)
    # copies are made with their originals, and lie elsewhere in the line
    done.sort(key=lambda one: one.file_id)

    named = [(one.name, one.labels) for one in done]
    write_labels(out, named, size)

    views = {one.name: one.truth for one in done}
    summary = {
        "parts": n_parts,
        "size": list(size),
        "seed": seed,
        **summarise(views),
    }
    content = {"summary": summary, "views": views}
    text = json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True)
    (truth / "truth.json").write_text(text + "\n", encoding="utf-8")
    return summary


def _develop_all(jobs: list[Job], workers: int) -> list[Developed]:
    n_files = sum(len(job.files) for job in jobs)
    done: list[Developed] = []
    with tqdm(total=n_files, unit="frame", disable=None) as bar:
        for batch in _run(jobs, workers):
            done += batch
            bar.update(len(batch))
    return done


def plan_jobs(
    out: Path,
    truth: Path,
    n_parts: int,
    size: Size,
    seed: int,
) -> list[Job]:
    """One job a shot, with the files that come of it."""
    # seeds 1 and 2 are those of parts and of shots, see develop_job
    of_line = np.random.default_rng([seed, 3])
    of_mess = np.random.default_rng([seed, 4])
    shots = plan_line(of_line, n_parts)
    files = plan_mess(of_mess, shots)

    by_shot: dict[int, list[tuple[str, File]]] = {}
    for number, file in enumerate(files):
        file_id = f"v{number:05d}"
        of_shot = by_shot.setdefault(file.shot.index, [])
        of_shot.append((file_id, file))

    jobs = []
    for index in sorted(by_shot):
        job = Job(
            files=tuple(by_shot[index]),
            seed=seed,
            size=size,
            data_dir=out,
            truth_dir=truth,
        )
        jobs.append(job)
    return jobs


def summarise(views: dict[str, dict[str, object]]) -> dict[str, object]:
    """How many files there are, and how many of each kind of mess."""
    counts: dict[str, object] = {"files": len(views)}
    for key in COUNTED:
        values = [str(view[key]) for view in views.values() if view[key]]
        counted = Counter(values)
        counts[key] = dict(sorted(counted.items()))
    for key in FLAGS:
        counts[key] = sum(bool(view[key]) for view in views.values())
    return counts


def _run(jobs: list[Job], workers: int) -> Iterator[list[Developed]]:
    """The files of each job, in the order of the jobs."""
    if workers == 1:
        _as_anywhere()
        yield from map(develop_job, jobs)
        return

    # spawned, so that a process begins alike on every system
    spawning = multiprocessing.get_context("spawn")
    with spawning.Pool(workers, _as_anywhere) as pool:
        yield from pool.imap(develop_job, jobs, chunksize=CHUNK)


def _as_anywhere() -> None:
    """One thread a process, since the processes share the cores; and OpenCV's own code instead of
    Intel's primitives, which round in another way on each make of processor."""
    cv2.setNumThreads(1)
    cv2.ipp.setUseIPP(False)
