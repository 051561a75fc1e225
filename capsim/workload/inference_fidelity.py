"""Serving predictions against a table of measurements, leave-one-out, and calibrated by series."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from capsim.workload.calibration import Calibration
from capsim.workload.errors_table import Compared, Unexpressed
from capsim.workload.inference_rows import (
    InferenceRow,
    point_of,
    predict_uncalibrated,
    read_rows,
    serving_row,
)
from capsim.workload.inference_table import Measure, ServingPoint, ServingTable
from capsim.workload.known import Known
from capsim.workload.measurements import Row

COLUMNS: dict[Measure, str] = {"throughput": "out_tok_s_chip", "tpot": "tpot_ms", "ttft": "ttft_ms"}
# From a row's unit here to the column's unit.
UNITS: dict[Measure, float] = {"throughput": 1.0, "tpot": 1e3, "ttft": 1e3}


@dataclass(frozen=True)
class InferenceFidelity:
    """What a table says.

    Attributes:
        rows: rows of the table.
        compared: comparisons with the row's own (group, model) left out.
        uncalibrated: the roofline alone.
        series: calibrated on all other rows of the table, those of the row's (model, chip) series among them.
        unexpressed: rows without a prediction.
    """

    rows: int
    compared: list[Compared]
    uncalibrated: list[Compared]
    series: list[Compared]
    unexpressed: list[Unexpressed]


def inference_fidelity(rows: Sequence[Row], calibration: Calibration, catalog: Known) -> InferenceFidelity:
    """Predict every measured column of every row."""
    read, unexpressed = read_rows(rows, catalog)
    compared, uncalibrated = [], []
    for row in read:
        predicted = predict(row, calibration)
        for measure in row.measured:
            compared.append(_compare(row, measure, predicted[measure]))
            uncalibrated.append(_compare(row, measure, _alone(row)[measure]))
    return InferenceFidelity(len(rows), compared, uncalibrated, _by_series(read), unexpressed)


def predict(row: InferenceRow, calibration: Calibration) -> dict[Measure, float]:
    """Predictions of a row's measures, its own (group, model) left out of the calibration."""
    without = (row.group, row.model)
    speed: dict[Measure, float] = {}
    at = serving_row(row)
    for measure in _needed(row):
        speed[measure] = math.exp(calibration.serving_table(measure, without).predict(at)[0])
    return _figures(row, speed)


def _needed(row: InferenceRow) -> tuple[Measure, ...]:
    if row.batch is None:
        return ("throughput", "tpot", "ttft") if {"tpot", "ttft"} & row.measured.keys() else ("throughput",)
    return ("tpot", "ttft")


def _alone(row: InferenceRow) -> dict[Measure, float]:
    return _figures(row, dict.fromkeys(("throughput", "tpot", "ttft"), 1.0))


def _figures(row: InferenceRow, speed: dict[Measure, float]) -> dict[Measure, float]:
    """Figures in the row's units; a static batch's throughput follows from its two times."""
    found: dict[Measure, float] = {
        measure: predict_uncalibrated(row, measure) / speed[measure]
        for measure in ("tpot", "ttft")
        if measure in speed
    }
    if row.batch is None and "throughput" in speed:
        found["throughput"] = predict_uncalibrated(row, "throughput") * speed["throughput"]
    if row.batch is not None and row.together >= row.batch:
        whole = found["ttft"] + row.output_length * found["tpot"]
        found["throughput"] = row.batch * row.output_length / whole / row.replica.chips
    elif row.batch is not None:
        found["throughput"] = predict_uncalibrated(row, "throughput") * speed["tpot"]
    return found


def _compare(row: InferenceRow, measure: Measure, predicted: float) -> Compared:
    kind = "dense" if row.shape.kind == "dense" else "moe"
    load = "max" if row.batch is None else "batch"
    labels = {
        "kind": kind,
        "chip": row.chip,
        "group": row.group,
        "precision": row.precision,
        "measure": COLUMNS[measure],
        "load": load,
        "engine": row.engine,
        "measure and kind": f"{COLUMNS[measure]} at {load} load, {kind}",
        "measure and group": f"{COLUMNS[measure]}, {row.group}",
    }
    unit = UNITS[measure]
    return Compared(row.line, COLUMNS[measure], row.measured[measure] * unit, predicted * unit, labels)


def _by_series(read: Sequence[InferenceRow]) -> list[Compared]:
    """Calibrated on the table itself: each row from all others, those of its own series among them."""
    points: dict[Measure, list[tuple[InferenceRow, ServingPoint]]] = defaultdict(list)
    for row in read:
        for measure in row.measured:
            if measure != "throughput" or row.batch is None:
                points[measure].append((row, point_of(row, measure)))
    out = []
    for measure, members in points.items():
        table = ServingTable.fitted(measure, [point for _, point in members])
        for (row, _), log in zip(members, table.left_one_out(), strict=True):
            alone, speed = predict_uncalibrated(row, measure), math.exp(log)
            out.append(_compare(row, measure, alone * speed if measure == "throughput" else alone / speed))
    return out
