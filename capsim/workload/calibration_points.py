"""Points of the serving tables from rows of `data/inference_points.csv` or a study's `calibration:`."""

from __future__ import annotations

import math

from capsim.workload.hardware_view import generation
from capsim.workload.inference_table import MEASURES, Serving, ServingPoint
from capsim.workload.known import Known
from capsim.workload.layouts import kv_factor
from capsim.workload.measurements import NotExpressed, Row, chip_of, model_of
from capsim.workload.roofline import Replica, constants_for, engine_of

# Trn1 and Inf2: two NeuronCores a chip (AWS Neuron documentation).
NEURON_CORES = 2


def serving_of(
    model: str, chip_name: str, replica: Replica, engine: str, inputs: float, outputs: float, batch: float
) -> Serving:
    """What the serving tables need to know of a replica at a load."""
    return Serving(
        model=model,
        shape=replica.shape,
        chip=chip_name,
        generation=generation(chip_name),
        stack=replica.chip.stack,
        precision=replica.precision,
        engine=engine,
        chips=replica.chips,
        split=replica.split_requests,
        input_length=inputs,
        output_length=outputs,
        batch=batch,
        share=replica.prefill_share(inputs, outputs, max(1.0, batch)),
    )


def serving_point(row: Row, catalog: Known) -> ServingPoint:
    """A point of a serving table.

    Raises:
        NotExpressed: the chip or the model is unknown, or a number is missing.
    """
    name = chip_of(row, catalog)
    chip = catalog.chips[name]
    model, shape = model_of(row, catalog)
    measure = next((m for m in MEASURES if m == row.text("measure")), None)
    if measure is None:
        raise NotExpressed(f"measure is one of {', '.join(MEASURES)}")
    engine = row.text("engine") or engine_of("", chip.stack)
    replica = Replica(
        shape,
        chip,
        row.text("precision"),
        row.value("chips") or 1.0,
        constants_for(engine, shape),
        expert_parallel=row.value("expert_parallel") or 1.0,
        split_requests=row.text("split_requests").lower() == "true",
        kv_bytes_factor=kv_factor(row.text("precision"), engine),
    )
    inputs, outputs = row.value("isl") or 1000.0, row.value("osl") or 1000.0
    at = serving_of(model, name, replica, engine, inputs, outputs, row.value("batch") or 1.0)
    speed = row.value("speed", required=True) or 1.0
    runs = int(row.value("runs") or 1)
    return ServingPoint(at, row.text("group") or "own", measure, math.log(speed), runs, row.text("source"))
