"""The calibrated table behind training rates: measured points, and how alike two configurations are.

The quantity is log(achieved model TFLOP/s per chip over the 16-bit dense peak). Its mean is physics with
few constants (below, each with its source); what the points say on top of it is shared by how much two
configurations have in common, from coarse to fine:

    stack -> generation -> chip -> chip and precision -> the model's shape -> the publisher's software

Each level carries a variance. A chip without points so falls back to its generation, then its software
stack, then dense or MoE in general; a precision without points to the other precisions of the same kind.
`hybrid-moe` is a MoE here, with a small departure of its own.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np

from capsim.workload.kriging import Array, Fit, fit

# Mean of the logarithm of the share of the 16-bit peak, dense and MoE: medians over truth/training.csv are
# 0.47 and 0.2; exp(-.75) = 0.47, exp(-1.5) = 0.22.
LEVEL = {"dense": -0.75, "moe": -1.5}
# Gain of log rate per doubling of the peak by a narrower precision: half of the matmul time and most of a
# MoE's time is not in narrow products. Llama-3 405B FP8 over BF16 1.45-1.53x, MoE 1.13-1.3x (same table).
GAIN = {"dense": 0.55, "moe": 0.3}
# The step from FP8 to FP4 gains less than the one from BF16 to FP8 (405B on GB200: 1.40 against 1.5).
SECOND_GAIN = 0.4
# Loss per doubling of chips; models.md gives 0.02.
ALPHA = 0.02
# MoE runs faster with more active parameters per token (Qwen3-30B .2, DeepSeek-V3 .33 of FP8 peak on GB300).
MOE_SIZE = 0.1
# Dense: Megatron-LM README, 41 % at 2B to 47.5 % at 462B.
DENSE_SIZE = 0.02
# Small dense models lose (llm-foundry on A100: 125M .43, 760M .53, 3B .58), per halving below 3B.
SMALL = 0.05
# Loss with the log of (1 + attention FLOPs / matmul FLOPs): attention kernels run below matrix products.
ATTENTION = 0.1
# An end-to-end figure (GPU-hours of a whole run) holds lost time: Llama-3 reports above 90 % effective.
END_TO_END = -0.11
# Typical measured matmul ceiling at 16 bit; a chip with a lower one is expected to reach less in proportion.
CEILING = 0.78
# Noise of one measurement (variance of the log): releases of one year differ by a median of 1.13x, p90 1.71x.
NOISE = 0.02
# A study's own measurement is taken nearly as it is: it replaces the table where it was made.
OWN_NOISE = 0.001
# Variances of the levels of the fall-back, of log rates. Round numbers, near the leave-one-out optimum.
VARIANCE = {
    "kind": 0.1,
    "stack": 0.03,
    "generation": 0.03,
    "chip": 0.02,
    "precision": 0.01,
    "chip_precision": 0.01,
    "hybrid": 0.0025,
    "shape": 0.005,
    "shape_on_generation": 0.01,
    "sparsity": 0.005,
    "model": 0.02,
    "sequence": 0.02,
    "sequence_on_generation": 0.01,
    "chips": 0.0008,
    "group": 0.005,
    "end_to_end": 0.01,
}
# The band: the standard deviation of the variances, times this, holds 68 % of the leave-one-out errors.
BAND = 0.65
CATEGORIES = ("kind", "kind3", "chip", "generation", "stack", "precision", "group")


@dataclass(frozen=True)
class Configuration:
    """What a training rate depends on. Parameters in 10^9, ``bits`` log2 of peak over 16-bit peak."""

    kind: str
    params_b_active: float
    params_b_total: float
    chip: str
    generation: str
    stack: str
    precision: str
    bits: float
    ceiling: float
    chips: float
    seq: float
    attention_share: float
    group: str = ""
    end_to_end: bool = False


@dataclass(frozen=True)
class TrainingPoint:
    """One measured configuration, the median of ``runs`` rows; ``log_rate`` of TFLOP/s over 16-bit peak.

    ``group`` names who measured it. A study's ``own`` point stands for its software: ``at`` has no group.
    """

    at: Configuration
    group: str
    model: str
    log_rate: float
    runs: int
    source: str
    own: bool = False


@dataclass(frozen=True)
class Features:
    """Configurations as arrays, one entry each (n,)."""

    labels: dict[str, np.ndarray]
    size: Array
    sparsity: Array
    seq: Array
    chips: Array
    bits: Array
    attention: Array
    ceiling: Array
    end_to_end: Array

    @classmethod
    def of(cls, items: Sequence[Configuration]) -> Features:
        """The features of configurations, logarithms to base 2 of sizes, sequence and chips."""

        def numbers(values: Iterable[float]) -> Array:
            return np.array(list(values), dtype=np.float64)

        labels = {
            "kind": np.array(["dense" if c.kind == "dense" else "moe" for c in items]),
            "kind3": np.array([c.kind for c in items]),
            "group": np.array([c.group for c in items]),
        }
        labels |= {
            n: np.array([getattr(c, n) for c in items]) for n in ("chip", "generation", "stack", "precision")
        }
        return cls(
            labels=labels,
            size=numbers(math.log2(c.params_b_active) for c in items),
            sparsity=numbers(math.log2(c.params_b_total / c.params_b_active) for c in items),
            seq=numbers(math.log2(c.seq) for c in items),
            chips=numbers(math.log2(c.chips) for c in items),
            bits=numbers(c.bits for c in items),
            attention=numbers(c.attention_share for c in items),
            ceiling=numbers(c.ceiling for c in items),
            end_to_end=numbers(float(c.end_to_end) for c in items),
        )

    @property
    def steps(self) -> Array:
        """Doublings of the peak by a narrower precision; those after the first count less, (n,)."""
        return np.asarray(np.minimum(self.bits, 1.0) + SECOND_GAIN * np.maximum(self.bits - 1.0, 0.0))

    @property
    def dense(self) -> np.ndarray:
        """Which are dense, (n,) bool."""
        return np.asarray(self.labels["kind"] == "dense")


def expected(f: Features) -> Array:
    """The mean before any point is looked at, (n,)."""
    gain = np.where(f.dense, GAIN["dense"], GAIN["moe"])
    small = SMALL * np.maximum(0.0, math.log2(3.0) - f.size)
    size = np.where(
        f.dense, DENSE_SIZE * np.maximum(0.0, f.size - 3.0) - small, MOE_SIZE * (f.size - math.log2(10.0))
    )
    level = np.where(f.dense, LEVEL["dense"], LEVEL["moe"])
    lost = ALPHA * (f.chips - 6.0) + ATTENTION * np.log1p(f.attention)
    return np.asarray(level + gain * f.steps + size - lost + f.ceiling + END_TO_END * f.end_to_end)


def _near(a: Array, b: Array, width: float) -> Array:
    return np.asarray(np.exp(-0.5 * ((a[:, None] - b[None, :]) / width) ** 2))


def likeness(a: Features, b: Features) -> Array:
    """Covariance of the departures of two lists of configurations, (len(a), len(b))."""
    same = {q: (a.labels[q][:, None] == b.labels[q][None, :]).astype(np.float64) for q in CATEGORIES}
    v, kind = VARIANCE, same["kind"]
    size, moe = _near(a.size, b.size, 3.0), ~a.dense[:, None]
    near_seq = _near(a.seq, b.seq, 2.0) * _near(a.size, b.size, 3.0)
    model = same["kind3"] * _near(a.size, b.size, 0.05) * _near(a.sparsity, b.sparsity, 0.1)
    named = (a.labels["group"] != "")[:, None]
    out = kind * (
        v["kind"]
        + v["stack"] * same["stack"]
        + v["generation"] * same["generation"]
        + v["chip"] * same["chip"]
        + v["precision"] * same["precision"] * a.steps[:, None] * b.steps[None, :]
        + v["chip_precision"] * same["chip"] * same["precision"]
        + v["shape"] * size
        + v["shape_on_generation"] * same["generation"] * size
        + v["sparsity"] * moe * _near(a.sparsity, b.sparsity, 1.0)
        + v["group"] * same["group"] * named
    )
    out += v["hybrid"] * same["kind3"] + v["model"] * model
    out += near_seq * (v["sequence"] + v["sequence_on_generation"] * same["generation"] * same["precision"])
    out += v["chips"] * (a.chips[:, None] - 6.0) * (b.chips[None, :] - 6.0)
    return np.asarray(out + v["end_to_end"] * a.end_to_end[:, None] * b.end_to_end[None, :])


@dataclass(frozen=True)
class TrainingTable:
    """A fitted table of points."""

    points: tuple[TrainingPoint, ...]
    features: Features
    solved: Fit

    @classmethod
    def fitted(cls, points: Sequence[TrainingPoint]) -> TrainingTable:
        """Fit the points; at least one is needed."""
        f = Features.of([p.at for p in points])
        values = np.array([p.log_rate for p in points])
        own = np.array([p.own for p in points])
        noise = np.where(own, OWN_NOISE, NOISE) * np.array([(1.0 + 1.0 / p.runs) / 2.0 for p in points])
        return cls(tuple(points), f, fit(values, expected(f), likeness(f, f), noise, own))

    def predict(self, items: Sequence[Configuration]) -> tuple[Array, Array]:
        """Log rate and the standard deviation of its error (its band), each (len(items),)."""
        f = Features.of(items)
        cross = likeness(f, self.features)
        own = np.array([likeness(one, one)[0, 0] for one in (Features.of([c]) for c in items)])
        spread = np.sqrt(self.solved.variance(own, cross) + NOISE)
        return self.solved.predict(expected(f), cross), BAND * spread

    def evidence(self, at: Configuration) -> str:
        """The finest level of the fall-back at which points exist, in words."""
        kind = "dense" if at.kind == "dense" else "moe"
        same = [p.at for p in self.points if ("dense" if p.at.kind == "dense" else "moe") == kind]
        levels = (
            (
                f"{at.chip} at {at.precision}, {kind}",
                [c for c in same if (c.chip, c.precision) == (at.chip, at.precision)],
            ),
            (f"{at.chip} at other precisions, {kind}", [c for c in same if c.chip == at.chip]),
            (f"generation {at.generation}, {kind}", [c for c in same if c.generation == at.generation]),
            (f"{at.chip} of the other kind", [p.at for p in self.points if p.at.chip == at.chip]),
            (f"stack {at.stack}, {kind}", [c for c in same if c.stack == at.stack]),
            (f"all chips, {kind}", same),
        )
        for text, found in levels:
            if found:
                return f"{text}: {len(found)} points"
        return "no points: mean alone"


@lru_cache(maxsize=1)
def shipped_rows() -> tuple[dict[str, str], ...]:
    """The rows of the table that comes with capsim (`data/training_points.csv`)."""
    text = resources.files("capsim.workload").joinpath("data/training_points.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))
