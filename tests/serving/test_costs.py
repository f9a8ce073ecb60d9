"""What a picture is charged is what it takes, measured in a process that does nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.attacks.pictures import TURNED, chunk, jpeg, jpeg_of_scans, png, tiff
from serving.costs import VIEW_MS, cost_of
from serving.server.memory import MAPPED_FROM_BYTES
from tests.architecture import ROOT

# 12 megapixels: large beside what the measurement itself takes, some 2 MB
SIZE = (4000, 3000)
# a charge is at most so many times what the picture takes on the line that takes most: twice of a
# JPEG, which might be turned, and 2.3 of a TIFF, whose header is not asked whether it has alpha
MAX_OVERCHARGE = 2.4
TRANSPARENT = chunk(b"tRNS", bytes(6))
EXIF = chunk(b"eXIf", TURNED)
KINDS = {
    "grey": lambda: png(*SIZE),
    "grey, turned": lambda: png(*SIZE, extra=EXIF),
    "grey of 16 bits": lambda: png(*SIZE, bits=16),
    "grey of 16 bits, turned": lambda: png(*SIZE, bits=16, extra=EXIF),
    "grey and alpha": lambda: png(*SIZE, colour=4),
    "grey and alpha of 16 bits": lambda: png(*SIZE, colour=4, bits=16),
    "RGB": lambda: png(*SIZE, colour=2),
    "RGB, turned": lambda: png(*SIZE, colour=2, extra=EXIF),
    "RGBA": lambda: png(*SIZE, colour=6),
    "palette": lambda: png(*SIZE, colour=3),
    "RGB of 16 bits": lambda: png(*SIZE, colour=2, bits=16),
    "RGB of 16 bits, one transparent": lambda: png(*SIZE, colour=2, bits=16, extra=TRANSPARENT),
    "RGBA of 16 bits": lambda: png(*SIZE, colour=6, bits=16),
    "grey TIFF in one strip": lambda: tiff(*SIZE),
    "TIFF with alpha": lambda: tiff(*SIZE, samples=2),
    "RGB TIFF in one strip": lambda: tiff(*SIZE, samples=3),
    "JPEG": lambda: jpeg(*SIZE),
    "colour JPEG": lambda: jpeg(*SIZE, mode="RGB"),
    "CMYK JPEG": lambda: jpeg(*SIZE, mode="CMYK"),
    "progressive JPEG": lambda: jpeg(*SIZE, progressive=True),
    "progressive JPEG, colour": lambda: jpeg(*SIZE, mode="RGB", progressive=True),
    "progressive JPEG, full colour": lambda: jpeg(
        *SIZE, mode="RGB", progressive=True, subsampling=0
    ),
    "progressive CMYK JPEG": lambda: jpeg(*SIZE, mode="CMYK", progressive=True),
    "JPEG of 25 scans": lambda: jpeg_of_scans(*SIZE, 25),
}
DECODES = """
import sys
from pathlib import Path
from inspection.images import decode
from serving.server.memory import give_back_at_once
from tests.serving.peak import peak_bytes
give_back_at_once()
content = Path(sys.argv[1]).read_bytes()
before = peak_bytes()
decode(content, channels=int(sys.argv[2]))
print(peak_bytes() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_charged_what_it_takes(tmp_path: Path, kind: str) -> None:
    content = KINDS[kind]()
    (tmp_path / "picture").write_bytes(content)
    taken = []
    for channels in ("1", "3"):
        command = [sys.executable, "-c", DECODES, str(tmp_path / "picture"), channels]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        taken.append(int(done.stdout))

    charged = cost_of(content, max_pixels=64_000_000).n_bytes
    # what is smaller than a mapping of its own stays on the heap, once for a process, not a picture
    assert max(taken) - MAPPED_FROM_BYTES <= charged <= MAX_OVERCHARGE * max(taken)


def test_a_view_takes_time_for_its_models_its_pixels_and_each_scan() -> None:
    small = cost_of(jpeg(40, 30), max_pixels=64_000_000).time_ms
    assert VIEW_MS < small < VIEW_MS + 0.1

    # 12 megapixels: 2.5 ns a pixel in one scan, and 1.5 more for each of the others
    one = cost_of(jpeg(*SIZE), max_pixels=64_000_000).time_ms
    many = cost_of(jpeg_of_scans(*SIZE, 25), max_pixels=64_000_000).time_ms
    assert one - VIEW_MS == pytest.approx(12 * 2.5, rel=0.1)
    assert many - one == pytest.approx(12 * 1.5 * 24, rel=0.05)


def test_bytes_of_a_jpeg_take_time() -> None:
    content = jpeg(40, 30)
    more = content + bytes(10**6)
    costs = [cost_of(one, max_pixels=64_000_000).time_ms for one in (content, more)]

    assert costs[1] - costs[0] == pytest.approx(8.0)


@pytest.mark.parametrize(
    ("content", "bytes_per_pixel", "ns_per_pixel"),
    [
        (png(400, 300), 6.25, 8),
        (png(400, 300, bits=16), 7.25, 14),
        (png(400, 300, colour=4), 11.75, 15),
        (tiff(400, 300), 11.75, 15),
        (png(400, 300, colour=2), 14.25, 25),
        (png(400, 300, colour=3), 14.25, 25),
        (png(400, 300, colour=6), 14.25, 25),
        (png(400, 300, colour=2, bits=16), 20.5, 60),
        (jpeg(400, 300), 6.25, None),
        (jpeg(400, 300, mode="CMYK"), 7.25, None),
        (jpeg(400, 300, mode="CMYK", progressive=True), 12.25, None),
        (jpeg(400, 300, mode="RGB", progressive=True, subsampling=0), 9.25, None),
    ],
)
def test_each_kind_has_its_charge(
    content: bytes, bytes_per_pixel: float, ns_per_pixel: float | None
) -> None:
    cost = cost_of(content, max_pixels=64_000_000)

    assert cost.n_pixels == 400 * 300
    assert cost.n_bytes == 400 * 300 * bytes_per_pixel
    if ns_per_pixel is not None:
        assert cost.time_ms - VIEW_MS == pytest.approx(0.12 * ns_per_pixel)
