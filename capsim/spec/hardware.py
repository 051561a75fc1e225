"""Schema of the catalog's hardware: chips, systems and model cards.

Units after loading: TFLOP/s dense, GB (10^9 bytes), TB/s, GB/s one way, watts, milliseconds.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from capsim.spec.base import Section
from capsim.spec.values import (
    Confidence,
    Count,
    Date,
    DurationMs,
    Flag,
    Fraction,
    Multiple,
    Number,
    PositiveCount,
    PositiveDurationMs,
    PositiveNumber,
    Share,
    Sigma,
    Text,
    problem,
)

Stack = Literal["cuda", "rocm", "neuron", "xla", "maia-sdk"]
Precision = Literal["bf16", "fp8", "fp4", "int8"]


class Chip(Section):
    """One accelerator package with its published peaks."""

    vendor: str
    stack: Stack
    tflops: dict[Precision, PositiveNumber] = Field(description="dense peak TFLOP/s by precision")
    hbm_gb: PositiveNumber = Field(description="device memory, GB of 10^9 bytes")
    hbm_tbs: PositiveNumber = Field(description="device memory bandwidth, TB/s")
    scaleup_gbs: PositiveNumber = Field(description="scale-up bandwidth one way, GB/s per chip")
    scaleout_gbs: PositiveNumber | None = Field(
        default=None, description="scale-out bandwidth one way, GB/s per chip"
    )
    tdp_w: Number | None = Field(default=None, description="chip thermal design power, W")
    available: Date | None = Field(default=None, description="first general availability")
    matmul_ceiling: dict[Precision, Share] = Field(
        default_factory=dict, description="measured best share of the peak in a plain matrix product"
    )
    inference_only: Flag = False
    aliases: list[str] = Field(default_factory=list, description="short names used by published tables")
    note: Text | None = None


class Reliability(Section):
    """Failures and repairs of a system or of one offer's sites."""

    failures_per_1000_chip_days: Number | None = Field(
        default=None, description="all causes, per 1,000 chip-days"
    )
    domain_share: Share | None = Field(
        default=None, description="share of failures that take the whole scale-up domain"
    )
    lemon_share: Share | None = Field(
        default=None, description="share of nodes that fail many times as often"
    )
    lemon_factor: Number | None = Field(
        default=None, description="how many times as often a lemon node fails"
    )
    repair_median: PositiveDurationMs | None = Field(default=None, description="median time in repair")
    repair_sigma: Sigma | None = Field(default=None, description="sigma of the lognormal repair time")


class System(Section):
    """How chips are built into nodes, scale-up domains and blocks; what one chip draws at the campus."""

    chip: str
    node: PositiveCount = Field(description="chips that one node failure takes down")
    domain: PositiveCount = Field(description="chips of one scale-up domain")
    segment: PositiveCount | None = Field(
        default=None,
        description="chips of a domain that a gang over several domains uses; the rest are its spares",
    )
    unit: PositiveCount | None = Field(
        default=None,
        description="chips that are placed as one unit where that is coarser than the scale-up domain:"
        " nodes of a scalable unit that are interchangeable to the scheduler",
    )
    block_domains: PositiveCount = Field(description="scale-up domains in one scale-out block")
    oversubscription: Multiple | None = Field(
        default=None, description="oversubscription between blocks, 1 = none"
    )
    kw_per_chip: PositiveNumber = Field(description="critical IT power provisioned at the campus, kW a chip")
    reliability: Reliability = Field(default_factory=Reliability)
    available: Date | None = None
    note: Text | None = None


class ModelCard(Section):
    """A model's shape, as far as rates and memory need it."""

    kind: Literal["dense", "moe", "hybrid-moe"]
    params_b_active: PositiveNumber = Field(description="parameters active per token, 10^9")
    params_b_total: PositiveNumber = Field(description="all parameters, 10^9")
    layers: PositiveCount
    hidden: PositiveCount
    heads: PositiveCount
    kv_heads: PositiveCount | None = None
    head_dim: Count | None = None
    experts: PositiveCount | None = Field(default=None, description="routed experts a layer")
    experts_active: PositiveCount | None = Field(default=None, description="routed experts a token uses")
    params_b_experts: Number | None = Field(default=None, description="parameters in routed experts, 10^9")
    kv_bytes_per_token: Number = Field(
        description="KV-cache bytes of one token over all layers, 16-bit unless noted"
    )
    weight_bytes: Number | None = Field(
        default=None,
        description="bytes of a released weight where fewer than two, e.g. 0.56 of 4-bit weights with scales",
    )
    window: Count | None = Field(default=None, description="tokens that a layer with windowed attention sees")
    windowed: Fraction | None = Field(default=None, description="share of the layers with windowed attention")
    aliases: list[str] = Field(default_factory=list)
    note: Text | None = None

    @model_validator(mode="after")
    def _moe_has_experts(self) -> ModelCard:
        if self.kind != "dense" and (self.experts is None or self.experts_active is None):
            raise problem("a mixture of experts without its experts", "write `experts` and `experts_active`")
        return self


class Price(Section):
    """One dated price of a chip-hour."""

    provider: str
    chip: str
    region: str | None = None
    kind: Literal["on_demand", "spot", "reserved_1y", "reserved_3y", "capacity_block", "contract"]
    usd_per_chip_hour: Number
    as_of: Date
    source: Text
    confidence: Confidence
    note: Text | None = None


class Porting(Section):
    """What it takes before a workload runs on another software stack."""

    cost: Number = Field(description="one-off cost, USD")
    time: DurationMs = Field(description="calendar time from the decision to first production use")
    ramp: DurationMs = Field(description="time after that until full efficiency")
    start_efficiency: Share = Field(description="share of the full rate on the first day")
