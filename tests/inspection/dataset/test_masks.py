from inspection.dataset.image_files import ImageFile, Mask
from inspection.dataset.labelling import Labelled
from inspection.dataset.layouts import Layout
from inspection.dataset.masks import contradicting, masks_of_views
from inspection.dataset.names import ViewName
from inspection.images import ImageFacts
from inspection.line import Line

LINE = Line.model_validate(
    {
        "name": "line",
        "normal": "good",
        "classes": {"good": {}, "dent": {}},
        "regions": {"rod": {"size_px": [32, 32], "shows": ["dent"]}},
        "classify": "rod",
        "detect_anomalies": "rod",
    }
)
LAYOUT = Layout(layout="masks", masks="{folder}/{stem}_mask.png")


def image(path: str, size_px: tuple[int, int] = (64, 48)) -> ImageFile:
    return ImageFile(path, "0" * 64, ImageFacts(*size_px, 1, 8, "PNG"))


def mask(path: str, *, is_marked: bool = True) -> Mask:
    return Mask(path, 64, 48, is_marked)


def test_a_mask_belongs_to_the_view_of_its_name_and_size() -> None:
    images = [image("s/a.png"), image("s/b.png", (64, 47)), image("s/c.png")]
    names = {one.path: ViewName(one.path, {}) for one in images}
    masks = [mask("s/a_mask.png"), mask("s/b_mask.png"), mask("s/d_mask.png")]
    found, findings = masks_of_views(images, names, masks, LAYOUT, LINE)
    assert found == {"s/a.png": masks[0]}
    assert [(one.path, one.reason, one.view_kept) for one in findings] == [
        ("s/b_mask.png", "mask_size_differs", True),
        ("s/d_mask.png", "mask_without_image", True),
    ]


def test_masks_that_contradict_the_label_are_listed() -> None:
    masked = {
        "good.png": mask("1.png", is_marked=True),
        "blank.png": mask("2.png", is_marked=False),
        "dent.png": mask("3.png", is_marked=True),
        "clean.png": mask("4.png", is_marked=False),
        "unknown.png": mask("5.png", is_marked=True),
    }
    of = {"good.png": "good", "blank.png": "dent", "dent.png": "dent", "clean.png": "good"}
    labels = {path: Labelled(label, label) for path, label in of.items()}
    found = [(one.path, one.reason) for one in contradicting(masked, labels, LINE)]
    assert found == [("1.png", "mask_on_normal"), ("2.png", "mask_marks_nothing")]
