import numpy as np
import pandas as pd

from dashboard.embedding.clusters import N_CLUSTERS, clusters

N_VIEWS = 120


def line() -> tuple[np.ndarray, pd.DataFrame]:
    """Views in twelve heaps of ten, on a plane of three rows; those of the first row are alone."""
    heap = np.repeat(np.arange(N_CLUSTERS), N_VIEWS // N_CLUSTERS)
    places = np.stack([heap % 4, heap // 4], axis=1).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 0.01, places.shape)
    embeddings = (places + noise).astype(np.float32)
    points = pd.DataFrame(
        {
            "path": [f"{number}.jpg" for number in range(N_VIEWS)],
            "number": range(N_VIEWS),
            "x": embeddings[:, 0],
            "y": embeddings[:, 1],
            "camera": np.where(heap < 4, "left", "right"),
        }
    )
    return embeddings, points


def test_clusters_that_are_a_camera_are_named_with_the_class_that_it_tells() -> None:
    embeddings, points = line()
    found = clusters(embeddings, points, points[["path", "camera"]])
    assert {(one.name, one.level, one.n_views) for one in found} == {
        ("camera", "left", 10), ("camera", "right", 10)
    }  # fmt: skip
    left = [one for one in found if one.level == "left"]
    assert len(left) == 4
    assert left[0].area.holds(points).sum() == 10
    assert left[0].sentence({"camera": "dent"}) == (
        "10 views: camera left in 100 % of them, in 33 % of all; by the audit camera tells dent"
    )


def test_clusters_that_lie_in_a_quarter_of_a_number_are_named_by_its_ends() -> None:
    embeddings, points = line()
    order = pd.DataFrame({"path": points["path"], "part_order": range(N_VIEWS)})
    found = clusters(embeddings, points, order)
    assert len(found) == N_CLUSTERS
    assert {one.level for one in found} == {
        "0 to 29.8", "29.8 to 59.5", "59.5 to 89.2", "89.2 to 119"
    }  # fmt: skip


def test_what_all_views_share_or_nobody_audited_names_no_cluster() -> None:
    embeddings, points = line()
    same = points[["path"]].assign(camera="left")
    assert clusters(embeddings, points, same) == []
    assert clusters(embeddings, points, points[["path"]]) == []
    few = points.head(N_CLUSTERS)
    assert clusters(embeddings, few, few[["path", "camera"]]) == []
