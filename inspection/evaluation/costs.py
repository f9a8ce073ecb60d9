"""What a wrong or late decision costs the line."""

from typing import Self

from pydantic import Field

from inspection.line import Frozen
from inspection.runtime.bundle import Card


class Costs(Frozen):
    """What a wrong or late decision costs, in units of one good part thrown away."""

    escape_cost: float = Field(default=100.0, gt=0)
    """A defective part that passed: the customer who finds five of them in a hundred is lost."""

    overkill_cost: float = Field(default=1.0, gt=0)
    """A good part that was rejected: the unit, so 1."""

    review_cost: float = Field(default=0.3, gt=0)
    """A part that a person looks at: a minute of work, against the price of a part."""

    defect_rate: float = Field(default=0.05, gt=0, lt=1)
    """Share of defective parts on the line, not in the data, where defects are collected."""

    @classmethod
    def of_card(cls, card: Card) -> Self:
        """The costs that a card was assembled with; what it does not tell is as usual."""
        known = {
            name: card.costs[name] for name in cls.model_fields if name in card.costs
        }
        return cls(**known)

    @property
    def on_defective(self) -> dict[str, float]:
        """What each verdict on a defective part costs."""
        return {"pass": self.escape_cost, "review": self.review_cost, "reject": 0.0}

    @property
    def on_good(self) -> dict[str, float]:
        """What each verdict on a good part costs."""
        return {"pass": 0.0, "review": self.review_cost, "reject": self.overkill_cost}
