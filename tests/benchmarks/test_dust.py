import numpy as np

from benchmarks.dust import Verdicts, fibre, silhouette, table, with_fibres

# A part of 100 x 40 pixels in the middle of a dark frame.
BOX = [60, 40, 100, 40]
FRAME = np.full((120, 220), 8, np.uint8)
FRAME[40:80, 60:160] = 120


def test_the_part_is_what_is_bright_within_its_boxes() -> None:
    part = silhouette(FRAME, [BOX])
    # four pixels around it are kept clear
    assert np.argwhere(part).min(axis=0).tolist() == [36, 56]
    assert np.argwhere(part).max(axis=0).tolist() == [83, 163]
    # but for the corners, which the median rounds
    assert part[36:84, 56:164].mean() > 0.99


def test_a_fibre_lies_next_to_the_part_and_never_on_it() -> None:
    generator = np.random.default_rng(0)
    part = silhouette(FRAME, [BOX])
    for _ in range(20):
        layer = fibre(part, generator)
        assert layer.any()
        assert not (layer * part).any()


def test_dust_leaves_the_part_as_it_was() -> None:
    dusty = with_fibres(FRAME, [BOX], np.random.default_rng(0))
    np.testing.assert_array_equal(dusty[40:80, 60:160], FRAME[40:80, 60:160])
    assert (dusty != FRAME).sum() > 30


def test_the_table_counts_verdicts_before_and_after() -> None:
    found = [Verdicts("pass", "pass"), Verdicts("pass", "review"), Verdicts("review", "reject")]
    lines = table(found).splitlines()
    assert lines[1].split() == ["pass", "1", "1", "0"]
    assert lines[2].split() == ["review", "0", "0", "1"]
    assert lines[-1] == "1 of 3 good parts have the same verdict"
