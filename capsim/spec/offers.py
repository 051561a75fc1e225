"""Schema of offers: the contracts on the menu.

Units after loading: USD, USD per chip-hour, milliseconds, kW, chips.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from capsim.spec.base import Section
from capsim.spec.contract_delivery import (
    Dedicated,
    Delivery,
    DepthByQuarter,
    Interruptions,
    LeaseEnd,
    Renewal,
)
from capsim.spec.contract_prices import (
    Collar,
    Equity,
    Escalator,
    MinSpendForm,
    MostFavoured,
    PowerPassThrough,
    Prepay,
    PriceReset,
    PriceTable,
    Solve,
    TakeOrPay,
    Termination,
)
from capsim.spec.hardware import Reliability
from capsim.spec.solving import solved
from capsim.spec.values import (
    Count,
    Date,
    DurationMs,
    Flag,
    Fraction,
    GigabytesPerSecond,
    Kilowatts,
    Number,
    OfferName,
    OneOrByName,
    PositiveCount,
    PositiveDurationMs,
    Pue,
    RatePerYear,
    Share,
    Text,
    Texts,
    Usd,
    UsdPerGb,
    UsdPerHour,
    UsdPerKwMonth,
    UsdPerTbMonth,
    listed,
    problem,
)

Status = Literal["live", "signed", "announced", "loi", "talks"]
Kind = Literal[
    "cloud",
    "neocloud",
    "capacity_block",
    "on_demand",
    "spot",
    "purchase",
    "lease",
    "powered_shell",
    "colocation",
]
SHELLS = ("powered_shell", "colocation")
"""Kinds that bring power without chips."""


class Quantity(Section):
    """How many chips one may take."""

    min: Count = Field(description="least number of chips")
    max: PositiveCount
    lot: PositiveCount = Field(description="chips are taken in multiples of this")


class Tranche(Section):
    """A dated part of the quantity held."""

    at: Date
    share: Share
    delivery: Literal["existing", "new_build"] = "new_build"
    chips: dict[str, Share] | None = Field(
        default=None, description="systems of this tranche; the offer's where absent"
    )
    prepay: Share | None = Field(default=None, description="share paid in advance in place of the offer's")


class ContractPrice(Section):
    """Exactly one way of stating the price."""

    total: Usd | None = Field(default=None, description="spread over the planned chip-hours of what is held")
    per_chip_hour: OneOrByName[UsdPerHour] | None = None
    per_kw_month: UsdPerKwMonth | None = Field(
        default=None, description="per kW of critical IT power and month"
    )
    per_chip_month: OneOrByName[Usd] | None = Field(default=None, description="rent of a leased chip a month")
    per_chip: OneOrByName[Usd] | None = Field(
        default=None, description="purchase price of a chip with its share of the system"
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> ContractPrice:
        given = [
            n
            for n in ("total", "per_chip_hour", "per_chip_month", "per_kw_month", "per_chip")
            if getattr(self, n) is not None
        ]
        if len(given) != 1:
            raise problem(
                f"a price states {' and '.join(given) or 'nothing'}",
                "write exactly one of total, per_chip_hour, per_chip_month, per_kw_month, per_chip",
            )
        return self


class Option(Section):
    """A right to take more, or other chips, decided on a date.

    ``expand`` adds chips. ``refresh`` brings chips in exchange for delivered ones of the systems `replaces`,
    which leave when the new ones come. ``swap`` turns tranches of `replaces` that are planned after `decide`
    into chips of another system, as many as before.
    """

    name: str
    kind: Literal["expand", "refresh", "swap"] = "expand"
    chip: str
    replaces: list[str] = Field(default_factory=list, description="systems given up by a refresh or a swap")
    quantity: PositiveCount | None = Field(
        default=None, description="chips that come; a swap brings as many as it replaces"
    )
    decide: Date
    deliver: Date = Field(description="planned delivery; of a swap: not before this day")
    price: ContractPrice
    premium: Usd

    @model_validator(mode="after")
    def _says_what_comes(self) -> Option:
        if (self.quantity is None) != (self.kind == "swap"):
            what = "a swap with a quantity" if self.kind == "swap" else f"option {self.name} has no quantity"
            raise problem(what, "write the quantity of an expand or a refresh; a swap takes what it replaces")
        if (not self.replaces) != (self.kind == "expand"):
            what = f"option {self.name} of kind {self.kind} with{'' if self.replaces else 'out'} `replaces`"
            raise problem(what, "name under `replaces` the systems that a refresh or a swap gives up")
        return self


class Power(Section):
    """Where the power comes from and how much of it there is."""

    site: str
    it: Kilowatts | None = Field(default=None, description="critical IT power")
    facility: Kilowatts | None = Field(default=None, description="gross power at the meter")
    pue: Pue | None = Field(default=None, description="facility power over IT power, e.g. 1.2")


class Outages(Section):
    """Whole-site outages."""

    rate: RatePerYear
    duration: PositiveDurationMs = Field(description="mean of an exponential duration")


class Maintenance(Section):
    """Planned windows in which a site is drained."""

    every: PositiveDurationMs
    duration: DurationMs


class SiteReliability(Reliability):
    """Reliability of an offer's sites; what is not given comes from the system."""

    site_outages: Outages | None = None
    maintenance: Maintenance | None = None


class FirstRefusal(Section):
    """The holder may match what others offer, until a date. Not the same as exclusivity."""

    over: list[str] = Field(description="providers whose offers can be matched")
    until: Date
    window: DurationMs = Field(
        description="time the holder may take to answer; other contracts start that much later"
    )
    match_probability: Share


class Exclusive(Section):
    """Workloads that may run with no other provider while this contract is held."""

    workloads: Texts = Field(
        description="one or several: names of training runs and services, or `research`, `inference`,"
        " `training` (named runs and research), `all`",
    )
    until: Date | None = None

    @property
    def names(self) -> list[str]:
        """What is exclusive: names of workloads and words for all of a kind."""
        return listed(self.workloads)

    def concerns(self, kind: str, name: str) -> bool:
        """Whether a workload of a kind (training, research, inference) is exclusive; research has no name."""
        words = {"all", kind, name} | ({"training"} if kind == "research" else set())
        return not words.isdisjoint(self.names)

    @model_validator(mode="after")
    def _something(self) -> Exclusive:
        if not self.names:
            raise problem("exclusive for no work", "name workloads, or leave `exclusive` out")
        return self


def _with_workloads(raw: object) -> object:
    """`exclusive: [chat, research]` in place of a section."""
    return {"workloads": raw} if isinstance(raw, str | list) else raw


class Overlap(Section):
    """Part of this offer describes the same chips or gigawatts as another."""

    offer: OfferName
    share: Share = Field(description="share of this offer's chips that are the other's")


class Offer(Section):
    """One contract on the menu."""

    provider: str
    kind: Kind
    status: Status
    announced: Date | None = None
    source: Text | None = None
    note: Text | None = None
    unavailable: Text | None = Field(default=None, description="why this offer cannot be held as published")
    terms_transplanted: Text | None = Field(
        default=None, description="whose terms these are, where somebody else signed them"
    )
    headline: Usd | None = Field(default=None, description="the value in the announcement")
    binding: Share | None = Field(default=None, description="share of the headline that binds")
    chips: dict[str, Share] = Field(
        default_factory=dict, description="systems and their shares of the quantity"
    )
    quantity: Quantity | None = None
    default: PositiveCount | None = Field(
        default=None, description="holding that the total price is stated for"
    )
    tranches: list[Tranche] = Field(default_factory=list)
    term: PositiveDurationMs | None = Field(default=None, description="from each tranche's delivery")
    ends: Date | None = Field(default=None, description="common end in place of a term")
    price: ContractPrice | None = None
    take_or_pay: TakeOrPay | None = None
    solve: Solve | None = Field(
        default=None, description="chips or term that price and value come to, in place of stating them"
    )
    price_table: PriceTable | None = None
    escalator: Escalator | None = None
    price_reset: PriceReset | None = None
    most_favoured: MostFavoured | None = None
    collar: Collar | None = Field(default=None, description="bounds of the moved price")
    power_pass_through: PowerPassThrough | None = None
    min_spend: MinSpendForm | None = Field(
        default=None, description="share of the total value that is paid in any case, or amounts"
    )
    termination: Termination | None = None
    prepay: Prepay | None = None
    delivery: Delivery = Field(default_factory=Delivery)
    options: list[Option] = Field(default_factory=list)
    power: Power | None = None
    needs_shell: Flag = Field(default=False, description="chips that need a powered shell of their own")
    hosts: list[str] = Field(default_factory=list, description="systems that a powered shell can hold")
    reliability: SiteReliability = Field(default_factory=SiteReliability)
    exclusive: (
        Annotated[
            Exclusive,
            BeforeValidator(_with_workloads, json_schema_input_type=Exclusive | str | list[str]),
        ]
        | None
    ) = None
    right_of_first_refusal: FirstRefusal | None = None
    equity: list[Equity] = Field(default_factory=list)
    overlaps: list[Overlap] = Field(default_factory=list)
    residual_per_year: Share | None = Field(default=None, description="yearly loss of value of bought chips")
    operating_share: Fraction | None = Field(
        default=None, description="yearly operating cost of bought chips, share of price"
    )
    residual_market: Flag = Field(
        default=False, description="what bought chips are worth moves with the offer's market as well"
    )
    depth_per_quarter: Count | None = Field(
        default=None, description="chips that can be rented on demand a quarter"
    )
    depth: dict[str, DepthByQuarter] | None = Field(
        default=None, description="the same by system and from dates on, in place of depth_per_quarter"
    )
    depth_price_power: Number | None = Field(
        default=None, description="the depth shrinks with this power of market price over its start"
    )
    interruptions: Interruptions | None = Field(default=None, description="of spot capacity")
    lease_end: LeaseEnd | None = None
    renewal: Renewal | None = None
    dedicated: Dedicated | None = None
    market: str | None = Field(
        default=None, description="price path that moves new commitments of this offer"
    )
    region: str | None = None
    egress: UsdPerGb | None = Field(
        default=None, description="paid for data that leaves this site; what the data says where absent"
    )
    storage_price: UsdPerTbMonth | None = Field(
        default=None, description="of data kept at this site; what the data says where absent"
    )
    storage: GigabytesPerSecond | None = Field(
        default=None,
        description="bandwidth of the site's shared storage, which one gang's checkpoint may use; the study's"
        " where absent",
    )

    @model_validator(mode="after")
    def _solve(self) -> Offer:
        found = solved(self, Quantity)
        return self.model_copy(update=found) if found else self
