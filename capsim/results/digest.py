"""Digest of results: the same for any number of workers, any split of time and any machine's speed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from capsim.results.columns import column_type
from capsim.results.schema import ASKED_FOR, RunResult

#: figures that depend on the machine, not on the simulated world.
NOT_DIGESTED: frozenset[str] = frozenset({"seconds"})


def run_digest(result: RunResult) -> str:
    """sha256 (hex) over everything in `result` but wall time; `result` as `columns.canonical` gives it."""
    digest = hashlib.sha256()
    _add_texts(digest, [result.strategy, result.case, str(result.run)])
    _add_reals(digest, [v for k, v in result.metrics.items() if k not in NOT_DIGESTED])
    digest.update(np.array(list(result.ladder.values()), dtype="<i8").tobytes())
    _add_reals(digest, list(result.cash_npv.values()))
    for table, columns in result.tables.items():
        if table in ASKED_FOR and not any(len(values) for values in columns.values()):
            continue
        for name, values in columns.items():
            _add_texts(digest, [table, name, str(len(values))])
            kind = column_type(name)
            if kind == "text":
                _add_texts(digest, values)
            elif kind == "whole":
                digest.update(values.astype("<i8").tobytes())
            else:
                _add_reals(digest, values)
    return digest.hexdigest()


def combined_digest(run_digests: Iterable[str]) -> str:
    """sha256 (hex) of run digests in the plan's order."""
    return hashlib.sha256("\n".join(run_digests).encode()).hexdigest()


def _add_texts(digest: Any, texts: Sequence[str]) -> None:
    digest.update(np.fromiter(map(len, texts), dtype="<i8", count=len(texts)).tobytes())
    digest.update("".join(texts).encode())


def _add_reals(digest: Any, values: Any) -> None:
    array = np.array(values, dtype="<f8")
    array[np.isnan(array)] = np.nan  # one bit pattern for nan
    array[array == 0.0] = 0.0  # and none for minus zero
    digest.update(array.tobytes())
