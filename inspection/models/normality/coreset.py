"""A few features that stand for many: greedy k-centre, as anomalib's KCenterGreedy chooses them."""

import torch
from torch import Tensor
from tqdm import tqdm

# no outcome: the features farthest from all centres, among which the next centres are looked for.
# They fit a processor's cache, and hold some dozen centres before the others must be asked.
N_FARTHEST = 2048

# no outcome: distances that are held at once, 16 MiB
MAX_DISTANCES = 2**22


def greedy_centres(features: Tensor, n_centres: int, seed: int) -> Tensor:
    """The row numbers of `n_centres` features (N, C), each the farthest from those before it.

    The first is drawn by the seed. Whatever lies farthest is found as by asking all features after
    each choice (Gonzalez 1985), but most of them are asked seldom: as long as one of the farthest
    few is farther than all others were, it is the farthest of all, for distances only shrink. Then
    all are asked about the new centres at once, by one product of matrices.
    """
    n_centres = min(n_centres, len(features))
    squares = features.square().sum(dim=1)
    generator = torch.Generator().manual_seed(seed)
    chosen = [int(torch.randint(len(features), (1,), generator=generator))]
    distances = torch.full((len(features),), torch.inf)
    n_asked = 0

    with tqdm(total=n_centres, desc="coreset", disable=None, leave=False) as progress:
        while len(chosen) < n_centres:
            new = torch.tensor(chosen[n_asked:])
            _ask_all(distances, features, squares, new)
            progress.update(len(chosen) - n_asked)
            n_asked = len(chosen)
            chosen += _farthest_few(distances, features, squares, n_centres - n_asked)
        progress.update(n_centres - n_asked)
    return torch.tensor(chosen)


def cover_radius(features: Tensor, centres: Tensor) -> float:
    """The distance of the feature (N, C) that lies farthest from its nearest centre (K, C)."""
    n_rows = max(1, MAX_DISTANCES // len(centres))
    nearest = [
        torch.cdist(some, centres).amin(dim=1) for some in features.split(n_rows)
    ]
    return float(torch.cat(nearest).max())


def _ask_all(distances: Tensor, features: Tensor, squares: Tensor, new: Tensor) -> None:
    """Lower each feature's squared distance to that of its nearest new centre."""
    n_rows = max(1, MAX_DISTANCES // len(new))
    for start in range(0, len(features), n_rows):
        rows = slice(start, start + n_rows)
        found = _squared(features[rows], squares[rows], features[new], squares[new])
        distances[rows] = torch.minimum(distances[rows], found.amin(dim=1))
    # a centre is none again, where another feature is left
    distances[new] = -torch.inf


def _farthest_few(
    distances: Tensor, features: Tensor, squares: Tensor, n: int
) -> list[int]:
    """Up to `n` centres, as long as they are sure to be the farthest of all features."""
    few = distances.topk(min(N_FARTHEST, len(distances))).indices
    left, at, square = distances[few], features[few], squares[few]
    # what all others are at most
    beyond = -torch.inf if len(few) == len(distances) else float(left[-1])

    found: list[int] = []
    while len(found) < n:
        farthest = int(left.argmax())
        if found and float(left[farthest]) <= beyond:
            break
        found.append(int(few[farthest]))
        one = slice(farthest, farthest + 1)
        left = torch.minimum(
            left, _squared(at, square, at[one], square[one]).squeeze(1)
        )
        left[farthest] = -torch.inf
    return found


def _squared(
    some: Tensor, squares: Tensor, centres: Tensor, of_centres: Tensor
) -> Tensor:
    """Squared distances (N, K) of features (N, C) to centres (K, C), by a product of matrices."""
    return torch.addmm(of_centres, some, centres.T, alpha=-2) + squares[:, None]
