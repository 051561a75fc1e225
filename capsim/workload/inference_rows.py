"""Serving measurements as typed rows, the replica each describes, and its uncalibrated prediction."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from capsim.workload.calibration_points import NEURON_CORES, serving_of
from capsim.workload.errors_table import Unexpressed
from capsim.workload.inference_table import Measure, Serving, ServingPoint, bucket
from capsim.workload.known import Known
from capsim.workload.layouts import kv_factor
from capsim.workload.measurements import NotExpressed, Row, chip_of, model_of, precision_of
from capsim.workload.roofline import Replica, constants_for, engine_of
from capsim.workload.shape import Shape


@dataclass(frozen=True)
class InferenceRow:
    """A serving measurement; ``measured`` in output tokens/s per chip, seconds a token, seconds to the first.

    ``batch`` is the sequences in flight; None where saturated. ``together``: prompts that the first-token
    time covers (the whole batch where the row says so, else one).
    """

    line: int
    group: str
    release: str
    model: str
    shape: Shape
    chip: str
    precision: str
    replica: Replica
    engine: str
    input_length: float
    output_length: float
    batch: float | None
    together: float
    measured: dict[Measure, float]
    source: str


def read_inference(row: Row, catalog: Known) -> InferenceRow:
    """A row as a serving measurement.

    Raises:
        NotExpressed: why it cannot be compared.
    """
    name, precision = chip_of(row, catalog), precision_of(row)
    chip = catalog.chips[name]
    model, shape = model_of(row, catalog)
    inputs, outputs = row.value("isl", required=True) or 0.0, row.value("osl", required=True) or 0.0
    batch = _batch(row)
    engine = engine_of(row.text("framework").lower(), chip.stack)
    split = "attention-dp" in row.text("note").lower()
    experts = row.value("ep") or 1.0
    chips = max(row.value("tp") or row.value("chips") or 1.0, experts)
    if chip.stack == "neuron" and "core" in row.text("note").lower():
        chips = max(1.0, chips / NEURON_CORES)
    replica = Replica(
        shape,
        chip,
        precision,
        chips,
        constants_for(engine, shape),
        expert_parallel=experts,
        split_requests=split,
        kv_bytes_factor=kv_factor(precision, engine),
    )
    together = batch if batch and "batch" in row.text("note").lower() else 1.0
    source = row.text("source") or "unnamed"
    return InferenceRow(
        row.number,
        row.text("group") or source.split("@")[0].split(" ")[0],
        source.split(" ")[0],
        model,
        shape,
        name,
        precision,
        replica,
        engine,
        inputs,
        outputs,
        batch,
        together,
        _measured(row, chips, batch),
        source,
    )


def _batch(row: Row) -> float | None:
    text = row.text("concurrency").lower()
    return None if text in {"", "max"} else row.value("concurrency")


def _measured(row: Row, chips: float, batch: float | None) -> dict[Measure, float]:
    """What a row measured. Saturated rows give throughput; rows at a batch give times per request."""
    found: dict[Measure, float] = {}
    first, token = row.value("ttft_ms"), row.value("tpot_ms")
    rate, total = row.value("out_tok_s_chip"), row.value("out_tok_s")
    if first:
        found["ttft"] = first / 1e3
    if token:
        found["tpot"] = token / 1e3
    if rate is None and total is not None:
        rate = total / chips
    if rate:
        found["throughput"] = rate
    if not found:
        raise NotExpressed("nothing measured: none of ttft_ms, tpot_ms, out_tok_s_chip, out_tok_s")
    return found


def fits(row: InferenceRow) -> bool:
    """Whether weights and the cache of one sequence fit the replica's whole memory (measured replicas may
    use more than is planned)."""
    r = row.replica
    context = row.input_length + row.output_length / 2
    cache = r.kv_token * row.shape.seen(context) / r.kv_ways
    return row.shape.weight_bytes(row.precision) / r.chips + cache <= float(r.chip.hbm_gb) * 1e9


def running(row: InferenceRow) -> float:
    """Sequences running: those in flight, or as many as fit where saturated (one at least)."""
    most = max(1.0, row.replica.most_sequences(row.input_length + row.output_length / 2))
    return most if row.batch is None else row.batch


def predict_uncalibrated(row: InferenceRow, measure: Measure) -> float:
    """The roofline's figure for a measure, in the row's unit.

    Sequences in flight that are not one static batch are disturbed by each other's prompts: the time per
    token is stretched by the prompts' share of the time, and a prompt waits for others and for a step.
    """
    batch, context = running(row), row.input_length + row.output_length / 2
    replica = row.replica
    if measure == "throughput":
        most = max(1.0, replica.most_sequences(context))
        return replica.throughput(row.input_length, row.output_length, min(batch, most)) / replica.chips
    static = row.together >= batch
    free = 1.0 if static else 1.0 - replica.prefill_share(row.input_length, row.output_length, batch)
    step = replica.step_seconds(batch, context)
    if measure == "tpot":
        return step / free
    alone = replica.first_token_seconds(row.input_length, row.together)
    return alone if static else alone / free + step


def serving_row(row: InferenceRow) -> Serving:
    """The row as the table's configuration."""
    return serving_of(
        row.model, row.chip, row.replica, row.engine, row.input_length, row.output_length, running(row)
    )


def log_speed(row: InferenceRow, measure: Measure) -> float:
    """log(measured speed / modelled speed)."""
    ratio = row.measured[measure] / predict_uncalibrated(row, measure)
    return math.log(ratio) if measure == "throughput" else -math.log(ratio)


def point_of(row: InferenceRow, measure: Measure) -> ServingPoint:
    """The row as one point of a table."""
    return ServingPoint(serving_row(row), row.group, measure, log_speed(row, measure), 1, row.source)


def read_rows(rows: Sequence[Row], catalog: Known) -> tuple[list[InferenceRow], list[Unexpressed]]:
    """The rows that can be expressed, and the others with the reason."""
    read, left = [], []
    for row in rows:
        try:
            found = read_inference(row, catalog)
            if not fits(found):
                raise NotExpressed(
                    f"{found.model} at {found.precision} with a sequence of "
                    f"{found.input_length + found.output_length:,.0f} tokens does not fit "
                    f"{found.replica.chips:g} x {found.chip}"
                )
            read.append(found)
        except NotExpressed as reason:
            left.append(Unexpressed(row.number, row.text("model"), row.text("chip"), str(reason)))
    return read, left


def serving_entries(rows: Sequence[Row], catalog: Known) -> tuple[list[dict[str, object]], list[Unexpressed]]:
    """Entries of a calibration: one a series and regime, its median speed over the roofline's."""
    read, left = read_rows(rows, catalog)
    found: dict[tuple[object, ...], list[InferenceRow]] = defaultdict(list)
    for row in read:
        for measure in row.measured:
            if measure == "throughput" and row.batch is not None:
                continue
            r = row.replica
            regime = (
                bucket(row.input_length, 2),
                bucket(row.output_length, 2),
                bucket(running(row), 2),
            )
            key = (
                row.group,
                row.model,
                row.chip,
                row.precision,
                row.engine,
                r.chips,
                r.split_requests,
                measure,
            )
            found[(*key, *regime)].append(row)
    return [_entry(members, key[7]) for key, members in found.items()], left  # type: ignore[arg-type]


def _entry(members: Sequence[InferenceRow], measure: Measure) -> dict[str, object]:
    first = members[0]
    speeds = sorted(log_speed(m, measure) for m in members)
    middle = (speeds[(len(speeds) - 1) // 2] + speeds[len(speeds) // 2]) / 2

    def mean(values: list[float]) -> float:
        return float(f"{math.exp(sum(math.log(v) for v in values) / len(values)):.4g}")

    shape = first.shape
    return {
        "group": first.group,
        "model": first.model,
        "kind": shape.kind,
        "params_b_active": float(f"{shape.active / 1e9:.6g}"),
        "params_b_total": float(f"{shape.total / 1e9:.6g}"),
        "chip": first.chip,
        "precision": first.precision,
        "engine": first.engine,
        "chips": first.replica.chips,
        "expert_parallel": first.replica.expert_parallel,
        "split_requests": first.replica.split_requests,
        "isl": mean([m.input_length for m in members]),
        "osl": mean([m.output_length for m in members]),
        "batch": mean([running(m) for m in members]),
        "measure": measure,
        "speed": float(f"{math.exp(middle):.4g}"),
        "runs": len(members),
        "source": first.source,
    }
