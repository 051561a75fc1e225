"""Schema of markets: prices of chip-hours by regimes, and prices of power by site or region."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from capsim.spec.base import Section
from capsim.spec.values import (
    ByKey,
    Date,
    DurationMs,
    Fraction,
    FractionPerQuarter,
    GrowthPerYear,
    PositiveNumber,
    RatePerYear,
    Share,
    UsdPerHour,
    UsdPerMwh,
    Value,
    problem,
)


class Regime(Section):
    """One state of the price process."""

    drift: GrowthPerYear
    leave: FractionPerQuarter = Field(description="probability of leaving the state, a quarter")


class Follow(Section):
    """Another market that moves this one: its turns from regime to regime, and a part of its noise."""

    market: str
    correlation: Share = Field(description="of the monthly noise of both log prices")


class Newer(Section):
    """A newer chip, after whose arrival chips of a market are worth no more than the same work on it."""

    starts: Date = Field(alias="from")
    price: UsdPerHour = Field(description="of the newer chip")
    work: PositiveNumber = Field(description="work of a newer chip, in chips of this market")
    phase: DurationMs | None = Field(default=None, description="time in which it becomes widely available")


class Market(Section):
    """A price path, monthly: a regime process, around a published mean path where there is one."""

    start: UsdPerHour = Field(description="price at the horizon's start")
    state: str = Field(description="regime at the start")
    volatility: Fraction = Field(description="yearly standard deviation of log prices")
    regimes: dict[str, Regime]
    mean: ByKey[Date, UsdPerHour] = Field(
        default_factory=dict,
        description="published mean price by date; the regimes only vary it until the last date",
    )
    follows: Follow | None = None
    newer: list[Newer] = Field(default_factory=list)

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if (self.mean or self.newer) and min(float(self.start), *map(float, self.mean.values()), 1.0) <= 0.0:
            raise problem("a market whose mean price is 0", "write prices above $0/h")
        return self


class Season(Section):
    """A yearly wave on the price of power."""

    amplitude: Share = Field(description="of the mean")
    peak_month: PositiveNumber = Field(description="1 to 12")


class PowerMarket(Section):
    """The price of power at a site or in a region, monthly: it returns to its mean and has a season.

    The log deviation from the seasonal mean is an Ornstein-Uhlenbeck process (Lucia and Schwartz 2002).
    """

    mean: UsdPerMwh
    start: UsdPerMwh | None = Field(default=None, description="at the horizon's start, without the season")
    reversion: RatePerYear = Field(
        default=Value(2.0, confidence="assumed"),
        description="speed of the return to the mean; 2/y halves a deviation in four months",
    )
    volatility: Fraction = Field(description="yearly standard deviation of log prices")
    drift: GrowthPerYear | None = Field(default=None, description="yearly change of the mean")
    season: Season | None = None

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if min(float(self.mean), 1.0 if self.start is None else float(self.start)) <= 0.0:
            raise problem("power without a price", "write prices above $0/MWh")
        return self
