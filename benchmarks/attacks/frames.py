"""Attacks by pictures: the largest that are accepted, larger ones, and what is slow or swells."""

import random
from collections import Counter
from collections.abc import Sequence

from benchmarks.attacks.pictures import chunk, jpeg, jpeg_of_scans, png
from benchmarks.attacks.sending import Sender

# So many that all attacks together take some three minutes.
N_MUTATED, N_CLIENTS = 600, 6
# The largest frame of a line, 64 megapixels; in colour one of 63, and the largest that is accepted.
BIG_PX, BIG_COLOUR_PX, COLOUR_PX = (8000, 8000), (9000, 7000), (6100, 6100)
# 16 of these are the pixels that a request may have.
SIXTEENTH_PX = (2890, 2896)
# Segments and chunks of 4 and 12 bytes: 8 and 24 MB, which Pillow takes 250 MB and seconds for.
N_SEGMENTS, N_CHUNKS = 2 * 10**6, 2 * 10**6


class Frames:
    """Sends pictures that nobody should, to one server."""

    def __init__(self, sender: Sender, picture: bytes) -> None:
        self._sender = sender
        self._picture = picture
        self._random = random.Random(0)
        # drawn before the attacks: Pillow's encoder would stop the good client's thread too
        self._colour = [
            png(*BIG_COLOUR_PX, colour=2),
            png(*COLOUR_PX, colour=2),
            png(*COLOUR_PX, colour=6),
            png(5100, 5100, colour=2, bits=16),
            jpeg(7600, 7600, mode="RGB", progressive=True, subsampling=0),
            jpeg(6600, 6600, mode="CMYK", progressive=True),
        ]

    def large_frames(self, seen: Counter[str]) -> None:
        """Two frames of 64 megapixels in 16 bits at once, twice."""
        content = png(*BIG_PX, bits=16)
        for _ in range(2):
            self._sender.at_once([[content]] * 2, seen)

    def largest_requests(self, seen: Counter[str]) -> None:
        """Four requests at once of two such frames each: all the pixels that one may have."""
        content = png(*BIG_PX, bits=16)
        self._sender.at_once([[content] * 2] * 4, seen)

    def many_large_views(self, seen: Counter[str]) -> None:
        """Seven requests at once of 16 views of 8.4 megapixels, and two of more than a request."""
        views = [png(*SIXTEENTH_PX)] * 16
        self._sender.at_once([views] * 7, seen)
        too_many = [png(4000, 4000, bits=16)] * 16
        self._sender.at_once([too_many] * 2, seen)

    def colour_frames(self, seen: Counter[str]) -> None:
        """Four each of colour that is too large, as large as can be, with alpha, and in 16 bits."""
        for content in self._colour:
            self._sender.at_once([[content]] * 4, seen)

    def many_scans(self, seen: Counter[str]) -> None:
        """JPEGs of 25, 26 and 100 scans: of 64 megapixels, and 16 small views, seven at once."""
        for n_scans in (25, 26, 100):
            large = jpeg_of_scans(*BIG_PX, n_scans)
            self._sender.at_once([[large]] * 2, seen)
        small = [jpeg_of_scans(2000, 2000, 25)] * 16
        self._sender.at_once([small] * 7, seen)

    def many_pieces(self, seen: Counter[str]) -> None:
        """Pictures of millions of segments or chunks, two at once."""
        segments = b"\xff\xef\0\x02" * N_SEGMENTS
        small = jpeg(40, 30)
        # with EXIF, for which Pillow is asked
        exif = b"\xff\xe1\0\x10Exif\0\0II*\0\x08\0\0\0"
        of_segments = small[:2] + exif + segments + small[2:]
        of_chunks = png(40, 30, extra=chunk(b"abCd") * N_CHUNKS)
        for content in (of_segments, of_chunks):
            self._sender.at_once([[content]] * 2, seen)

    def many_views(self, seen: Counter[str]) -> None:
        """Seven parts of 16 good views at once."""
        self._sender.at_once([[self._picture] * 16] * 7, seen)

    def mutated_pictures(self, seen: Counter[str]) -> None:
        """Pictures with some of their bytes changed, or cut off."""
        broken: list[Sequence[bytes]] = [[self._mutated()] for _ in range(N_MUTATED)]
        self._sender.at_once(broken, seen, n_clients=N_CLIENTS)

    def overload(self, seen: Counter[str]) -> None:
        """Many clients at once."""
        self._sender.at_once([[self._picture]] * 256, seen)

    def _mutated(self) -> bytes:
        """The picture with up to twenty bytes changed, every other time cut off too."""
        broken = bytearray(self._picture)
        n = len(broken)
        for _ in range(self._random.randint(1, 20)):
            value = self._random.randrange(256)
            place = self._random.randrange(n)
            broken[place] = value

        cut_off = self._random.randrange(n)
        n_kept = self._random.choice([n, cut_off])
        return bytes(broken[:n_kept])
