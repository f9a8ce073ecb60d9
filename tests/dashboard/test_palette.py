from dashboard.palette import NORMAL, PALETTE, class_colours, legend
from tests.bundles import sample_line


def test_normal_is_grey_and_each_defect_has_a_colour_of_its_own_in_the_lines_order() -> None:
    colours = class_colours(sample_line(), ["scratch", "dent"])
    assert list(colours) == ["normal", "dent", "slide", "under_press", "scratch"]
    assert list(colours.values()) == [NORMAL, *PALETTE[:4]]


def test_more_names_than_colours_share_them() -> None:
    names = [str(number) for number in range(10)]
    assert len(set(class_colours(sample_line(), names).values())) == 1 + len(PALETTE)


def test_the_legend_shows_a_name_as_text_whatever_it_holds() -> None:
    shown = legend({"<b>dent": "#0072b2"})
    assert "&lt;b&gt;dent" in shown
    assert "#0072b2" in shown
