"""The published validation tables: training, inference, reliability, scheduling against the truth."""

from __future__ import annotations

import csv
import gzip
import hashlib
import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from capsim.engine.replay import POLICIES, starts_of
from capsim.errors import InputError
from capsim.report.fidelity import VIEWS, markdown, percent
from capsim.report.reliability import reliability
from capsim.workload.calibration import shipped
from capsim.workload.calibration_points import serving_of
from capsim.workload.disaggregated import Disaggregated, serve_disaggregated
from capsim.workload.errors_table import summary
from capsim.workload.fidelity import Kind, fidelity, unseen
from capsim.workload.known import known
from capsim.workload.layouts import Layout, replica_of
from capsim.workload.shape import shape_of

PACKAGES = ("capsim", "numpy", "numba")
TRACES = (
    ("sdsc_sp2_5k", 128),
    ("curie_5k", 93_312),
    ("nasa_full", 128),
    ("lublin_10k", 256),
    ("lublin2_10k", 256),
)

# DeepSeek's published day (open-infra week, 2025-02-28): tokens, cache hits and nodes as in design/models.md;
# layouts, context and speed of output recalled from the same publication.
DAY_INPUT, DAY_HIT, DAY_OUTPUT, DAY_NODES, NODE = 608e9, 0.563, 168e9, 226.75, 8
DAY_CONTEXT, DAY_TPOT_MS = 4989.0, 50.0
DAY_PREFILL, DAY_DECODE = Layout(tp=1, ep=32, split=True), Layout(tp=1, ep=144, split=True)
DAY_SECONDS = 86_400.0


def truth_folder(shared: Path | None) -> Path:
    """Where the truth tables are.

    Raises:
        InputError: they are not there.
    """
    base = shared or Path(os.environ.get("CAPSIM_SHARED", "../shared"))
    folder = base / "truth"
    if not (folder / "training.csv").is_file():
        raise InputError(f"no truth tables in {folder}; say where with --shared DIR or CAPSIM_SHARED")
    return folder


def validation_text(shared: Path | None) -> str:
    """All validation tables as one Markdown document."""
    truth = truth_folder(shared)
    parts = [_head(truth), _training(truth), _inference(truth), _day(), reliability(), _scheduling(truth)]
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def _head(truth: Path) -> Iterator[str]:
    yield "# Validation"
    yield ""
    yield "Written by `capsim validate`; do not edit. Errors are absolute and relative; signed is a median."
    yield "Every row is predicted with its own (group, model) left out of the calibration; fall-backs count."
    yield ""
    yield (
        f"Python {platform.python_version()}; "
        + ", ".join(f"{name} {version(name)}" for name in PACKAGES)
        + "."
    )
    yield ""
    yield "| file | sha256 (first 16) |"
    yield "|---|---|"
    for name in ("training.csv", "inference_measured.csv"):
        yield f"| truth/{name} | `{_digest(truth / name)}` |"
    for name, _ in TRACES:
        file = f"scheduling/{name}.truth.csv.gz"
        yield f"| truth/{file} | `{_digest(truth / file)}` |"
    yield ""


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else "missing"


def _training(truth: Path) -> Iterator[str]:
    found = fidelity("training", truth / "training.csv")
    yield "## Training: achieved TFLOP/s per chip"
    yield ""
    yield from _totals(found)
    yield from _unseen("training", truth / "training.csv")
    yield from markdown(found, ("kind", "precision", "chip", "group", "evidence"))


def _inference(truth: Path) -> Iterator[str]:
    found = fidelity("inference", truth / "inference_measured.csv")
    yield "## Inference: output tokens/s per chip, TTFT and TPOT"
    yield ""
    yield from _totals(found)
    yield from _unseen("inference", truth / "inference_measured.csv")
    yield from markdown(found, ("measure and kind", "measure and group", "chip", "precision"))
    for name, part in found["views"].items():
        yield f"{VIEWS[name].capitalize()}:"
        yield ""
        yield from markdown(part, ("measure and kind",))


def _totals(found: dict[str, Any]) -> Iterator[str]:
    yield "| rows | expressed | median | p90 | signed |"
    yield "|--:|--:|--:|--:|--:|"
    yield (
        f"| {found['rows']} | {found['expressed']} | "
        + " | ".join(percent(found[key]) for key in ("median", "p90", "signed"))
        + " |"
    )
    yield ""
    for name, part in found["views"].items():
        figures = f"median {percent(part['median'])}, p90 {percent(part['p90'])}"
        yield f"- {VIEWS[name]}: {figures} ({part['rows']} comparisons)"
    for item in (*found["unexpressed"], *found["excluded"]):
        yield f"- line {item['line']}, {item['model']} on {item['chip']}, not scored: {item['reason']}"
    yield ""


def _unseen(kind: Kind, path: Path) -> Iterator[str]:
    """Harder than a new model: nothing of the row's chip, or of its publisher, was ever measured."""
    yield "| nothing measured of the row's | rows | median | p90 | signed |"
    yield "|---|--:|--:|--:|--:|"
    for what, text in (("chip", "chip"), ("group", "publisher")):
        part = summary(unseen(kind, path, what)).as_dict()  # type: ignore[arg-type]
        figures = " | ".join(percent(part[key]) for key in ("median", "p90", "signed"))
        yield f"| {text} | {part['rows']} | {figures} |"
    yield ""


def published_day(speed: float = 1.0) -> Disaggregated:
    """DeepSeek-V3 on H800 nodes as DeepSeek lays it out, by the roofline times a speed."""
    catalog = known()
    found = serve_disaggregated(
        catalog.models["deepseek-v3"],
        catalog.chips["h800"],
        catalog.systems["h100_hgx"],
        "fp8",
        input_length=DAY_CONTEXT,
        output_length=1.0,
        tpot_ms=DAY_TPOT_MS,
        prefill=DAY_PREFILL,
        decode=DAY_DECODE,
        speed=speed,
    )
    if not isinstance(found, Disaggregated):
        raise InputError(f"DeepSeek-V3 on H800: {found.reason}")
    return found


def published_day_nodes(speed: float = 1.0) -> float:
    """H800 nodes that DeepSeek's published day needs."""
    chips = published_day(speed).chips_for(DAY_INPUT / DAY_SECONDS, DAY_OUTPUT / DAY_SECONDS, DAY_HIT)
    return chips / NODE


def table_speed() -> float:
    """The serving table's speed for DeepSeek-V3 on H800, from chips of its generation."""
    catalog = known()
    shape, chip = shape_of(catalog.models["deepseek-v3"]), catalog.chips["h800"]
    replica = replica_of(shape, chip, catalog.systems["h100_hgx"], "fp8", DAY_PREFILL)
    at = serving_of("deepseek-v3", "h800", replica, "graph", DAY_CONTEXT, 1000.0, 1000.0)
    return float(np.exp(shipped().serving_table("throughput").predict(at)[0]))


def _day() -> Iterator[str]:
    yield "## DeepSeek's published day (no number of it is used to calibrate)"
    yield ""
    yield "| | nodes of 8 H800 | error |"
    yield "|---|--:|--:|"
    yield f"| published, average | {DAY_NODES} | |"
    for name, nodes in (
        ("roofline alone", published_day_nodes()),
        ("roofline with the serving table's speed for Hopper", published_day_nodes(table_speed())),
    ):
        yield f"| {name} | {nodes:.0f} | {100 * (nodes / DAY_NODES - 1):+.0f} % |"
    plan = published_day()
    yield ""
    yield (
        f"Prefill {plan.prefill}, {plan.prompt_tokens_per_chip:,.0f} computed prompt tokens/s "
        f"per chip; decode {plan.decode}, {plan.output_tokens_per_chip:,.0f} output tokens/s per chip at "
        f"{plan.tpot_ms:.0f} ms a token."
    )
    yield ""


def _scheduling(truth: Path) -> Iterator[str]:
    yield "## Scheduling: start times that equal the truth"
    yield ""
    yield "| trace | jobs | " + " | ".join(POLICIES) + " |"
    yield "|---|--:|" + "--:|" * len(POLICIES)
    for name, chips in TRACES:
        columns = _truth_columns(truth / "scheduling" / f"{name}.truth.csv.gz")
        order = np.lexsort((np.arange(len(columns["submit"])), columns["submit"]))
        given = [
            np.ascontiguousarray(columns[key][order]) * 1000 for key in ("submit", "runtime", "requested")
        ]
        size = np.ascontiguousarray(columns["procs"][order])
        zero = int(given[0][0])
        equal = []
        for policy in POLICIES:
            start = zero + starts_of(policy, given[0] - zero, size, given[1], given[2], chips)
            right = int((start == columns[f"start_{policy}"][order] * 1000).sum())
            equal.append(f"{right} equal")
        yield f"| {name} | {len(order)} | " + " | ".join(equal) + " |"
    yield ""


def _truth_columns(path: Path) -> dict[str, np.ndarray]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {key: np.array([int(float(row[key])) for row in rows], dtype=np.int64) for key in rows[0]}
