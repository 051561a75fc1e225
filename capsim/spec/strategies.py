"""Schema of strategies: what is held, and what buys, exercises, renews, lets or leaves while a run lasts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Discriminator, Field, PrivateAttr, Tag, model_validator

from capsim.spec.base import Section
from capsim.spec.conditions import ConditionText, RenewalText
from capsim.spec.contract_delivery import Letting, Resale
from capsim.spec.dispatch import DispatchRule
from capsim.spec.values import (
    ByKey,
    Count,
    Date,
    DurationMs,
    Flag,
    HeldChips,
    OfferName,
    OneOrByName,
    PositiveCount,
    ReviewPeriodMs,
    Share,
    Text,
    Usd,
    Whole,
    problem,
)
from capsim.units import DAY_MS

FOUR_WEEKS = 28 * DAY_MS


class Order(Section):
    """A dated call under a framework contract."""

    chip: str
    quantity: PositiveCount
    at: Date


class Buy(Section):
    """What may be bought while a run lasts: orders of one size, and how far they may go."""

    offer: OfferName
    chip: str | None = Field(default=None, description="the system; the offer's first where absent")
    quantity: PositiveCount = Field(description="chips of one order")
    lead: DurationMs = Field(description="from the order to the planned delivery")
    limit_per_quarter: Count | None = None
    limit: PositiveCount | None = Field(default=None, description="chips in all")
    budget: Usd | None = Field(default=None, description="value of all these orders over their terms")


class Rule(Section):
    """A trigger: when the condition holds at a review, do one thing."""

    when: ConditionText = Field(
        description="e.g. 'backlog > 2w' or 'utilisation > 85% for 30d'; conditions joined by 'and', 'or'"
    )
    review: ReviewPeriodMs
    cool_down: DurationMs | None = Field(default=None, description="pause after the rule has acted")
    times: PositiveCount | None = Field(default=None, description="how often it acts; no limit where absent")
    buy: Buy | None = None
    terminate: Text | None = Field(default=None, description="offer that is left for convenience")
    exercise: Text | None = Field(default=None, description="offer.option, until its day of decision")
    renew: Text | None = Field(default=None, description="offer whose tranches are renewed from now on")
    resell: Letting | None = None

    @model_validator(mode="after")
    def _one_action(self) -> Self:
        given = [name for name in ACTIONS if getattr(self, name) is not None]
        if len(given) != 1:
            raise problem(
                f"a rule that does {len(given)} things", f"write exactly one of {', '.join(ACTIONS)}"
            )
        return self


ACTIONS = ("buy", "terminate", "exercise", "renew", "resell")


class Ramp(Buy):
    """A path of chips that are ordered ahead by their lead time."""

    target: ByKey[Date, Count] = Field(
        description="chips wanted under these orders by date, straight lines in between"
    )
    with_demand: Flag = Field(
        default=False, description="the target is for the first weeks' tokens and grows and falls with them"
    )
    review: ReviewPeriodMs = Field(default=Whole(FOUR_WEEKS))

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if not self.target:
            raise problem("a ramp without a target", "write {2026-01: 0, 2027-01: 7200}", "target")
        if self.with_demand and self.limit is None:
            raise problem("a ramp with demand without a limit", "add `limit`: chips in all")
        return self


class PythonStrategy(Section):
    """A strategy written in Python: a function that is called at every review."""

    call: Text = Field(
        description="`file.py:function` beside the study, `package.module:function`,"
        " or a name of the entry point group capsim.strategies"
    )
    review: ReviewPeriodMs = Field(default=Whole(FOUR_WEEKS))
    may_buy: list[Buy] = Field(default_factory=list, description="each with a limit: chips in all")
    may_exercise: list[Text] = Field(default_factory=list, description="options, as offer.option")
    sha256: Text | None = Field(
        default=None, description="digest of the source; filled in while loading, and compared where given"
    )
    _source: tuple[str, str] = PrivateAttr(default=("", ""))

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        for index, buy in enumerate(self.may_buy):
            if buy.limit is None:
                raise problem(f"no limit for {buy.offer}", "add `limit`: chips in all", "may_buy", str(index))
        return self

    @property
    def source(self) -> tuple[str, str]:
        """File or module, and function, as this process can import them."""
        return self._source

    def found_at(self, place: str, function: str, sha256: str) -> Self:
        """The same with the place of its code and the digest of its source."""
        found = self.model_copy(update={"sha256": sha256})
        found._source = (place, function)
        return found


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


class Purchase(NamedTuple):
    """What may be bought while the run lasts: where it stands in the strategy, how often it is looked at
    (ms), and how many orders fit into its own limits (None: one a review)."""

    path: tuple[str | int, ...]
    buy: Buy
    review: int
    orders: int | None


class Strategy(Section):
    """A way to source capacity."""

    title: Text | None = None
    note: Text | None = None
    hold: dict[str, Holding] = Field(default_factory=dict)
    share: Share | None = Field(default=None, description="slice of every holding that is simulated")
    options: list[str] = Field(default_factory=list, description="options exercised, as offer.option")
    exercise: dict[str, ConditionText] = Field(
        default_factory=dict,
        description="options exercised if a condition holds on their day of decision, by offer.option",
    )
    renew: dict[str, RenewalText] = Field(
        default_factory=dict, description="renewals by offer: `always`, `never` or a condition"
    )
    terminate: dict[str, Date] = Field(
        default_factory=dict, description="early termination for convenience: day by offer"
    )
    resell: list[Resale] = Field(default_factory=list)
    rules: list[Rule] = Field(default_factory=list)
    ramp: list[Ramp] = Field(default_factory=list)
    python: PythonStrategy | None = None
    dispatch: OneOrByName[DispatchRule] | None = Field(
        default=None,
        description="how work chooses among places: one rule, or a rule by workload or kind (`training`,"
        " `research`, `inference`); `advantage` where absent",
    )

    def purchases(self) -> Iterator[Purchase]:
        """Everything that may be bought while the run lasts, in the order of its numbers."""
        for index, rule in enumerate(self.rules):
            if rule.buy is not None:
                times = None if rule.times is None else int(rule.times)
                yield Purchase(("rules", index, "buy"), rule.buy, int(rule.review), times)
        for index, ramp in enumerate(self.ramp):
            most = int(ramp.limit) if ramp.limit is not None else max(int(c) for c in ramp.target.values())
            orders = -(-most // int(ramp.quantity))
            yield Purchase(("ramp", index), ramp, int(ramp.review), orders)
        if self.python is not None:
            for index, buy in enumerate(self.python.may_buy):
                orders = int(buy.limit or 0) // int(buy.quantity)
                yield Purchase(("python", "may_buy", index), buy, int(self.python.review), orders)

    def buys(self) -> set[str]:
        """Offers that may be bought while the run lasts."""
        return {purchase.buy.offer for purchase in self.purchases()}

    def may_exercise(self) -> list[str]:
        """Options that a condition, a rule or Python may exercise, each once."""
        named = [rule.exercise for rule in self.rules if rule.exercise is not None]
        coded = [] if self.python is None else self.python.may_exercise
        fixed = set(self.options)
        return [name for name in dict.fromkeys([*self.exercise, *named, *coded]) if name not in fixed]

    def decides_later(self, offer: str) -> bool:
        """Whether a renewal of an offer may be decided by a rule or in Python."""
        return self.python is not None or any(rule.renew == offer for rule in self.rules)
