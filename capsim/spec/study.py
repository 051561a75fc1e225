"""Schema of a study: horizon, uncertainty, cases and the comparison."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from capsim.spec.base import Section
from capsim.spec.calibration import CalibrationSection
from capsim.spec.contract_delivery import SupplierDefault
from capsim.spec.demand import Demand
from capsim.spec.hardware import Chip, ModelCard, Porting, Price, System
from capsim.spec.markets import Market, PowerMarket
from capsim.spec.offers import Offer, Status
from capsim.spec.scheduler import Scheduler
from capsim.spec.strategies import Holding, Strategy
from capsim.spec.values import (
    AnyMapping,
    Count,
    Date,
    DurationMs,
    Fraction,
    GigabytesPerSecond,
    GrowthPerYear,
    OfferName,
    PositiveCount,
    Share,
    Sigma,
    StrategyName,
    Text,
    Usd,
    Value,
    Whole,
)


class Horizon(Section):
    """What is simulated; `end` is exclusive."""

    start: Date
    end: Date


class Money(Section):
    """Currency and discounting."""

    currency: Literal["USD"] = "USD"
    discount_rate: GrowthPerYear


class Factor(Section):
    """A shared cause of delay."""

    correlation: Share = Field(description="correlation of the normal scores of two delays with this factor")


class DemandBreak(Section):
    """A sudden fall of token demand."""

    probability: Share = Field(description="a year")
    size: Share = Field(description="share of the demand that is lost")
    duration: DurationMs


class DemandUncertainty(Section):
    """What is not known about demand."""

    growth_sigma: Sigma = Field(
        description="sigma of the log of token demand by `growth_by`, growing linearly in time"
    )
    growth_by: Date
    research_sigma: Sigma = Field(description="the same for research demand")
    cadence: DurationMs = Field(description="standard deviation of the shift of each run's earliest date")
    break_: DemandBreak | None = Field(default=None, alias="break")


class RateCorrelation(Section):
    """What the errors of the models' rates on two systems have in common, by kind of model.

    Measured within the leave-one-out errors of the tables: the same publisher and model on two chips.
    """

    training: Share = Field(
        default=Value(0.56, source="68 pairs of chips in 19 (group, model)", confidence="derived"),
        description="correlation of the log errors of training rates on two systems",
    )
    serving: Share = Field(
        default=Value(0.11, source="36 pairs of chips in 16 (group, model)", confidence="derived"),
        description="correlation of the log errors of serving rates on two systems",
    )


class Uncertainty(Section):
    """Everything that is drawn; common to all strategies of a run."""

    seed: Count = Whole(7)
    factors: dict[str, Factor] = Field(default_factory=dict)
    conversion: dict[Status, Share] = Field(
        default_factory=dict, description="probability that an offer becomes capacity"
    )
    suppliers: dict[str, SupplierDefault] = Field(
        default_factory=dict, description="default of providers, by their name"
    )
    demand: DemandUncertainty | None = None
    rates: Fraction | None = Field(
        default=None,
        description="standard deviation of the log of all modelled rates, in place of the models' own"
        " leave-one-out errors by chip and kind",
    )
    rate_correlation: RateCorrelation = Field(
        default_factory=RateCorrelation, description="between the errors of rates on different systems"
    )


class CrossCheck(Section):
    """A published figure that the study's demand is compared with."""

    what: Text
    published: Text
    source: Text


class Overflow(Section):
    """Renting on demand what committed capacity does not serve."""

    offer: OfferName
    budget_per_year: Usd
    workloads: list[Literal["inference", "research"]]
    after: DurationMs | None = Field(
        default=None,
        description="research campaigns that have waited this long are sent out, whole; none where absent",
    )


class Compare(Section):
    """Defaults of `capsim compare`."""

    against: StrategyName
    runs: PositiveCount = Whole(32)
    cases: list[str] = Field(default_factory=lambda: ["base"])


class Study(Section):
    """The whole file, catalog included."""

    capsim: Count
    name: str
    note: Text | None = None
    horizon: Horizon
    money: Money
    as_of: Date
    reference: str = Field(
        default="gb200_nvl72", description="system whose achieved fp8 training rate is the unit GB200e"
    )
    chips: dict[str, Chip] = Field(default_factory=dict)
    systems: dict[str, System] = Field(default_factory=dict)
    models: dict[str, ModelCard] = Field(default_factory=dict)
    prices: list[Price] = Field(default_factory=list)
    calibration: CalibrationSection | None = Field(
        default=None, description="own measurements that the workload models take into account"
    )
    porting: dict[str, Porting] = Field(default_factory=dict)
    ported: list[str] = Field(default_factory=lambda: ["cuda"], description="stacks that run from the start")
    markets: dict[str, Market] = Field(default_factory=dict)
    power_markets: dict[str, PowerMarket] = Field(default_factory=dict)
    offers: dict[str, Offer] = Field(default_factory=dict)
    storage: GigabytesPerSecond = Field(
        default=Value(
            2000.0,
            source="2 TB/s sustained of the storage on which Llama 3 was trained",
            confidence="assumed",
        ),
        description="bandwidth of the shared storage of sites whose offer does not say",
    )
    base_fleet: dict[str, Holding] = Field(default_factory=dict, description="held by every strategy")
    overflow: list[Overflow] = Field(default_factory=list)
    demand: Demand
    uncertainty: Uncertainty = Field(default_factory=Uncertainty)
    scheduler: Scheduler
    strategies: dict[str, Strategy]
    cases: dict[str, AnyMapping] = Field(default_factory=dict)
    compare: Compare
    cross_check: list[CrossCheck] = Field(default_factory=list)
