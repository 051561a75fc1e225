"""Schema of demand: named training runs, the research job stream, inference services.

Units after loading: FLOP, chips, milliseconds, tokens per day, USD.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, PrivateAttr, Tag, model_validator

from capsim.spec.base import Section
from capsim.spec.dispatch import Data
from capsim.spec.hardware import Precision
from capsim.spec.values import (
    ByKey,
    Count,
    Date,
    DurationMs,
    Flag,
    Flop,
    Fraction,
    HourOfDay,
    ModelName,
    Multiple,
    Number,
    PositiveCount,
    PositiveDurationMs,
    PositiveNumber,
    RatePerYear,
    Share,
    Sigma,
    Text,
    TokensPerDay,
    UsdPerChipHour,
    UsdPerDay,
    UsdPerMtok,
    Value,
    Whole,
    problem,
)


class ChipRange(Section):
    """An elastic gang's bounds."""

    min: PositiveCount
    max: PositiveCount


class Checkpointing(Section):
    """How a gang saves and restarts."""

    interval: PositiveDurationMs | None = Field(default=None, description="Young/Daly where absent")
    stall: DurationMs | None = Field(
        default=None,
        description="time a checkpoint stops the gang; where absent the time to write it, 14 bytes a"
        " parameter, to the site's storage",
    )
    restart: DurationMs | None = Field(
        default=None,
        description="detection, replacement and reload after a failure; where absent five minutes (assumed)"
        " and the time to read the checkpoint",
    )


class Rollout(Section):
    """What the rollout gang of an RL phase generates."""

    generated: PositiveNumber = Field(
        default=Value(3.0, source="attempts that are filtered out or lose", confidence="assumed"),
        description="tokens generated for each token trained on",
    )
    input_length: PositiveNumber = Field(
        default=Value(1000.0, source="a task and its tools", confidence="assumed"),
        description="mean tokens of a prompt",
    )
    output_length: PositiveNumber = Field(
        default=Value(8000.0, source="long chains of reasoning", confidence="assumed"),
        description="mean tokens of an attempt, reasoning included",
    )
    precision: Precision | None = Field(default=None, description="the run's where absent")


class ReinforcementLearning(Section):
    """The RL phase that follows pretraining: a trainer gang and a rollout gang in lockstep."""

    share: Fraction = Field(
        description="chip-time of both gangs over that of pretraining, as it would be on the reference system"
    )
    trainer: Share | None = Field(
        default=None,
        description="share of the RL chips in the trainer gang; where absent the chips are split so that"
        " both gangs keep up",
    )
    rollout: Rollout = Field(default_factory=Rollout)

    @model_validator(mode="after")
    def _both_gangs(self) -> ReinforcementLearning:
        if self.trainer is not None and not 0.0 < float(self.trainer) < 1.0:
            raise problem("an RL phase needs chips in both gangs", "write a share between 0 and 1", "trainer")
        return self


class TrainingRun(Section):
    """One named run with a date."""

    name: str
    model: ModelName
    flops: Flop = Field(description="model FLOP of pretraining")
    precision: Precision
    chips: ChipRange
    systems: list[str] = Field(description="systems it may run on, in order of preference")
    earliest: Date
    target: Date
    residency: list[str] = Field(
        default_factory=list, description="regions that the data may not leave; `us` covers `us-east`"
    )
    priority: Count
    slip_cost: UsdPerDay = Field(description="cost of a day after the target")
    sites: PositiveCount | None = Field(default=None, description="sites it may span (1 where absent)")
    tenant: str | None = Field(
        default=None, description="whose quota and share it counts against; its own, its name, where absent"
    )
    rl: ReinforcementLearning | None = None
    checkpoint: Checkpointing
    data: Data | None = Field(
        default=None, description="what it reads, and where that is; it may run anywhere where absent"
    )
    note: Text | None = None


class Lognormal(Section):
    """A lognormal by its median and either sigma or p99, cut at `max`."""

    median: PositiveDurationMs
    sigma: Sigma | None = None
    p99: PositiveDurationMs | None = None
    max: PositiveDurationMs | None = None

    @model_validator(mode="after")
    def _one_width(self) -> Lognormal:
        if (self.sigma is None) == (self.p99 is None):
            raise problem("a lognormal needs exactly one of `sigma` and `p99`", "keep or add one of them")
        return self


class Estimate(Section):
    """What users ask for: the run time times a lognormal factor of at least 1."""

    median: PositiveNumber
    sigma: Sigma


class Fates(Section):
    """How campaigns end; shares of campaigns and of chip-time."""

    failed: Share
    failed_chip_time: Share
    cancelled: Share
    cancelled_chip_time: Share


class Tenants(Section):
    """Who submits: `count` tenants with Zipf shares."""

    count: PositiveCount
    zipf: Number
    names: list[str] | None = Field(
        default=None, description="of the first ones, the largest first; numbers from 1 for all others"
    )


class Evaluation(Section):
    """Bursts of short jobs that evaluate the checkpoints of named runs."""

    every: PositiveDurationMs = Field(description="between the bursts of a run that trains")
    jobs: PositiveCount = Field(description="jobs of a burst")
    chips: PositiveCount = Field(description="reference chips of a job")
    duration: PositiveDurationMs = Field(description="of a job on its reference chips")
    priority: Count
    wait_target: DurationMs = Field(description="a burst should start within this")


class ResearchStream(Section):
    """What every stream of research campaigns states, drawn or traced."""

    model: ModelName
    precision: Precision
    systems: list[str]
    residency: list[str] = Field(
        default_factory=list, description="regions that the data may not leave; `us` covers `us-east`"
    )
    priority: Count
    patience: DurationMs | None = Field(
        default=None, description="a campaign that has not started after this is given up; never where absent"
    )
    checkpoint: Checkpointing
    data: Data | None = Field(
        default=None, description="what it reads, and where that is; it may run anywhere where absent"
    )
    evaluation: Evaluation | None = Field(default=None, description="bursts beside the named runs")
    value_lost: UsdPerChipHour = Field(description="value of a reference chip-hour of research not done")


class Research(ResearchStream):
    """A drawn stream of research campaigns of one node and more; below a node it is a fluid share."""

    campaigns: Count = Field(description="campaigns over the horizon")
    campaigns_growth: PositiveNumber = Field(
        description="submissions a month at the end over those at the start"
    )
    capacity: ByKey[Date, PositiveCount] = Field(
        description="mean demand in reference chips (the GB200, achieved), log-linear between dates"
    )
    chips: ByKey[PositiveCount, Share] = Field(
        description="relative campaign sizes: all are multiplied alike, so that the campaigns ask for the"
        " capacity; `capsim check` says what they come to"
    )
    duration: Lognormal
    estimate: Estimate
    fates: Fates
    tenants: Tenants
    sub_node: Share = Field(
        description="share of the capacity used by jobs below one node, held as a fluid share"
    )
    weekend: Fraction = Field(description="change of submissions at weekends, e.g. -50%")
    night: Fraction = Field(description="change of submissions outside working hours")


class TraceScale(Section):
    """How the jobs of a trace become campaigns."""

    time: PositiveNumber = Field(
        default=Value(1.0), description="stretch of the times between submissions; 0.5: twice as many a day"
    )
    count: PositiveNumber = Field(
        default=Value(1.0), description="campaigns for each job; a fraction keeps that share, drawn a job"
    )
    chips: PositiveNumber = Field(
        default=Value(1.0), description="reference chips for each chip of the trace, rounded up"
    )


class Traced(Section):
    """Work that is read from a file of records."""

    trace: Text = Field(description="file of the records, its path from the study's file")
    sha256: Text | None = Field(
        default=None, description="digest of the file; filled in while loading, and compared where given"
    )
    _path: str = PrivateAttr(default="")

    @property
    def path(self) -> str:
        """Where the file is, as this process can open it."""
        return self._path

    def found_at(self, path: str, sha256: str) -> Self:
        """The same with the place and the digest of its file."""
        found = self.model_copy(update={"sha256": sha256})
        found._path = path
        return found


class TracedResearch(ResearchStream, Traced):
    """Research campaigns that follow a job trace (SWF, Philly CSV, own CSV or Parquet table)."""

    scale: TraceScale = Field(default_factory=TraceScale)
    repeat: Flag = Field(default=True, description="start the trace again where it ends before the horizon")


def _research_form(raw: Any) -> str:
    traced = "trace" in raw if isinstance(raw, dict) else isinstance(raw, TracedResearch)
    return "traced" if traced else "drawn"


AnyResearch = Annotated[
    Annotated[Research, Tag("drawn")] | Annotated[TracedResearch, Tag("traced")],
    Discriminator(_research_form),
]
"""Campaigns drawn from distributions, or those of a trace."""


class Percentile(Section):
    """A latency objective."""

    p95: PositiveDurationMs


class Slo(Section):
    """Service level objectives: time to first token, time per output token, or a deadline for batch work."""

    ttft: Percentile | None = None
    tpot: Percentile | None = None
    deadline: PositiveDurationMs | None = None


class Bursts(Section):
    """Launches: sudden demand that decays."""

    rate: RatePerYear
    size: Fraction = Field(description="extra demand at the start of a burst, e.g. 50%")
    decay: PositiveDurationMs


class Shape(Section):
    """Daily and weekly shape of demand."""

    peak: Multiple = Field(description="daily peak over the daily mean")
    weekend: Fraction = Field(description="change at weekends, e.g. -12%")
    peak_hour: HourOfDay = Field(
        default=Value(20.0, confidence="assumed"), description="hour of the peak, UTC"
    )
    bursts: Bursts | None = None


class RequestRecords(Traced):
    """A request trace (Azure CSV, own table): its lengths, its bursts, and its day where it has one."""


class ServiceLayout(Section):
    """How one replica is laid out, in place of the automatic choice."""

    tensor: PositiveCount = Field(default=Whole(1), description="tensor-parallel degree")
    expert: PositiveCount = Field(
        default=Whole(1), description="expert-parallel degree; above `tensor` attention is data parallel"
    )
    pipeline: PositiveCount = Field(default=Whole(1), description="pipeline stages")


class Region(Section):
    """Part of a service's demand that comes from one region."""

    share: Share = Field(description="of the service's tokens")
    peak_hour: HourOfDay | None = Field(
        default=None, description="hour of the daily peak there, UTC; that of `shape` where absent"
    )


class Spill(Section):
    """What it takes to serve requests of one region in another."""

    latency: DurationMs = Field(description="of the way there and back, off the time to the first token")
    egress: UsdPerMtok = Field(
        default=Value(0.0), description="paid for tokens served outside the region of their requests"
    )


class Service(Section):
    """One inference service."""

    name: str
    model: ModelName
    tokens: ByKey[Date, TokensPerDay] = Field(
        description="input plus output tokens a day, log-linear between dates"
    )
    input_length: PositiveNumber | None = Field(
        default=None, description="mean input tokens a request; those of `requests` where absent"
    )
    output_length: PositiveNumber | None = Field(
        default=None,
        description="mean output tokens a request, reasoning included; those of `requests` where absent",
    )
    requests: RequestRecords | None = Field(
        default=None, description="requests that lengths, bursts and the shape of the day are taken from"
    )
    cache_hit: Share = Field(description="share of input tokens served from a prefix cache")
    precision: Precision
    shape: Shape
    slo: Slo
    systems: list[str]
    residency: list[str] = Field(
        default_factory=list, description="regions that the data may not leave; `us` covers `us-east`"
    )
    priority: Count
    value_lost: UsdPerMtok
    headroom: Fraction = Field(description="capacity kept above the forecast of the next period")
    startup: DurationMs = Field(
        default=Whole(600_000, source="scheduling, loading weights, warming up", confidence="assumed"),
        description="from a new replica's chips to its first token",
    )
    regions: dict[str, Region] = Field(
        default_factory=dict,
        description="where the requests come from; replicas stand under offers of the same `region`"
        " (`us` covers `us-east`), anywhere where absent",
    )
    spill: Spill | None = Field(
        default=None, description="other regions help where chips are short; not where absent"
    )
    data: Data | None = Field(
        default=None, description="what it reads, and where that is; it may run anywhere where absent"
    )
    layout: ServiceLayout | None = Field(default=None, description="the best per chip where absent")
    disaggregated: Flag = Field(default=False, description="prompts and decoding on separate chips")

    @model_validator(mode="after")
    def _lengths_known(self) -> Service:
        for name in ("input_length", "output_length"):
            if getattr(self, name) is None and self.requests is None:
                raise problem(f"`{name}` is missing", f"write {name}: 1000, or requests: {{trace: FILE}}")
        if self.layout is not None and self.disaggregated:
            raise problem("a layout for prompts and decoding apart", "leave out one of the two", "layout")
        return self


class Demand(Section):
    """All work of the lab."""

    scale: PositiveNumber = Field(description="multiplies research and inference demand")
    training_runs: list[TrainingRun] = Field(default_factory=list)
    research: AnyResearch | None = None
    inference: list[Service] = Field(default_factory=list)
