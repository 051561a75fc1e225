"""Schema of a study's scheduler: the order of the queue, placement, and how tenants share the cluster."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from capsim.spec.base import Section
from capsim.spec.governance import TenantTerms, WorkLimit
from capsim.spec.values import (
    AutoscalePeriodMs,
    ByKey,
    Date,
    DurationMs,
    Flag,
    Number,
    OfferName,
    PositiveCount,
    PositiveDurationMs,
    Share,
    Value,
    Whole,
)
from capsim.units import DAY_MS

WEEK_MS: Final = 7 * DAY_MS

ORDER_OPTIONS: Final[dict[str, tuple[str, ...]]] = {
    "edf": ("slack",),
    "fair-share": ("recalculate", "half_life"),
    "drf": ("recalculate",),
    "las": ("recalculate", "thresholds", "promote", "exempt"),
    "themis": ("recalculate",),
}
"""Which keys of `options` each order looks at."""

CHANGING: Final = ("fair-share", "drf", "las", "themis")
"""Orders whose keys change with time."""


class OrderOptions(Section):
    """Settings of the queue's order; docs/scheduling.md says what each means and its default."""

    half_life: DurationMs | None = Field(
        default=None, description="fair-share: of the usage that counts; 0: all of the past counts"
    )
    recalculate: DurationMs | None = Field(default=None, description="how often keys are computed anew")
    thresholds: list[PositiveDurationMs] | None = Field(
        default=None, description="las: chip-time that separates its queues, in hours of one chip"
    )
    promote: Number | None = Field(
        default=None, description="las: waiting over attained service at which a job starts again; 0: never"
    )
    exempt: DurationMs | None = Field(
        default=None, description="las: so long after a start a job is not stopped for others"
    )
    slack: Number | None = Field(default=None, description="edf: deadline after submission over the estimate")


class ReservedChips(Section):
    """Chips of an offer that are kept for tenants for a while, or for nobody: maintenance."""

    offer: OfferName
    system: str | None = Field(default=None, description="of the offer's systems; its only one where absent")
    starts: Date = Field(alias="from")
    until: Date = Field(description="exclusive")
    chips: PositiveCount = Field(description="rounded up to whole scale-up domains")
    tenants: list[str] | None = Field(default=None, description="whose jobs may use them")
    notice: DurationMs = Field(
        default=Whole(WEEK_MS, confidence="assumed"),
        description="so long before, jobs begin to keep off that would not be gone by then",
    )
    flex: Flag = Field(
        default=False, description="who may use them may start before they are kept and run past the end"
    )
    evict: Flag = Field(default=False, description="other jobs that are still there are stopped")


class WorkLimits(Section):
    """Limits by kind of work, of all tenants together."""

    campaigns: WorkLimit | None = Field(default=None, description="of research")
    bursts: WorkLimit | None = Field(default=None, description="evaluation beside named runs")
    runs: WorkLimit | None = Field(
        default=None, description="gangs of named runs; a run over several sites has one at each"
    )


class Scheduler(Section):
    """How jobs are queued and placed."""

    order: Literal["fcfs", "sjf", "priority", "edf", "fair-share", "drf", "las", "themis"] = "priority"
    options: OrderOptions | None = Field(default=None, description="settings of the order")
    by_class: Flag | None = Field(
        default=None,
        description="priorities of the work go before the order; where absent they do, but with fcfs and sjf",
    )
    backfilling: Literal["none", "easy"] = "easy"
    placement: Literal["best-fit", "first-fit", "spread"] = "best-fit"
    interval: DurationMs = Field(
        default=Whole(0),
        description="passes of the scheduler are this far apart; 0: at every event that needs one",
    )
    autoscale: AutoscalePeriodMs = Field(description="period of the autoscaler, at least 6 h")
    preempt: Flag = True
    tenants: ByKey[str, TenantTerms] | None = Field(
        default=None,
        description="shares and limits by tenant: numbers or names of research tenants, names of named runs",
    )
    others: TenantTerms | None = Field(
        default=None, description="research tenants that are not named; no limits where absent"
    )
    limits: WorkLimits | None = Field(default=None, description="by kind of work; none where absent")
    reclaim: Flag | None = Field(
        default=None,
        description="campaigns beyond a quota are stopped for tenants within theirs; so where absent",
    )
    retries: PositiveCount | None = Field(
        default=None, description="attempts of a campaign that fails before its last one; none where absent"
    )
    reservations: list[ReservedChips] | None = Field(
        default=None, description="chips kept for tenants for a while; none where absent"
    )
    training_share: Share = Field(
        default=Value(0.75, confidence="assumed"),
        description="largest share of a site that a named run takes above its least size "
        "while services need the rest",
    )
    locality_penalty: Share = Field(description="speed lost per doubling of the blocks that a gang spans")

    @property
    def classes_first(self) -> bool:
        """Whether priorities of the work go before the order; `priority` is nothing else."""
        if self.by_class is not None:
            return bool(self.by_class)
        return self.order not in ("fcfs", "sjf", "priority")

    @property
    def governed(self) -> bool:
        """Whether tenants are told apart: by their terms, or by an order that looks at more than the job."""
        told_apart = (self.tenants, self.others, self.reservations, self.limits)
        return self.order in CHANGING or any(terms is not None for terms in told_apart)

    def order_options(self) -> dict[str, object]:
        """The options that the study sets, in the kernel's units."""
        given = self.options.model_dump(exclude_none=True) if self.options is not None else {}
        found: dict[str, object] = {}
        for name in given:
            value = getattr(self.options, name)
            if name == "thresholds":
                found[name] = tuple(int(item) for item in value)
            else:
                found[name] = int(value) if name in ("half_life", "recalculate", "exempt") else float(value)
        return found
