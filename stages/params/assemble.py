"""The section `assemble` of params.yaml."""

from pydantic import Field

from inspection.evaluation.costs import Costs
from inspection.evaluation.operating_point import UNUSUAL_RATE
from stages import sections


class AssembleParams(sections.Params):
    """What decisions cost, the escape rate to be claimed, and how far a model may be off."""

    costs: Costs = Costs()
    """What a wrong verdict costs, in units of one good part thrown away."""

    max_escape_rate: float | None = Field(default=0.01, gt=0, lt=1)
    """Of defective parts, at most so many may pass; null lets the costs alone decide. Where the
    data cannot support it, no known defective part passes, and card, summary and report say so."""

    unusual_rate: float = Field(default=UNUSUAL_RATE, gt=0, lt=1)
    """Of normal parts, about so many may go to review for being more unlike normal parts than the
    others, whatever the fused score says: it knows the defects that were seen, not the next one."""

    parity_tolerance: float = Field(default=1e-3, gt=0)
    """How far an exported model's outputs may be off from torch's, in units of the output."""

    golden_crops: int = Field(default=64, ge=1)
    """Val crops by which exported models are held against torch."""
