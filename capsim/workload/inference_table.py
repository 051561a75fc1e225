"""The calibrated table behind serving speed: measured over modelled speed, shared between the like.

The roofline (`roofline`) gives a time; the table gives log(measured speed / modelled speed) where it was
measured, interpolated as in `training_table`. Three measures have a table each: `throughput` (saturated
output tokens/s), `tpot` (time per output token at a batch) and `ttft` (time to the first token).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Literal

import numpy as np

from capsim.workload.kriging import Array, Fit, fit
from capsim.workload.shape import Shape

Measure = Literal["throughput", "tpot", "ttft"]
MEASURES: tuple[Measure, ...] = ("throughput", "tpot", "ttft")

# Variance of one measurement's noise (log).
NOISE = {"throughput": 0.01, "tpot": 0.004, "ttft": 0.004}
# A study's own measurement is taken nearly as it is: it replaces the table where it was made.
OWN_NOISE = 0.001
# Variances of the levels of the fall-back, saturated throughput; round numbers near the best leave-one-out.
THROUGHPUT = {
    "kind": 0.05,
    "stack": 0.05,
    "generation": 0.075,
    "chip": 0.05,
    "precision": 0.02,
    "chip_precision": 0.025,
    "generation_precision": 0.02,
    "size": 0.02,
    "sparsity": 0.003,
    "chips": 0.02,
    "split": 0.02,
    "model": 0.02,
    "model_on_generation": 0.05,
    "regime": 0.03,
    "regime_on_chip": 0.05,
    "regime_of_shape": 0.02,
    "regime_of_series": 0.01,
}
# Variances for the time of one token and of the first token, within one serving engine.
LATENCY = {
    "engine": 0.02,
    "generation": 0.02,
    "chip": 0.01,
    "size": 0.01,
    "chips": 0.02,
    "model": 0.01,
    "precision": 0.005,
    "load": 0.05,
    "load_on_chip": 0.003,
    "load_of_size": 0.01,
    "heads": 0.01,
    "chips_of_size": 0.04,
}
FIRST_TOKEN = LATENCY | {"engine": 0.2, "chip": 0.08, "load_on_chip": 0.08, "heads": 0.04}
# Bands: the standard deviation that the variances give, times this, holds 68 % of the leave-one-out errors of
# truth/inference_measured.csv (dense and mixture apart for throughput).
BAND = {"throughput": 0.3, "tpot": 0.4, "ttft": 0.6}
BAND_MIXTURE = 0.75
CATEGORIES = ("engine", "stack", "generation", "chip", "precision", "model", "moe", "split")


@dataclass(frozen=True)
class Serving:
    """What a serving speed depends on. ``share`` is the prompts' share of the time, modelled."""

    model: str
    shape: Shape
    chip: str
    generation: str
    stack: str
    precision: str
    engine: str
    chips: float
    split: bool
    input_length: float
    output_length: float
    batch: float
    share: float


@dataclass(frozen=True)
class ServingPoint:
    """One measured configuration (the median of ``runs`` rows)."""

    at: Serving
    group: str
    measure: Measure
    log_speed: float
    runs: int
    source: str
    own: bool = False


@dataclass(frozen=True)
class Features:
    """Configurations as arrays, one entry each (n,); numbers are logarithms to base 2 but ``share``."""

    labels: dict[str, np.ndarray]
    size: Array
    sparsity: Array
    chips: Array
    batch: Array
    inputs: Array
    outputs: Array
    heads: Array
    share: Array

    @classmethod
    def of(cls, items: Sequence[Serving]) -> Features:
        """The features of configurations."""
        labels = {
            name: np.array([getattr(item, name) for item in items])
            for name in CATEGORIES
            if name not in {"moe"}
        }
        labels["moe"] = np.array([item.shape.moe for item in items])

        def logs(values: list[float]) -> Array:
            return np.log2(np.array(values, dtype=np.float64))

        shapes = [item.shape for item in items]
        return cls(
            labels,
            size=logs([s.active for s in shapes]),
            sparsity=logs([max(s.total, s.active) / s.active for s in shapes]),
            chips=logs([item.chips for item in items]),
            batch=logs([max(item.batch, 1.0) for item in items]),
            inputs=logs([item.input_length for item in items]),
            outputs=logs([item.output_length for item in items]),
            heads=logs([s.kv_bytes / (s.layers * s.hidden) for s in shapes]),
            share=np.array([item.share for item in items]),
        )

    def same(self, other: Features, name: str) -> Array:
        """Which pairs agree in a label, as 0 and 1."""
        return np.asarray((self.labels[name][:, None] == other.labels[name][None, :]).astype(np.float64))


def _near(a: Array, b: Array, width: float) -> Array:
    return np.asarray(np.exp(-0.5 * ((a[:, None] - b[None, :]) / width) ** 2))


def _throughput_likeness(a: Features, b: Features) -> Array:
    v = THROUGHPUT
    chip, generation, precision = a.same(b, "chip"), a.same(b, "generation"), a.same(b, "precision")
    model = a.same(b, "model")
    regime = _near(a.share, b.share, 0.25) * _near(a.inputs, b.inputs, 2.5) * _near(a.outputs, b.outputs, 2.5)
    shape = _near(a.size, b.size, 1.5) * _near(a.sparsity, b.sparsity, 1.5)
    total = v["kind"] + v["stack"] * a.same(b, "stack") + v["generation"] * generation + v["chip"] * chip
    total = total + v["precision"] * precision + v["chip_precision"] * chip * precision
    total = total + v["generation_precision"] * generation * precision
    total = (
        total + v["size"] * _near(a.size, b.size, 2.0) + v["sparsity"] * _near(a.sparsity, b.sparsity, 1.0)
    )
    total = total + v["chips"] * _near(a.chips, b.chips, 1.0) + v["split"] * a.same(b, "split")
    total = total + v["model"] * model + v["model_on_generation"] * model * generation
    total = total + regime * (
        v["regime"]
        + v["regime_on_chip"] * chip
        + v["regime_of_shape"] * shape
        + v["regime_of_series"] * model * chip
    )
    return np.asarray(a.same(b, "moe") * total)


def _latency_likeness(a: Features, b: Features, v: dict[str, float], length: tuple[Array, Array]) -> Array:
    load = _near(a.batch, b.batch, 1.5) * _near(*length, 1.5)
    size, chip = _near(a.size, b.size, 1.5), a.same(b, "chip")
    total = v["engine"] + v["generation"] * a.same(b, "generation") + v["chip"] * chip + v["size"] * size
    total = total + v["chips"] * _near(a.chips, b.chips, 1.0) + v["model"] * a.same(b, "model")
    total = total + v["precision"] * a.same(b, "precision")
    total = total + load * (v["load"] + v["load_on_chip"] * chip + v["load_of_size"] * size)
    total = total + v["heads"] * _near(a.heads, b.heads, 1.0) * _near(*length, 1.5)
    total = total + v["chips_of_size"] * _near(a.chips, b.chips, 1.0) * _near(a.size, b.size, 1.0)
    return np.asarray(a.same(b, "engine") * a.same(b, "stack") * total)


def _context(f: Features) -> Array:
    return np.asarray(np.log2(2.0**f.inputs + 2.0**f.outputs / 2))


def likeness(a: Features, b: Features, measure: Measure) -> Array:
    """Covariance of log speeds of two lists of configurations, (len(a), len(b))."""
    if measure == "throughput":
        return _throughput_likeness(a, b)
    if measure == "tpot":
        return _latency_likeness(a, b, LATENCY, (_context(a), _context(b)))
    return _latency_likeness(a, b, FIRST_TOKEN, (a.inputs, b.inputs))


@dataclass(frozen=True)
class ServingTable:
    """The fitted points of one measure."""

    measure: Measure
    points: tuple[ServingPoint, ...]
    features: Features
    solved: Fit

    @classmethod
    def fitted(cls, measure: Measure, points: Sequence[ServingPoint]) -> ServingTable:
        """Fit the points of a measure."""
        f = Features.of([p.at for p in points])
        values = np.array([p.log_speed for p in points])
        own = np.array([p.own for p in points])
        runs = np.array([(1.0 + 1.0 / p.runs) / 2.0 for p in points])
        noise = np.where(own, OWN_NOISE, NOISE[measure]) * runs
        solved = fit(values, np.zeros(len(points)), likeness(f, f, measure), noise, own)
        return cls(measure, tuple(points), f, solved)

    def predict(self, at: Serving) -> tuple[float, float]:
        """Log speed and the standard deviation of its error (its band)."""
        f = Features.of([at])
        cross = likeness(f, self.features, self.measure)
        own = likeness(f, f, self.measure)[0]
        spread = float(np.sqrt(self.solved.variance(own, cross)[0] + NOISE[self.measure]))
        band = BAND_MIXTURE if at.shape.moe else BAND[self.measure]
        return float(self.solved.predict(np.zeros(1), cross)[0]), band * spread

    def left_one_out(self) -> list[float]:
        """Log speed predicted at each point from all others (closed form of the linear estimator)."""
        values = np.array([p.log_speed for p in self.points])
        return [float(v) for v in values - self.solved.weights / np.diag(self.solved.inverse)]

    def evidence(self, at: Serving) -> str:
        """The finest level of the fall-back at which points exist, in words."""
        kind = "mixture" if at.shape.moe else "dense"
        own = [p.at for p in self.points if p.at.shape.moe == at.shape.moe]
        levels = (
            (
                f"{at.model} on {at.chip} at {at.precision}",
                [p for p in own if (p.model, p.chip, p.precision) == (at.model, at.chip, at.precision)],
            ),
            (
                f"{at.chip} at {at.precision}, {kind}",
                [p for p in own if (p.chip, p.precision) == (at.chip, at.precision)],
            ),
            (f"{at.chip}, {kind}", [p for p in own if p.chip == at.chip]),
            (f"generation {at.generation}, {kind}", [p for p in own if p.generation == at.generation]),
            (f"stack {at.stack}, {kind}", [p for p in own if p.stack == at.stack]),
            (f"all chips, {kind}", own),
        )
        for text, found in levels:
            if found:
                return f"{text}: {len(found)} points"
        return "no points: roofline alone"


@lru_cache(maxsize=1)
def shipped_serving_rows() -> tuple[dict[str, str], ...]:
    """The rows of the table that comes with capsim (`data/inference_points.csv`)."""
    text = (
        resources.files("capsim.workload").joinpath("data/inference_points.csv").read_text(encoding="utf-8")
    )
    return tuple(csv.DictReader(text.splitlines()))


def bucket(value: float, width: float) -> int:
    """A number's bucket on a log2 scale."""
    return round(math.log2(max(value, 1.0)) / width)
