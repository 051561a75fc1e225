"""What a trace says of its jobs beyond size and time: whom they wait for, how they end, their arrays.

Fates are those of SWF field 11; a job that waits for another is SWF fields 17 and 18, or the column
``after`` of an own table (see ``docs/traces.md``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
PROBLEMS_SHOWN = 5

COMPLETED, FAILED, CANCELLED = 0, 1, 2
FATES = ("completed", "failed", "cancelled")
"""How jobs end, by their codes."""

NO_ONE = -1


class Waits(NamedTuple):
    """One entry for each pair of jobs of which one waits for the other.

    ``job`` waits for the job ``on``: indices, in raw terms a row and a job number. ``ok``: 1 if that one must
    complete, 0 if it must end in whatever way. ``think``: ms from its end to the submission of ``job``,
    -1 unknown.
    """

    job: Ints
    on: Ints
    ok: Ints
    think: Ints

    def only(self, rows: NDArray[np.bool_]) -> Waits:
        """The pairs that the mask selects."""
        return Waits(*(column[rows] for column in self))


@dataclass(frozen=True)
class JobTerms:
    """Further terms of jobs, one entry a job; None where the trace does not say.

    ``fate``: index into FATES. ``retries``: attempts that fail before the last one. ``priority``: greater is
    more urgent. ``deadline``: ms on the trace's clock, -1 none. ``array``: index into ``arrays``, -1 none;
    ``array_limits``: of each array the tasks that may be in the queue or running, 0 any number.
    ``unknown_waits``: pairs left out, as the trace has no job of that number submitted earlier.
    """

    waits: Waits | None = None
    fate: Ints | None = None
    retries: Ints | None = None
    priority: Ints | None = None
    deadline: Ints | None = None
    array: Ints | None = None
    arrays: tuple[str, ...] = ()
    array_limits: tuple[int, ...] = ()
    unknown_waits: int = 0

    def of_rows(self, rows: Ints, job: Ints) -> JobTerms:
        """The terms of cleaned jobs: ``rows`` of the file in their order, and the number of every row."""

        def pick(column: Ints | None) -> Ints | None:
            return None if column is None else column[rows]

        waits, unknown = (None, 0) if self.waits is None else _resolved(self.waits, rows, job)
        return replace(
            self,
            waits=waits,
            fate=pick(self.fate),
            retries=pick(self.retries),
            priority=pick(self.priority),
            deadline=pick(self.deadline),
            array=pick(self.array),
            unknown_waits=unknown,
        )


def _resolved(raw: Waits, rows: Ints, job: Ints) -> tuple[Waits, int]:
    """Pairs of rows and job numbers as pairs of indices, and how many name no job submitted earlier.

    Of several jobs with the number it is the last one submitted before.
    """
    place = np.full(len(job), NO_ONE, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    kept = raw.only(place[raw.job] >= 0)
    waiting = place[kept.job]
    numbers = job[rows]
    by_number = np.argsort(numbers, kind="stable")  # of one number: in the order of submission
    ordered = numbers[by_number]
    # the last entry whose (number, index) comes before (on, waiting job)
    first = np.searchsorted(ordered, kept.on, side="left")
    end = np.searchsorted(ordered, kept.on, side="right")
    at = np.array(
        [
            low + int(np.searchsorted(by_number[low:high], j, side="left")) - 1
            for low, high, j in zip(first.tolist(), end.tolist(), waiting.tolist(), strict=True)
        ],
        dtype=np.int64,
    )
    known = at >= first
    found = kept.only(known)
    return found._replace(job=waiting[known], on=by_number[at[known]]), int(np.count_nonzero(~known))


def waits_of_numbers(preceding: Ints, think: Ints) -> Waits | None:
    """SWF: each record's preceding job (≤ 0: none) and think time in ms (negative: unknown)."""
    job = np.flatnonzero(preceding > 0).astype(np.int64)
    if not len(job):
        return None
    return Waits(job, preceding[job], np.zeros(len(job), dtype=np.int64), np.maximum(think[job], -1))


class RowProblems(Exception):
    """What is wrong in rows of a table, by the row's number from 0."""

    def __init__(self, rows: Sequence[tuple[int, str]]) -> None:
        super().__init__(rows)
        self.rows = rows


def waits_of_text(column: Sequence[str]) -> Waits | None:
    """``12 afterok:13``: numbers of jobs that must have ended, or with ``afterok:`` must have completed.

    Raises RowProblems for anything else.
    """
    rows: list[tuple[int, int, int]] = []
    problems: list[tuple[int, str]] = []
    for row, text in enumerate(column):
        for word in text.split():
            kind, colon, number = word.rpartition(":")
            if kind not in ("", "afterany", "afterok") or (colon and not kind) or not _whole(number):
                said = f"after is {text[:40]!r}; write job numbers with spaces between, such as 12 afterok:13"
                problems.append((row, said))
                break
            rows.append((row, int(number), int(kind == "afterok")))
        if len(problems) == PROBLEMS_SHOWN:
            break
    if problems:
        raise RowProblems(problems)
    if not rows:
        return None
    job, on, ok = (np.array(values, dtype=np.int64) for values in zip(*rows, strict=True))
    return Waits(job, on, ok, np.full(len(job), -1, dtype=np.int64))


def _whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and len(text) < 17


def fates_of_status(status: Ints) -> Ints:
    """SWF field 11: 0 and 4 failed, 5 cancelled; all else (1, 2 and 3, unknown) completed."""
    failed = (status == 0) | (status == 4)
    return np.where(failed, FAILED, np.where(status == 5, CANCELLED, COMPLETED)).astype(np.int64)


def fates_of_text(column: Sequence[str]) -> Ints:
    """``completed``, ``failed`` or ``cancelled`` of each record; empty is completed. Else RowProblems."""
    codes = {"": COMPLETED} | {name: code for code, name in enumerate(FATES)}
    wrong = [row for row, text in enumerate(column) if text.strip().lower() not in codes]
    if wrong:
        said = f"write {', '.join(FATES)}, or nothing for the first"
        raise RowProblems([(row, f"fate is {column[row][:40]!r}; {said}") for row in wrong[:PROBLEMS_SHOWN]])
    return np.array([codes[text.strip().lower()] for text in column], dtype=np.int64)


def arrays_of_text(
    column: Sequence[str], limits: NDArray[np.float64] | None
) -> tuple[Ints, tuple[str, ...], tuple[int, ...]]:
    """Each record's array (-1: empty), the arrays' names, and their limits.

    Raises RowProblems for an array with several limits.
    """
    names = tuple(sorted({text.strip() for text in column} - {""}))
    codes = {name: code for code, name in enumerate(names)}
    of = np.array([codes.get(text.strip(), NO_ONE) for text in column], dtype=np.int64)
    most = np.zeros(len(names), dtype=np.int64)
    if limits is not None and len(names):
        given = np.maximum(limits, 0).astype(np.int64)
        inside = np.flatnonzero(of >= 0)
        _, first = np.unique(of[inside], return_index=True)
        most[:] = given[inside[first]]
        other = inside[given[inside] != most[of[inside]]][:PROBLEMS_SHOWN]
        if len(other):
            raise RowProblems(
                [
                    (
                        row,
                        f"array {names[of[row]]!r} has the limit {given[row]}, and {most[of[row]]} before;"
                        " write one of them in all its records",
                    )
                    for row in other.tolist()
                ]
            )
    return of, names, tuple(most.tolist())
