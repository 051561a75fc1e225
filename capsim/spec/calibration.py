"""Schema of a study's own measurements: `calibration:` as `capsim calibrate` writes it.

Each entry is one measured configuration. Units: parameters in 10^9, tokens, TFLOP/s per chip.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from capsim.spec.base import Section
from capsim.spec.values import Count, Flag, Number, PositiveCount, Text, Whole

Kind = Literal["dense", "moe", "hybrid-moe"]


class MeasuredModel(Section):
    """The model of a measurement: a card's name, or its sizes where there is no card."""

    model: str
    kind: Kind | None = Field(default=None, description="needed where the model has no card")
    params_b_active: Number | None = Field(default=None, description="parameters active per token, 10^9")
    params_b_total: Number | None = Field(default=None, description="all parameters, 10^9")
    layers: Count | None = None
    hidden: Count | None = None
    kv_bytes_per_token: Number | None = None
    source: Text | None = None
    as_of: Text | None = None
    confidence: Text | None = None


class TrainingMeasurement(MeasuredModel):
    """Achieved training speed of one configuration; `runs` rows were reduced to their median."""

    chip: str
    precision: str
    chips: Number | None = None
    seq: Number | None = None
    tflops_chip: Number = Field(description="achieved model TFLOP/s per chip")
    runs: PositiveCount = Whole(1)
    end_to_end: Flag = Field(default=False, description="GPU-hours of a whole run, lost time included")
    group: str = Field(default="own", description="who measured it")


class InferenceMeasurement(MeasuredModel):
    """Measured over modelled speed of a replica at a load; `runs` rows were reduced to their median.

    `capsim calibrate` works the speed out: 1 is the uncalibrated roofline, 0.6 is slower than it.
    """

    chip: str
    precision: str
    measure: Literal["throughput", "tpot", "ttft"]
    speed: Number = Field(description="measured speed over the roofline's")
    engine: Literal["graph", "eager", "neuron"] = Field(default="graph", description="kind of serving engine")
    chips: Number = Field(description="chips of the replica")
    expert_parallel: Number | None = None
    split_requests: Flag = Field(default=False, description="attention is data parallel")
    isl: Number = Field(description="input tokens")
    osl: Number = Field(description="output tokens")
    batch: Number = Field(description="running sequences")
    runs: PositiveCount = Whole(1)
    group: str = Field(default="own", description="who measured it")


class CalibrationSection(Section):
    """Own measurements that the workload models take into account."""

    training: list[TrainingMeasurement] = Field(default_factory=list)
    inference: list[InferenceMeasurement] = Field(default_factory=list)
