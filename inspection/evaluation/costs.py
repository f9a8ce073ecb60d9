"""What a wrong or late decision costs the line."""

from pydantic import Field

from inspection.line import Frozen


class Costs(Frozen):
    """What a wrong or late decision costs, in units of one good part thrown away.

    `defect_rate` is the share of defective parts on the line, not in the data.
    """

    escape_cost: float = Field(default=100.0, gt=0)
    overkill_cost: float = Field(default=1.0, gt=0)
    review_cost: float = Field(default=0.3, gt=0)
    defect_rate: float = Field(default=0.05, gt=0, lt=1)
