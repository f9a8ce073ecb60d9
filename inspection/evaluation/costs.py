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

    @property
    def on_defective(self) -> dict[str, float]:
        """What each verdict on a defective part costs."""
        return {"pass": self.escape_cost, "review": self.review_cost, "reject": 0.0}

    @property
    def on_good(self) -> dict[str, float]:
        """What each verdict on a good part costs."""
        return {"pass": 0.0, "review": self.review_cost, "reject": self.overkill_cost}
