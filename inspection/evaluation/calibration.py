"""Temperature scaling: probabilities that mean what they say (Guo et al. 2017)."""

from typing import Any

import numpy as np

from inspection.runtime.verdict import probabilities_of

LIMITS = (0.05, 20.0)


def fit_temperature(logits: Any, labels: Any) -> float:
    """The temperature of least log loss on val: logits (N, classes), class numbers (N,)."""
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return log_loss(logits, labels, float(np.exp(log_temperature)))

    best = minimize_scalar(loss, bounds=tuple(np.log(LIMITS)), method="bounded")
    return round(float(np.exp(best.x)), 6)


def log_loss(logits: Any, labels: Any, temperature: float) -> float:
    """Mean negative log probability of the labels, in nats."""
    probabilities = probabilities_of(logits, temperature).astype(np.float64)
    taken = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(taken, 1e-12)).mean())


def calibration_error(
    logits: Any, labels: Any, temperature: float, n_bins: int = 10
) -> float:
    """Expected calibration error, 0..1: how far confidence and accuracy lie apart, bin by bin."""
    probabilities = probabilities_of(logits, temperature)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == np.asarray(labels)
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    gaps = [
        abs(confidence[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean()
        for b in range(n_bins)
        if (bins == b).any()
    ]
    return float(sum(gaps))
