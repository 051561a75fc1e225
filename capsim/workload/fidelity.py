"""Work of the fidelity and calibration commands: a table in, figures or a calibration out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from capsim.errors import InputError
from capsim.workload.calibration import Calibration, shipped
from capsim.workload.errors_table import Compared, Summary, Unexpressed, by_label, line_errors, summary
from capsim.workload.inference_fidelity import inference_fidelity
from capsim.workload.inference_rows import serving_entries
from capsim.workload.known import Known, known
from capsim.workload.measurements import Row, read_table
from capsim.workload.training_fidelity import training_entries, training_fidelity

Kind = Literal["training", "inference"]
TRAINING_LABELS = ("kind", "chip", "precision", "group", "evidence")
INFERENCE_LABELS = (
    "measure and kind",
    "kind",
    "chip",
    "precision",
    "measure",
    "load",
    "engine",
    "measure and group",
)


def fidelity(kind: Kind, path: Path, calibration: Calibration | None = None) -> dict[str, Any]:
    """Errors of a kind of model on a table.

    Returns:
        Plain data: other views (`anchored`, or `uncalibrated` and `series`), `unexpressed`, `excluded` and
        `predictions` by row, then `rows`, `expressed`, `median`, `p90`, `signed` and `by`.

    Raises:
        InputError: the file is not such a table.
    """
    rows = read_table(path)
    if not rows:
        raise InputError(f"{path}: no rows below the header")
    points, catalog = calibration or shipped(), known()
    return _training(rows, points, catalog) if kind == "training" else _inference(rows, points, catalog)


def unseen(kind: Kind, path: Path, what: Literal["chip", "group"]) -> list[Compared]:
    """Comparisons on a table as if nothing of the row's chip, or of its publisher, were ever measured."""
    rows, catalog, points = read_table(path), known(), shipped()
    compare = training_fidelity if kind == "training" else inference_fidelity
    seen = compare(rows, points, catalog).compared
    out: list[Compared] = []
    for value in sorted({c.labels[what] for c in seen}):
        left = points.without(chip=value) if what == "chip" else points.without(group=value)
        lines = {c.line for c in seen if c.labels[what] == value}
        out += compare([row for row in rows if row.number in lines], left, catalog).compared
    return out


def _training(rows: Sequence[Row], points: Calibration, catalog: Known) -> dict[str, Any]:
    found = training_fidelity(rows, points, catalog)
    views = {"anchored": summary(found.anchored)}
    return _payload(
        "training", len(rows), found.compared, views, found.unexpressed, found.excluded, TRAINING_LABELS
    )


def _inference(rows: Sequence[Row], points: Calibration, catalog: Known) -> dict[str, Any]:
    found = inference_fidelity(rows, points, catalog)
    views = {"uncalibrated": summary(found.uncalibrated), "series": summary(found.series)}
    out = _payload("inference", len(rows), found.compared, views, found.unexpressed, [], INFERENCE_LABELS)
    out["views"]["uncalibrated"]["by"] = _tables(found.uncalibrated, ("measure and kind",))
    out["views"]["series"]["by"] = _tables(found.series, ("measure and kind",))
    return out


def _tables(compared: Sequence[Compared], labels: Sequence[str]) -> dict[str, Any]:
    return {
        label: {value: part.as_dict() for value, part in parts.items()}
        for label, parts in by_label(compared, labels).items()
    }


def _payload(
    kind: Kind,
    rows: int,
    compared: list[Compared],
    views: dict[str, Summary],
    unexpressed: list[Unexpressed],
    excluded: list[Unexpressed],
    labels: Sequence[str],
) -> dict[str, Any]:
    total = summary(compared).as_dict()
    return {
        "table": kind,
        "left_out": "(group, model)",
        "views": {name: part.as_dict() for name, part in views.items()},
        "unexpressed": [_left(item) for item in unexpressed],
        "excluded": [_left(item) for item in excluded],
        "predictions": [
            {
                "line": c.line,
                "measure": c.measure,
                "measured": _short(c.measured),
                "predicted": _short(c.predicted),
            }
            for c in compared
        ],
        "comparisons": len(compared),
        "rows": rows,
        "expressed": line_errors(compared),
        "median": total["median"],
        "p90": total["p90"],
        "signed": total["signed"],
        "by": _tables(compared, labels),
    }


def _left(item: Unexpressed) -> dict[str, Any]:
    return {"line": item.line, "model": item.model, "chip": item.chip, "reason": item.reason}


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def calibration_of(path: Path) -> tuple[dict[str, Any], list[Unexpressed], Kind]:
    """A table of measurements as the `calibration:` section of a study, and the rows that could not be used.

    A table with input and output lengths (`isl`, `osl`) is one of serving, any other one of training.

    Raises:
        InputError: the file is not such a table, or no row of it can be used.
    """
    rows = read_table(path)
    serving = bool(rows) and {"isl", "osl"} <= rows[0].cells.keys()
    kind: Kind = "inference" if serving else "training"
    entries, left = serving_entries(rows, known()) if serving else training_entries(rows, known())
    if not entries:
        reason = f"; line {left[0].line}: {left[0].reason}" if left else ""
        raise InputError(f"{path}: no row can be used for a calibration{reason}")
    cleaned = [{key: value for key, value in entry.items() if value not in ("", None)} for entry in entries]
    return {"calibration": {kind: cleaned}}, left, kind
