"""Training predictions against a table of measurements, and the table turned into calibration points."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from capsim.workload.calibration import DEFAULT_CHIPS, DEFAULT_SEQ, Calibration, medians
from capsim.workload.errors_table import Compared, Unexpressed
from capsim.workload.hardware_view import peak_at
from capsim.workload.known import Known
from capsim.workload.measurements import NotExpressed, Row, chip_of, model_of, precision_of
from capsim.workload.settings import Settings, software_date
from capsim.workload.shape import Shape
from capsim.workload.training import shape_rate


@dataclass(frozen=True)
class TrainingRow:
    """A training measurement as read: rates in TFLOP/s per chip, ``series`` what an anchor is shared by."""

    line: int
    group: str
    model: str
    shape: Shape
    chip: str
    precision: str
    chips: float
    seq: float
    tflops: float
    end_to_end: bool
    series: tuple[str, ...]
    settings: Settings
    source: str


@dataclass(frozen=True)
class TrainingFidelity:
    """What a table says: leave-one-out comparisons, the same anchored, and rows without a prediction."""

    rows: int
    compared: list[Compared]
    anchored: list[Compared]
    unexpressed: list[Unexpressed]
    excluded: list[Unexpressed]


def read_training(row: Row, catalog: Known) -> TrainingRow:
    """A row as a training measurement.

    Raises:
        NotExpressed: why it cannot be compared.
    """
    chip, precision = chip_of(row, catalog), precision_of(row)
    model, shape = model_of(row, catalog)
    seq, chips = row.value("seq") or DEFAULT_SEQ, row.value("chips") or DEFAULT_CHIPS
    raw = (row.text("group"), row.text("model"), chip, precision, row.text("seq"))
    return TrainingRow(
        row.number,
        row.text("group") or "unnamed",
        model,
        shape,
        chip,
        precision,
        chips,
        seq,
        _tflops(row, shape, chip, precision, seq, chips, catalog),
        bool(row.text("gpu_hours")),
        raw,
        _settings(row),
        row.text("source"),
    )


def _settings(row: Row) -> Settings:
    recompute = {"true": True, "1": True, "full": True, "false": False, "0": False, "none": False}
    return Settings(
        recompute.get(row.text("ckpt_act").lower()),
        row.value("mbs"),
        software_date(row.text("source"), row.text("note")),
    )


def _tflops(
    row: Row, shape: Shape, chip: str, precision: str, seq: float, chips: float, catalog: Known
) -> float:
    """Achieved model TFLOP/s per chip: given, or from MFU, tokens/s, or GPU-hours of known work."""
    given = row.value("tflops_chip")
    if given:
        return given
    mfu = row.value("mfu")
    if mfu:
        if mfu > 1.0:
            raise NotExpressed(f"mfu is a share of the peak, at most 1: {row.text('mfu')[:40]}")
        return mfu * peak_at(catalog.chips[chip], precision)
    each = shape.training_flops(seq) / 1e12
    tokens = row.value("tok_s_chip")
    if tokens:
        return tokens * each
    sequences = row.value("seq_per_s")
    if sequences:
        return sequences * seq / chips * each
    hours, work = row.value("gpu_hours"), row.value("tokens")
    if hours and work:
        return work * 6 * shape.active / (hours * 3600) / 1e12
    if row.text("time_min") or row.text("chip_min"):
        raise NotExpressed("a time without the work done (samples or tokens to the target): no rate follows")
    raise NotExpressed(
        "nothing measured: none of tflops_chip, mfu, tok_s_chip, seq_per_s, gpu_hours with tokens"
    )


def training_fidelity(rows: Sequence[Row], calibration: Calibration, catalog: Known) -> TrainingFidelity:
    """Predict every row with its own (group, model) left out of the calibration; then anchored by series."""
    read: list[TrainingRow] = []
    unexpressed: list[Unexpressed] = []
    excluded: list[Unexpressed] = []
    for row in rows:
        if row.text("group") == "excluded":
            note = row.text("note") or "group is `excluded`"
            excluded.append(Unexpressed(row.number, row.text("model"), row.text("chip"), note))
            continue
        try:
            read.append(read_training(row, catalog))
        except NotExpressed as reason:
            unexpressed.append(Unexpressed(row.number, row.text("model"), row.text("chip"), str(reason)))
    compared = [_compare(row, calibration, catalog) for row in read]
    predicted = {row.line: c.predicted for row, c in zip(read, compared, strict=True)}
    return TrainingFidelity(
        len(rows) - len(excluded), compared, _anchored(read, predicted), unexpressed, excluded
    )


def _compare(row: TrainingRow, calibration: Calibration, catalog: Known) -> Compared:
    rate = shape_rate(
        row.shape,
        row.chip,
        catalog.chips[row.chip],
        catalog.system(row.chip),
        row.precision,
        row.chips,
        seq=row.seq,
        calibration=calibration,
        group=row.group,
        without=(row.group, row.model),
        end_to_end=row.end_to_end,
    )
    labels = {"kind": row.shape.kind, "chip": row.chip, "precision": row.precision, "group": row.group}
    labels["evidence"] = rate.source.split(",")[0] if "," in rate.source else rate.source
    return Compared(row.line, "tflops_chip", row.tflops, rate.flops_per_chip / 1e12, labels)


def _anchored(rows: Sequence[TrainingRow], predicted: dict[int, float]) -> list[Compared]:
    """Predictions scaled by the measured row with the fewest chips of a series, which is not scored."""
    series: dict[tuple[str, ...], list[TrainingRow]] = defaultdict(list)
    for row in rows:
        series[row.series].append(row)
    out = []
    for members in series.values():
        anchor = min(members, key=lambda r: (r.chips, r.line))
        for r in members:
            if r is anchor:
                continue
            shape = (predicted[r.line] / predicted[anchor.line]) * r.settings.factor_over(anchor.settings)
            out.append(Compared(r.line, "tflops_chip", r.tflops, anchor.tflops * shape, {"chip": r.chip}))
    return out


def training_entries(
    rows: Sequence[Row], catalog: Known
) -> tuple[list[dict[str, object]], list[Unexpressed]]:
    """Entries of a calibration: the median of a (group, model, chip, precision, sequence x4, chips x8)."""
    found: dict[tuple[object, ...], list[TrainingRow]] = defaultdict(list)
    left: list[Unexpressed] = []
    for row in rows:
        if row.text("group") == "excluded":
            continue
        try:
            r = read_training(row, catalog)
        except NotExpressed as reason:
            left.append(Unexpressed(row.number, row.text("model"), row.text("chip"), str(reason)))
            continue
        bucket = (round(math.log2(r.seq) / 2), round(math.log2(r.chips) / 3), r.end_to_end)
        found[(r.group, r.model, r.shape.kind, r.chip, r.precision, *bucket)].append(r)
    return [_entry(members) for members in found.values()], left


def _entry(members: Sequence[TrainingRow]) -> dict[str, object]:
    first = members[0]

    def middle(values: Sequence[float]) -> float:
        return float(f"{math.exp(sum(map(math.log, values)) / len(values)):.6g}")

    return {
        "group": first.group,
        "model": first.model,
        "kind": first.shape.kind,
        "params_b_active": middle([m.shape.active / 1e9 for m in members]),
        "params_b_total": middle([m.shape.total / 1e9 for m in members]),
        "chip": first.chip,
        "precision": first.precision,
        "chips": middle([m.chips for m in members]),
        "seq": middle([m.seq for m in members]),
        "tflops_chip": round(medians([m.tflops for m in members]), 2),
        "runs": len(members),
        "end_to_end": first.end_to_end,
        "source": first.source,
    }
