"""Schema of the money terms of a contract: how its price moves, what is paid in any case, when, and equity.

Units after loading: USD, USD per chip-hour, USD per MWh, milliseconds, chips, kW.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from capsim.spec.base import Section
from capsim.spec.values import (
    Change,
    Count,
    Date,
    DurationMs,
    Flag,
    Fraction,
    GrowthPerYear,
    Kilowatts,
    OneOrByName,
    PositiveCount,
    PositiveDurationMs,
    PositiveNumber,
    Share,
    Usd,
    UsdPerHour,
    UsdPerMwh,
    Value,
    Whole,
    is_value,
    problem,
)


def _exactly_one(section: Section, what: str, *names: str) -> None:
    given = [name for name in names if getattr(section, name) not in (None, [])]
    if len(given) != 1:
        raise problem(
            f"{what} states {' and '.join(given) or 'nothing'}", f"write exactly one of {', '.join(names)}"
        )


class PriceStep(Section):
    """A change of the price, on top of the ones before it."""

    after: PositiveDurationMs
    change: Change


class Escalator(Section):
    """The price moves by agreement: a rate on every anniversary, or steps."""

    since: Literal["signing", "delivery"] = Field(
        default="delivery",
        description="what the years count from: the announcement, or the delivery of each tranche",
    )
    rate: GrowthPerYear | None = Field(default=None, description="on every anniversary (365.25 days)")
    steps: list[PriceStep] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_way(self) -> Escalator:
        _exactly_one(self, "an escalator", "rate", "steps")
        return self


class PriceReset(Section):
    """On its dates the price moves towards the market's."""

    at: list[Date] = Field(default_factory=list)
    every: PositiveDurationMs | None = Field(default=None, description="from the delivery of each tranche")
    share: Share = Field(default=Value(1.0), description="of the difference to the market price")
    market: str | None = Field(default=None, description="the offer's market where absent")
    basis: Literal["index", "price"] = Field(
        default="index",
        description="market price: the signed price moved as the market since signing, or the market's own",
    )

    @model_validator(mode="after")
    def _one_way(self) -> PriceReset:
        _exactly_one(self, "a price reset", "at", "every")
        return self


class MostFavoured(Section):
    """The price follows the market down: never above the lowest market price seen at a review."""

    every: PositiveDurationMs = Field(description="reviews, from the delivery of each tranche")
    until: Date | None = None
    market: str | None = Field(default=None, description="the offer's market where absent")
    basis: Literal["index", "price"] = Field(
        default="index",
        description="market price: the signed price moved as the market since signing, or the market's own",
    )


class Collar(Section):
    """Bounds of the moved price: as prices, or as shares of the signed price."""

    floor: OneOrByName[UsdPerHour] | None = None
    cap: OneOrByName[UsdPerHour] | None = None
    down: Share | None = Field(default=None, description="furthest below the signed price")
    up: Fraction | None = Field(default=None, description="furthest above the signed price")

    @model_validator(mode="after")
    def _consistent(self) -> Collar:
        if self.floor is not None and self.down is not None:
            raise problem("a collar states floor and down", "keep one of them", "down")
        if self.cap is not None and self.up is not None:
            raise problem("a collar states cap and up", "keep one of them", "up")
        if self.up is not None and float(self.up) < 0:
            raise problem("a collar's up is below 0", "write how far above the signed price, e.g. 10%", "up")
        if all(limit is None for limit in (self.floor, self.cap, self.down, self.up)):
            raise problem("a collar without a bound", "write floor or down, cap or up")
        low, high = self.floor, self.cap
        if not isinstance(low, dict | None) and not isinstance(high, dict | None) and low > high:
            raise problem("the floor is above the cap", "write floor <= cap", "floor")
        return self


class PowerPassThrough(Section):
    """The tenant pays what power costs above the price that the contract includes."""

    strike: UsdPerMwh = Field(description="price of power that the contract's price includes")
    price: UsdPerMwh | None = Field(default=None, description="a constant price of power")
    market: str | None = Field(default=None, description="the power market whose price is paid instead")
    load: Share = Field(default=Value(1.0), description="mean draw over the critical IT power")
    refund: Flag = Field(default=False, description="power below the strike is credited")

    @model_validator(mode="after")
    def _one_price(self) -> PowerPassThrough:
        _exactly_one(self, "a power pass-through", "price", "market")
        return self


class VolumeStep(Section):
    """From this many chips on."""

    from_: Count = Field(alias="from")
    price: OneOrByName[UsdPerHour] | None = None
    discount: Fraction | None = None

    @model_validator(mode="after")
    def _one_way(self) -> VolumeStep:
        _exactly_one(self, "a step of a price table", "price", "discount")
        return self


class VolumeTable(Section):
    """Price by the chips held under the offer."""

    applies: Literal["marginal", "all_units"] = Field(
        default="marginal",
        description="a step prices the chips beyond its bound (tranches fill it in order), or all chips",
    )
    steps: list[VolumeStep] = Field(min_length=1)


class TermStep(Section):
    """From this length of the contract on."""

    from_: PositiveDurationMs = Field(alias="from")
    discount: Fraction


class PrepaidStep(Section):
    """From this share paid in advance on."""

    from_: Share = Field(alias="from")
    discount: Fraction


class PriceTable(Section):
    """Prices by volume, term and prepayment; discounts multiply."""

    volume: VolumeTable | None = None
    term: list[TermStep] = Field(default_factory=list)
    prepaid: list[PrepaidStep] = Field(default_factory=list)


class CommitmentStep(Section):
    """The committed share from a time after delivery on."""

    after: DurationMs
    share: Share


class TakeOrPay(Section):
    """The share of the delivered chip-hours that is paid whether used or not."""

    share: Share
    starts: Literal["on_delivery", "on_date"] = "on_delivery"
    scope: Literal["tranche", "offer"] = Field(
        default="tranche",
        description="use and commitment are compared for each tranche and system, or for all that is held",
    )
    ramp: list[CommitmentStep] = Field(
        default_factory=list, description="committed share by time since the start; before its first step 0"
    )
    period: Literal["month", "quarter", "year"] = Field(
        default="month", description="calendar period over which use and commitment are compared"
    )
    make_up: PositiveCount | None = Field(
        default=None, description="periods within which hours paid and not used may be used, free of rent"
    )
    carry_forward: PositiveCount | None = Field(
        default=None, description="periods within which use above the commitment reduces a later shortfall"
    )


class MinSpend(Section):
    """Least spend under the contract; what is missing is paid when its year, or the contract, ends."""

    per_year: Usd | None = Field(default=None, description="in each year from the first planned delivery")
    total: Usd | None = None
    share: Share | None = Field(default=None, description="of the total value")

    @model_validator(mode="after")
    def _something(self) -> MinSpend:
        if self.total is not None and self.share is not None:
            raise problem("a minimum spend states total and share", "keep one of them", "share")
        if self.per_year is None and self.total is None and self.share is None:
            raise problem("a minimum spend without an amount", "write per_year, total or share")
        return self


def _min_spend_form(raw: Any) -> str:
    return (
        "section" if isinstance(raw, MinSpend) or (isinstance(raw, dict) and not is_value(raw)) else "share"
    )


MinSpendForm = Annotated[
    Annotated[Share, Tag("share")] | Annotated[MinSpend, Tag("section")], Discriminator(_min_spend_form)
]
"""A share of the total value, or amounts."""


class Termination(Section):
    """The right to leave for convenience, at a fee on what would have remained payable."""

    fee: Share | None = Field(default=None, description="share of the remaining value")
    by_year: list[Share] = Field(
        default_factory=list, description="the same by year of the contract; the last holds on"
    )
    notice: DurationMs = Field(default=Whole(0), description="from notice to exit")

    @model_validator(mode="after")
    def _one_way(self) -> Termination:
        _exactly_one(self, "a termination right", "fee", "by_year")
        return self


class Prepay(Section):
    """Money paid before delivery and credited later."""

    share: Share = Field(description="share of each tranche's value paid in advance")
    before: DurationMs = Field(description="how long before the planned delivery it is due")
    credited_after: DurationMs = Field(description="when after delivery the draw-down begins")
    credited: Literal["as_billed", "evenly"] = Field(
        default="as_billed", description="against the whole rent until it is used up, or evenly to the end"
    )
    refundable: Flag = Field(
        default=True,
        description="what is not drawn down comes back when its holder leaves for convenience, or exchanges"
        " the chips by a refresh",
    )


class Stock(Section):
    """A share price: lognormal, drawn once a run for all strategies."""

    price: Usd = Field(description="at the start of the horizon")
    drift: GrowthPerYear = Field(description="growth of the mean")
    volatility: Fraction = Field(description="yearly standard deviation of the log")


class Warrant(Section):
    """A right to buy shares of the supplier."""

    shares: PositiveNumber
    strike: Usd


class Milestone(Section):
    """A part that vests in the first month in which each of its conditions has been met."""

    share: Share = Field(description="of the equity")
    delivered: Kilowatts | None = Field(default=None, description="critical IT power delivered by the offer")
    share_price: Usd | None = Field(default=None, description="reached at the end of some month")
    not_before: Date | None = None
    probability: Share | None = Field(
        default=None, description="of further conditions; weighs the value, is not drawn"
    )


class Equity(Section):
    """Investment or warrants that come with the contract. Shown apart, never netted."""

    value: Usd | None = Field(default=None, description="in full; a warrant states its shares in its place")
    warrant: Warrant | None = None
    stock: Stock | None = Field(default=None, description="what the warrant and share_price refer to")
    haircut: Share = Field(description="share of the value that is not counted")
    vests: Literal["on_signing", "with_delivery", "conditional", "milestones"] = "with_delivery"
    probability: Share | None = Field(default=None, description="of a conditional part")
    milestones: list[Milestone] = Field(default_factory=list)

    @model_validator(mode="after")
    def _consistent(self) -> Equity:
        _exactly_one(self, "equity", "value", "warrant")
        if (self.vests == "milestones") != bool(self.milestones):
            raise problem(
                "`vests: milestones` and a list of milestones belong together",
                "write both or neither",
                "vests",
            )
        priced = self.warrant is not None or any(m.share_price is not None for m in self.milestones)
        if priced and self.stock is None:
            raise problem(
                "a warrant or a share price without a stock", "add stock: {price, drift, volatility}", "vests"
            )
        return self


class Solve(Section):
    """The reverse of a total price: price and value are given, chips or length are what they come to."""

    unknown: Literal["chips", "term"]
    value: Usd
    lot: PositiveCount | None = Field(default=None, description="chips are solved in multiples of this")
