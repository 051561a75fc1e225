"""Serving: what one replica of a model delivers on a chip, at the largest load that keeps its objectives.

The layout is chosen automatically (`layouts`) for the most output tokens/s per chip; the roofline's times are
scaled by the calibrated table (`inference_table`); latency under load comes from the micro-simulation
(`latency`) of the chosen layout.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from capsim.spec.hardware import Chip, ModelCard, System
from capsim.workload.calibration import Calibration, shipped
from capsim.workload.calibration_points import serving_of
from capsim.workload.hardware_view import runs_at
from capsim.workload.inference_table import Measure
from capsim.workload.known import known
from capsim.workload.latency import LOADS, Latency, Lengths, closed_form_tpot, iteration_times, latency_of
from capsim.workload.layouts import Layout, SplitLayout, inside_domain, over_domains, replica_of
from capsim.workload.request_mix import RequestMix
from capsim.workload.roofline import MEMORY_SHARE, Replica, engine_of
from capsim.workload.shape import Shape, shape_of

# Layouts that are simulated under load, the best ones by the closed form.
TRIED_LAYOUTS = 6
# Without objectives a replica is planned at this share of its saturated rate (assumed; queues grow beyond).
BATCH_UTILISATION = 0.95
# 95th percentile over the mean of the time per token, to rank layouts before they are simulated (assumed).
TAIL = 1.1


@dataclass(frozen=True)
class DoesNotFit:
    """Why a model is not served on a chip."""

    reason: str


@dataclass(frozen=True)
class Serving:
    """One replica at the largest load that keeps its objectives.

    Attributes:
        chips: chips of the replica.
        layout: tensor-, expert- and pipeline-parallel degrees, or those of separate prompts and decoding.
        batch: sequences running on average at that load.
        output_tokens_per_s, input_tokens_per_s: per replica at that load; input counts cached tokens too.
        ttft_ms, tpot_ms: 95th percentiles at that load.
        max_utilisation: that load over the saturated one.
        saturated_tokens_per_s: output tokens/s of a saturated replica.
        log_error: standard deviation of the log of the rates.
        explain: choices and factors, one line each.
    """

    chips: int
    layout: Layout | SplitLayout
    batch: float
    output_tokens_per_s: float
    input_tokens_per_s: float
    ttft_ms: float
    tpot_ms: float
    max_utilisation: float
    saturated_tokens_per_s: float
    log_error: float
    explain: tuple[str, ...]


@dataclass(frozen=True)
class Candidate:
    """A layout that fits: its calibrated replica stage, its largest batch and its saturated rate."""

    layout: Layout
    replica: Replica
    batch: float
    saturated: float
    log_error: float
    evidence: str
    speed: float


def serve(
    card: ModelCard,
    chip_name: str,
    chip: Chip,
    system: System,
    precision: str,
    *,
    input_length: float,
    output_length: float,
    cache_hit: float = 0.0,
    ttft_ms: float | None = None,
    tpot_ms: float | None = None,
    layout: Layout | tuple[int, int, int] | None = None,
    calibration: Calibration | None = None,
    model: str = "",
    mix: RequestMix | None = None,
) -> Serving | DoesNotFit:
    """What one replica delivers.

    Args:
        card, chip_name, chip, system: the model and the hardware.
        precision: of weights and arithmetic; the next wider one is used where the chip has no such peak.
        input_length, output_length: mean tokens of a request (reasoning tokens count as output).
        cache_hit: share of the input that a prefix cache holds: not computed again, but kept in memory.
        ttft_ms, tpot_ms: objectives at the 95th percentile; without any the replica works near saturation
            (a batch tier).
        layout: overrides the choice, as a `Layout` or (tp, ep, pp).
        calibration: measured points; the shipped ones where absent.
        model: the model's name in measured points; the catalog's name of this shape where absent.
        mix: requests of a trace, for the latency under load; scaled to the mean lengths.
    """
    shape, points = shape_of(card), calibration or shipped()
    model = model or known().name_of(card)
    precision = runs_at(chip, precision)
    wanted = [_as_layout(layout)] if layout is not None else None
    found = candidates(
        shape,
        chip_name,
        chip,
        system,
        precision,
        input_length,
        output_length,
        cache_hit,
        points,
        model,
        wanted,
    )
    if isinstance(found, DoesNotFit):
        return found
    lengths = Lengths(input_length, output_length, cache_hit, mix)
    if ttft_ms is None and tpot_ms is None:
        return _planned(found[0], lengths, None, BATCH_UTILISATION, len(found))
    return _within_objectives(found, lengths, ttft_ms, tpot_ms)


def _within_objectives(
    found: list[Candidate], lengths: Lengths, ttft_ms: float | None, tpot_ms: float | None
) -> Serving | DoesNotFit:
    """The layout with the most output tokens/s per chip at the largest load that keeps the objectives."""
    best: Serving | None = None
    for candidate in _worth_trying(found, tpot_ms, lengths):
        latency = latency_of(
            candidate.replica, candidate.layout.pp, candidate.batch, candidate.saturated, lengths
        )
        load = latency.largest_load(ttft_ms, tpot_ms)
        if load <= 0.0:
            continue
        planned = _planned(candidate, lengths, latency, load, len(found))
        if (
            best is None
            or planned.output_tokens_per_s / planned.chips > best.output_tokens_per_s / best.chips
        ):
            best = planned
    if best is None:
        asked = ", ".join(f"{n} {v:g} ms" for n, v in (("TTFT", ttft_ms), ("TPOT", tpot_ms)) if v is not None)
        return DoesNotFit(f"no layout keeps {asked} at the 95th percentile even at light load")
    return best


def candidates(
    shape: Shape,
    chip_name: str,
    chip: Chip,
    system: System,
    precision: str,
    input_length: float,
    output_length: float,
    cache_hit: float,
    calibration: Calibration,
    model: str,
    wanted: Iterable[Layout] | None,
) -> list[Candidate] | DoesNotFit:
    """The layouts that hold the model, best saturated rate per chip first."""
    context = input_length + output_length / 2
    groups = (
        [list(wanted)]
        if wanted is not None
        else [list(inside_domain(shape, system.domain)), list(over_domains(shape, system.domain))]
    )
    for group in groups:
        found = []
        for layout in group:
            if max(layout.tp, layout.ep) > system.domain and not chip.scaleout_gbs:
                continue
            replica = replica_of(shape, chip, system, precision, layout)
            most = replica.most_sequences(context)
            if most >= 1:
                found.append(
                    _calibrated(
                        layout,
                        replica,
                        most,
                        chip_name,
                        input_length,
                        output_length,
                        cache_hit,
                        calibration,
                        model,
                    )
                )
        if found:
            return sorted(found, key=lambda c: (-c.saturated / c.layout.chips, c.layout.chips))
    need = shape.weight_bytes(precision) / 1e9
    have = MEMORY_SHARE * float(chip.hbm_gb)
    return DoesNotFit(
        f"weights need {need:,.0f} GB at {precision}; a chip has {have:.0f} GB for them, a domain of "
        f"{system.domain} {have * system.domain:,.0f} GB, and a sequence of {context:,.0f} tokens on top"
    )


def _calibrated(
    layout: Layout,
    replica: Replica,
    most: float,
    chip_name: str,
    inputs: float,
    outputs: float,
    cache_hit: float,
    calibration: Calibration,
    model: str,
) -> Candidate:
    """The candidate with the table's speed applied to all its times."""
    engine = engine_of("", replica.chip.stack)
    measure: Measure = "tpot" if engine == "neuron" else "throughput"
    table = calibration.serving_table(measure)
    at = serving_of(model, chip_name, replica, engine, inputs, outputs, most)
    log_speed, spread = table.predict(at)
    fast = replace(replica, speed=math.exp(log_speed))
    computed = max(1.0, inputs * (1.0 - cache_hit))
    saturated = saturated_rate(fast, layout.pp, inputs, outputs, most, computed)
    return Candidate(layout, fast, most, saturated, spread, table.evidence(at), math.exp(log_speed))


def saturated_rate(
    replica: Replica, stages: int, inputs: float, outputs: float, batch: float, computed: float
) -> float:
    """Output tokens/s of a saturated replica; stages share the batch. ``computed``: uncached prompts."""
    part = batch / stages
    decode = outputs * replica.step_seconds(part, inputs + outputs / 2)
    return part * outputs / (decode + part * replica.prefill_seconds(computed))


def _worth_trying(found: list[Candidate], tpot_ms: float | None, lengths: Lengths) -> list[Candidate]:
    """The layouts with the most tokens per chip at the load that the closed form allows, best first."""
    if tpot_ms is None:
        return found[:TRIED_LAYOUTS]
    expected = [(c.saturated / c.layout.chips * _closed_load(c, tpot_ms, lengths), c) for c in found]
    able = sorted((item for item in expected if item[0] > 0), key=lambda item: -item[0])
    return [c for _, c in able[:TRIED_LAYOUTS]]


def _closed_load(c: Candidate, tpot_ms: float, lengths: Lengths) -> float:
    """The largest load of the table whose mean time per token, with room for a tail, keeps the objective."""
    engine = iteration_times(c.replica, lengths, c.batch, c.layout.pp)
    rate = c.saturated / c.layout.pp / lengths.outputs
    allowed = 0.0
    for load in LOADS:
        if TAIL * closed_form_tpot(engine, lengths, rate * load) * 1e3 > tpot_ms:
            break
        allowed = load
    return allowed


def _planned(c: Candidate, lengths: Lengths, latency: Latency | None, load: float, layouts: int) -> Serving:
    """The serving plan of a candidate at a load."""
    rate = c.saturated * load
    if latency is not None:
        first, token, batch = latency.at(load)
    else:
        context = lengths.inputs + lengths.outputs / 2
        batch = c.batch
        computed = lengths.computed
        first = c.layout.pp * c.replica.first_token_seconds(computed)
        token = c.batch * 1.0 / c.saturated if c.saturated else math.inf
        token = max(token, c.layout.pp * c.replica.step_seconds(c.batch / c.layout.pp, context))
    explain = (
        f"layout {c.layout}: most output tokens/s per chip of {layouts} that hold the model",
        f"{c.batch:g} sequences fit; saturated {c.saturated:,.0f} output tokens/s",
        f"calibrated speed x {c.speed:.2f} of the roofline ({c.evidence})",
        f"planned at {load:.0%} of the saturated rate",
    )
    return Serving(
        chips=c.layout.chips,
        layout=c.layout,
        batch=batch,
        output_tokens_per_s=rate,
        input_tokens_per_s=rate * lengths.inputs / lengths.outputs,
        ttft_ms=first * 1e3,
        tpot_ms=token * 1e3,
        max_utilisation=load,
        saturated_tokens_per_s=c.saturated,
        log_error=c.log_error,
        explain=explain,
    )


def _as_layout(layout: Layout | tuple[int, int, int]) -> Layout:
    if isinstance(layout, Layout):
        return layout
    tp, ep, pp = layout
    return Layout(tp=tp, ep=ep, pp=pp, split=ep > tp)
