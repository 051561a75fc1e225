"""Schema of strategies: what is held, and rules that buy, exercise, renew, let or leave."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from capsim.spec.base import Section
from capsim.spec.contract_delivery import Resale
from capsim.spec.values import (
    Count,
    Date,
    DurationMs,
    HeldChips,
    PositiveCount,
    ReviewPeriodMs,
    Share,
    Text,
)


class Order(Section):
    """A dated call under a framework contract."""

    chip: str
    quantity: PositiveCount
    at: Date


class Buy(Section):
    """What a rule buys."""

    offer: str
    quantity: PositiveCount
    lead: DurationMs
    limit_per_quarter: Count | None = None


class Rule(Section):
    """A trigger: when the condition holds at a review, buy."""

    when: Text = Field(
        description="e.g. 'backlog > 2w' or 'utilisation > 85% for 30d'; conditions joined by 'or'"
    )
    review: ReviewPeriodMs
    buy: Buy


def _holding_form(raw: Any) -> str:
    if isinstance(raw, list):
        return "orders"
    return "word" if isinstance(raw, str) and raw in ("min", "max") else "chips"


Holding = Annotated[
    Annotated[Literal["min", "max"], Tag("word")]
    | Annotated[HeldChips, Tag("chips")]
    | Annotated[list[Order], Tag("orders")],
    Discriminator(_holding_form),
]
"""``min``, ``max``, a number of chips (of shells for powered shells), or dated orders."""


class Strategy(Section):
    """A way to source capacity."""

    title: Text | None = None
    note: Text | None = None
    hold: dict[str, Holding] = Field(default_factory=dict)
    share: Share | None = Field(default=None, description="slice of every holding that is simulated")
    options: list[str] = Field(default_factory=list, description="options exercised, as offer.option")
    exercise: dict[str, Text] = Field(
        default_factory=dict,
        description="options exercised if a condition holds on their day of decision, by offer.option",
    )
    renew: dict[str, Text] = Field(
        default_factory=dict, description="renewals by offer: `always`, `never` or a condition"
    )
    terminate: dict[str, Date] = Field(
        default_factory=dict, description="early termination for convenience: day by offer"
    )
    resell: list[Resale] = Field(default_factory=list)
    rules: list[Rule] = Field(default_factory=list)
