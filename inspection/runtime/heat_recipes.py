"""By which recipe a detector makes its heat, in words."""

from inspection.runtime.detectors import DetectorCard

# What stage fit_anomaly fits (Defard et al. 2021); its card names the features alone.
ANOMALY_METHOD = "padim"
# What is said of a card that names neither.
UNKNOWN = "not named"


def heat_recipe(detector: DetectorCard) -> str:
    """The CAM method and its layer, or the anomaly model and the features that it reads.

    UNKNOWN where the card says neither.
    """
    evidence = detector.evidence
    if "method" in evidence and "layer" in evidence:
        return f"{evidence['method']} on {evidence['layer']}"
    if "features" in evidence:
        return f"{ANOMALY_METHOD} on {evidence['features']} features"
    return UNKNOWN
