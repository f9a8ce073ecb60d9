from inspection.dataset.image_index import ImageIndex


def test_an_annotation_finds_its_image_by_the_longest_common_end() -> None:
    index = ImageIndex(
        ["train/images/a.jpg", "val/images/a.jpg", "val/images/b.jpg"], suffixes=True
    )
    assert index.find("b.jpg") == "val/images/b.jpg"
    assert index.find("/home/x/train/images/a.jpg") == "train/images/a.jpg"
    assert index.find("a.jpg") is None
    assert index.find("gone.jpg") is None
