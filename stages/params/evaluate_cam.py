"""The section `evaluate_cam` of params.yaml."""

from pydantic import Field

from stages import sections


class EvaluateCamParams(sections.Params):
    """On what the CAM recipes are compared, and how many crops are shown."""

    max_defects: int = Field(default=150, ge=1)
    """Val crops of defects at most, drawn at random; each recipe is tried on all of them."""

    max_normals: int = Field(default=80, ge=1)
    """Val crops of normals at most: their heat sets the cold end of the scale."""

    gallery_size: int = Field(default=24, ge=0, le=200)
    """Crops with heat that the report shows."""

    seed: int = 0
    """Of what is drawn."""
