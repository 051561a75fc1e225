"""Schema of what an offer says about delivery and its contract's life: delays, acceptance, remedies, renewal,
spot interruptions, the end of a lease, and who may use the chips.

Units after loading: milliseconds, USD, chips.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from capsim.spec.base import Section
from capsim.spec.conditions import ConditionText
from capsim.spec.values import (
    ByKey,
    Count,
    Date,
    DurationMs,
    Fraction,
    HazardPerYear,
    Number,
    OfferName,
    OneOrByName,
    PositiveCount,
    PositiveDurationMs,
    RatePerYear,
    Share,
    SignedDurationMs,
    Usd,
    UsdPerHour,
    problem,
)


class DelayStep(Section):
    """One step of a delay distribution: `p` of tranches slip by `by`."""

    by: DurationMs
    p: Share


class Remedy(Section):
    """What the buyer gets when a tranche is late."""

    cure: DurationMs | None = Field(
        default=None, description="time after the missed date before any remedy applies"
    )
    terminate_after: DurationMs | None = Field(
        default=None,
        description="the buyer leaves the tranche when it is later than this, after the cure period",
    )
    long_stop: Date | None = Field(
        default=None, description="the buyer leaves the tranche if it is not there on this day"
    )
    credit_per_day: Share | None = Field(
        default=None, description="credit a day late, as a share of the tranche's daily rent"
    )
    credit_cap: Fraction | None = Field(
        default=None, description="greatest credit, as a share of a year's rent of the tranche"
    )


class Acceptance(Section):
    """A test between delivery and rent: the chips are on site and cannot be used until it is passed."""

    duration: DurationMs = Field(description="from delivery to acceptance, if the first test passes")
    failure: Share | None = Field(
        default=None, description="probability that a test fails and is repeated (each one anew)"
    )
    repeat: DurationMs | None = Field(
        default=None, description="time that a repeated test takes (the first one's where absent)"
    )


class Substitute(Section):
    """Chips that the supplier provides while a tranche is late."""

    chip: str
    share: Share = Field(description="of the tranche's chips")
    after: DurationMs = Field(description="how late the tranche is when they come")
    price: UsdPerHour | None = Field(default=None, description="per chip-hour; free where absent")


class MakeGood(Section):
    """Time or chips that the supplier gives for long outages and delays."""

    outages_over: DurationMs | None = Field(
        default=None, description="outages longer than this are given back in full at the end of the term"
    )
    delays_over: DurationMs | None = Field(
        default=None, description="delays longer than this are given back in full at the end of the term"
    )
    ratio: Fraction | None = Field(
        default=None, description="hours given, free of rent, per hour lost; 1 where absent"
    )
    substitute: Substitute | None = None


class Delivery(Section):
    """When chips really arrive."""

    delay: list[DelayStep] = Field(
        default_factory=list, description="applies to new builds; probabilities sum to 1"
    )
    existing_delay: list[DelayStep] = Field(default_factory=list, description="applies to existing capacity")
    factor: str | None = Field(
        default=None, description="shared factor that correlates the delay with others"
    )
    shift: SignedDurationMs | None = Field(default=None, description="added to every tranche")
    acceptance: Acceptance | None = None
    remedy: Remedy | None = None
    make_good: MakeGood | None = None


class Renewal(Section):
    """A right to go on at the end of the term; a strategy says under `renew` when it uses it."""

    term: PositiveDurationMs
    price: Literal["same", "market"] = Field(
        default="same", description="the expiring price, or moved as the offer's market since the start"
    )
    change: Fraction | None = Field(default=None, description="added to that price, e.g. 5% or -10%")
    notice: DurationMs | None = Field(default=None, description="how long before the end it is decided")
    times: PositiveCount | None = Field(default=None, description="how often; once where absent")


class Interruptions(Section):
    """How spot capacity is reclaimed: its chips, or a share of them, leave and come back together."""

    rate: RatePerYear = Field(description="times it is reclaimed, at the market's starting price")
    share: Share | None = Field(
        default=None,
        description="of the chips that leave each time, in whole placement units; all of them where absent",
    )
    price_power: Number | None = Field(
        default=None, description="the rate grows with this power of market price over its start"
    )
    notice: DurationMs | None = Field(
        default=None, description="warning, in which jobs are checkpointed; then they are requeued"
    )
    away: PositiveDurationMs = Field(description="mean of an exponential time until the chips come back")


class LeaseEnd(Section):
    """What becomes of leased chips when the lease ends."""

    action: Literal["return", "purchase"] = "return"
    residual: OneOrByName[Usd] | None = Field(
        default=None, description="price of a chip that is bought at the end"
    )


class Dedicated(Section):
    """A place reserved for named workloads or tenants; others may not use it."""

    workloads: list[str] = Field(
        default_factory=list,
        description="names of training runs and services, or `training`, `research`, `inference`",
    )
    tenants: list[PositiveCount] = Field(
        default_factory=list,
        description="numbers of the tenants whose campaigns may run here; 1 is the largest",
    )

    @model_validator(mode="after")
    def _somebody(self) -> Dedicated:
        if not self.workloads and not self.tenants:
            raise problem("a dedicated place for nobody", "name workloads or tenants")
        return self


DepthByQuarter = ByKey[Date, Count]
"""Chips that can be had from a date on, e.g. {2026-Q1: 500, 2026-Q3: 2k}."""


class SupplierDefault(Section):
    """How likely a provider is to stop delivering, and what its customers get back."""

    hazard: HazardPerYear = Field(description="defaults a year; the first one ends all of its contracts")
    factor: str | None = Field(
        default=None, description="shared factor that correlates the default with others"
    )
    recovery: Share | None = Field(
        default=None, description="share of prepayments not yet drawn down that comes back"
    )
    recovery_after: DurationMs | None = Field(
        default=None, description="time from the default to the recovery"
    )


class Letting(Section):
    """Chips that a strategy lets to others, or sells where it bought them."""

    offer: OfferName
    share: Share = Field(description="of the offer's chips, in whole scale-up domains")
    discount: Share | None = Field(
        default=None, description="below the price that the market pays for these chips on that day"
    )
    haircut: Share | None = Field(
        default=None, description="share of that price which is not received (vacancy, fees)"
    )


class Resale(Letting):
    """The same from a date on."""

    starts: Date = Field(alias="from")
    when: ConditionText | None = Field(default=None, description="condition on that day; always where absent")
    until: Date | None = Field(
        default=None,
        description="the condition is asked again every week, until it holds or this day is over",
    )
