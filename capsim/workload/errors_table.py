"""Errors of predictions against measurements: median, 90th percentile and sign, in all and by column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Compared:
    """One measured value beside its prediction; ``labels`` say where it belongs (chip, kind ...)."""

    line: int
    measure: str
    measured: float
    predicted: float
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def error(self) -> float:
        """Relative error, predicted / measured - 1."""
        return self.predicted / self.measured - 1.0


@dataclass(frozen=True)
class Unexpressed:
    """A row without a prediction, and why. ``excluded``: the table itself takes it out."""

    line: int
    model: str
    chip: str
    reason: str


@dataclass(frozen=True)
class Summary:
    """Absolute relative error: median and 90th percentile; ``signed`` the median of the signed error."""

    rows: int
    median: float | None
    p90: float | None
    signed: float | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: rounded to 1e-4."""
        return {"rows": self.rows, **{k: _rounded(getattr(self, k)) for k in ("median", "p90", "signed")}}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def summary(compared: Iterable[Compared]) -> Summary:
    """The errors of some comparisons; None where there are none."""
    errors = np.array([c.error for c in compared], dtype=np.float64)
    if errors.size == 0:
        return Summary(0, None, None, None)
    size = np.abs(errors)
    return Summary(
        errors.size, float(np.median(size)), float(np.quantile(size, 0.9)), float(np.median(errors))
    )


def by_label(compared: Sequence[Compared], columns: Sequence[str]) -> dict[str, dict[str, Summary]]:
    """Errors by the values of each label; a comparison without the label is left out of that table."""

    def part(key: Callable[[Compared], str | None]) -> dict[str, Summary]:
        values = sorted({v for v in map(key, compared) if v})
        return {value: summary(c for c in compared if key(c) == value) for value in values}

    return {column: part(lambda c, column=column: c.labels.get(column)) for column in columns}  # type: ignore[misc]


def line_errors(compared: Sequence[Compared]) -> int:
    """How many different rows were compared."""
    return len({c.line for c in compared})
