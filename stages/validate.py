"""Raw files to a manifest of views: what is broken, double or unknown is set aside and listed."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

from inspection.curation.class_counts import check_classes
from inspection.dataset.annotations import (
    Annotations,
    joined,
    read_class_names,
    read_yolo,
)
from inspection.dataset.checks import Report, check, raise_if_critical
from inspection.dataset.coco import read_coco
from inspection.dataset.expectations import of_manifest
from inspection.dataset.file_sorting import (
    SortedFiles,
    missing_annotations,
    sort_files,
    spelled_in_two_forms,
)
from inspection.dataset.image_files import UNREADABLE, ImageFile, Mask
from inspection.dataset.image_index import ImageIndex
from inspection.dataset.manifest import COLUMNS, assemble, counts
from inspection.dataset.quarantine import Finding, as_table
from inspection.dataset.table import Table, read_table
from inspection.dataset.voc import read_voc
from inspection.errors import InspectionError, raise_all
from inspection.over_views import over_views
from inspection.storage import write_json, write_table, write_text
from stages import program, sections
from stages.params.validate import ValidateParams
from stages.per_view.examining import content_of, examined_image, examined_mask
from stages.per_view.items import RawFile

Result = TypeVar("Result")


@dataclass(frozen=True)
class Paths:
    """What the stage reads and writes."""

    data: Annotated[Path, "folder of raw images and labels"]
    out: Annotated[Path, "folder for manifest.parquet, quarantine.csv and data_docs/"]
    metrics: Annotated[Path, "JSON file for the counts"]


def main() -> None:
    paths = program.paths(Paths, __doc__)
    # also what later stages read: they run for long before they would complain
    sections.check_all()
    line, params = sections.read(
        sections.line("bit_depth", "classes", "max_pixels", "normal", "regions"),
        sections.section("validate", ValidateParams),
    )

    on_disk, not_taken = _paths_under(paths.data)
    files = sort_files(on_disk, params)
    _check_files(paths.data, on_disk, files, params)
    listed = _listed(paths.data, files, params)
    # a table may name masks that lie where no glob looks for them
    files = files.with_masks(set(listed.masks.values()))

    image = partial(
        examined_image, bit_depth=line.bit_depth, max_pixels=line.max_pixels
    )
    images = _each(image, paths.data, files.images, "reading")
    mask = partial(examined_mask, max_pixels=line.max_pixels)
    masks = _each(mask, paths.data, files.masks, "reading masks")
    examined = [one for one in images if isinstance(one, ImageFile)]
    examined_masks = [one for one in masks if isinstance(one, Mask)]
    annotations = _annotations(paths.data, files, examined, params)
    annotations = joined([annotations, listed.annotations])

    table, findings = assemble(
        examined,
        annotations=annotations,
        masks=examined_masks,
        layout=params,
        line=line,
        unknown=params.unknown,
        listed=listed,
    )
    ignored = [
        Finding(path, "ignored", "no image", view_kept=True) for path in files.ignored
    ]
    refused = [one for one in (*images, *masks) if isinstance(one, Finding)]
    quarantine = as_table([*findings, *refused, *not_taken, *ignored])
    # before the checks that may stop the stage: this list says why
    write_table(paths.out / "quarantine.csv", quarantine)

    check_classes(table, line)
    expectations = of_manifest(
        line, params.expected, columns=list(COLUMNS), n_images=len(files.images)
    )
    report = check(table, expectations)

    # its pages show what failed, so they are saved first as well
    _save_data_docs(paths.out / "data_docs", report)
    raise_if_critical(report, where="data")
    write_table(paths.out / "manifest.parquet", table)
    numbers = {"n_files": len(files.images), **counts(table, quarantine)}
    program.save_metrics(paths.metrics, numbers)


def _paths_under(data_dir: Path) -> tuple[list[str], list[Finding]]:
    """Every file below `data_dir` as a relative posix path; what is listed instead of taken.

    That is a file whose name no Unicode can spell, a folder that is only linked, and a link that
    leads out of the folder: DVC and whoever copies the data would take another file.
    """
    if not data_dir.is_dir():
        raise InspectionError(
            f"{data_dir}: no such folder; draw the sample line with `make demo`, bring your own "
            "parts with `make adopt DATA=<folder>`, or fetch tracked data with `dvc pull`"
        )
    raw, linked = _walked(data_dir)
    away = [path for path in raw if _leads_out(data_dir, path)]
    inside = sorted(set(raw) - set(away))
    # what is not UTF-8 is spelled otherwise once decoded, and its file would not be found again
    spelled = [path for path in inside if _shown(path).encode() == path]
    strange = [path for path in inside if _shown(path).encode() != path]

    leads_out = f"leads out of {data_dir.name}/; put the file there"
    not_followed = "a linked folder is not followed; put its files there"
    findings = [
        *_findings(strange, "name_not_utf8", "rename it in UTF-8"),
        *_findings(away, "link_outside", leads_out),
        *_findings(linked, "ignored", not_followed, view_kept=True),
    ]
    return [_shown(path) for path in spelled], findings


def _shown(path: bytes) -> str:
    """A path as lists show it: what is not UTF-8 as `\\xff`."""
    return path.decode(errors="backslashreplace")


def _findings(
    paths: Sequence[bytes], reason: str, detail: str, *, view_kept: bool = False
) -> list[Finding]:
    """The same finding of every path."""
    return [
        Finding(_shown(path), reason, detail, view_kept=view_kept) for path in paths
    ]


def _walked(data_dir: Path) -> tuple[list[bytes], list[bytes]]:
    """The files and the linked folders below `data_dir`, sorted relative posix paths.

    Raises InspectionError for folders that cannot be read: nobody knows what is in them.
    """
    files, linked, closed = list[Path](), list[Path](), list[OSError]()
    # without `onerror`, what cannot be opened would be left out without a word
    for folder, below, names in os.walk(data_dir, onerror=closed.append):
        files += [Path(folder, name) for name in names]
        linked += [path for name in below if (path := Path(folder, name)).is_symlink()]
    raise_all(
        f"{error.filename}: cannot be read ({error.strerror}); correct its permissions"
        for error in closed
    )
    return _relative(files, data_dir), _relative(linked, data_dir)


def _relative(paths: Sequence[Path], data_dir: Path) -> list[bytes]:
    # as bytes, which hold every name that a disk may have, UTF-8 or not
    return sorted(os.fsencode(path.relative_to(data_dir).as_posix()) for path in paths)


def _leads_out(data_dir: Path, path: bytes) -> bool:
    """Whether a file is a link to what lies elsewhere; one that leads nowhere is refused later."""
    file = data_dir / os.fsdecode(path)
    if not file.is_symlink() or not file.exists():
        return False
    return not file.resolve().is_relative_to(data_dir.resolve())


def _check_files(
    data_dir: Path, on_disk: Sequence[str], files: SortedFiles, params: ValidateParams
) -> None:
    """Raise InspectionError that lists all that is configured and not there."""
    problems = spelled_in_two_forms(on_disk) + missing_annotations(on_disk, params)
    if not files.images:
        problems.append(
            f"no image fits validate.images {list(params.images)}; correct these globs, or put "
            "images there"
        )
    raise_all(f"{data_dir}: {problem}" for problem in problems)


def _each(
    examine: Callable[[Path, RawFile], Result | Finding],
    data_dir: Path,
    paths: Sequence[str],
    what: str,
) -> list[Result | Finding]:
    """Read and examine every file; what cannot be read is refused."""
    files = [RawFile(path) for path in paths]
    found = list(over_views(examine, files, data=data_dir, what=what))
    for number, one in enumerate(found):
        # a host of a cluster may have lost the share: what counts is whether it can be read here
        if isinstance(one, Finding) and one.reason in UNREADABLE:
            found[number] = examine(data_dir, files[number])
    return found


def _required(path: Path) -> bytes:
    """The bytes of a file without which no view can be understood."""
    try:
        return content_of(path)
    except OSError as error:
        raise InspectionError(
            f"{path}: cannot be read ({error.strerror}); correct the link or its permissions"
        ) from error


def _annotations(
    data_dir: Path,
    files: SortedFiles,
    examined: Sequence[ImageFile],
    params: ValidateParams,
) -> Annotations:
    parts: list[Annotations] = []
    sizes = {one.path: (one.facts.width_px, one.facts.height_px) for one in examined}
    if files.yolo:
        names, findings = read_class_names(
            files.yolo_names, _required(data_dir / files.yolo_names)
        )
        parts += [
            Annotations(findings=findings),
            read_yolo(
                {path: _label_file(data_dir / path) for path in files.yolo},
                class_names=names,
                images=ImageIndex(files.images, suffixes=False),
                sizes=sizes,
            ),
        ]
    if files.voc:
        voc = {path: _label_file(data_dir / path) for path in files.voc}
        stems = ImageIndex(files.images, suffixes=False)
        parts.append(read_voc(voc, images=stems, sizes=sizes))
    # COCO names an image with its suffix; files of YOLO and VOC are called as their image
    index = ImageIndex(files.images, suffixes=True)
    for path in files.coco:
        content = _required(data_dir / path)
        parts.append(read_coco(path, content, images=index, sizes=sizes))
    return joined(parts)


def _listed(data_dir: Path, files: SortedFiles, params: ValidateParams) -> Table:
    """What the table of the layout says; nothing without one."""
    if not files.table:
        return Table()
    content = _required(data_dir / files.table)
    # masks may fit no glob, and then count as ignored until the table names them
    pictures = [*files.images, *files.masks, *files.ignored]
    return read_table(files.table, content, columns=params.columns, images=pictures)


def _label_file(path: Path) -> bytes | OSError:
    # returned, not raised: one label that cannot be read sets its view aside, not the data set
    try:
        return content_of(path)
    except OSError as error:
        return error


def _save_data_docs(folder: Path, report: Report) -> None:
    # pages of an earlier run, which may have no counterpart in this one
    shutil.rmtree(folder, ignore_errors=True)
    write_json(folder / "result.json", report.result)
    for name, page in report.pages.items():
        write_text(folder / name, page)


if __name__ == "__main__":
    program.run("validate", main)
