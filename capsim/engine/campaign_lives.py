"""The life of every campaign, compiled: one pass over the kernel's rows in place of one for each column."""

from __future__ import annotations

import numba

from capsim.jit import kernel
from capsim.tables import DONE, RUN

RUNS = numba.from_dtype(RUN)
WORDS, REALS, FLAGS = numba.int64[::1], numba.float64[::1], numba.boolean[::1]


@kernel(
    numba.void(
        RUNS[::1], *[WORDS] * 3, numba.int64[:, ::1], numba.int64, numba.float64,
        WORDS, REALS, FLAGS, FLAGS, REALS, WORDS,
    )
)  # fmt: skip
def fill_lives(  # type: ignore[no-untyped-def]
    runs, submit, length, given_up, rented, end, shortest, wait, slowdown, started, finished, part, ended
):
    """Fill what `capsim.engine.campaigns.Campaigns` says of each campaign, shapes (campaigns,).

    Args:
        runs: RUN rows of the campaigns.
        submit: ms of submission.
        length: ms at the reference speed.
        given_up: ms, -1 where not.
        rented: begin and end on rented chips, -1 where not, shape (2, campaigns); (2, 0) where none can be.
        end: of the horizon, ms.
        shortest: ms that a campaign takes at least in the bounded slowdown.
    """
    renting = rented.shape[1] > 0
    for i in range(len(runs)):
        row, work = runs[i], length[i]
        out = renting and rented[0, i] >= 0
        start = row.start
        done = row.state == DONE
        alone, share, last = float(work), 1.0, row.end
        if start >= 0:
            alone = work / max(row.rate, 1e-9)
        if not done:
            share, last = 1.0 - row.work_left / max(work, 1), end - 1
        if out:
            start, leave = rented[0, i], rented[1, i]
            alone = float(leave - start)
            share = min(max((end - start) / max(leave - start, 1), 0.0), 1.0)
            last, done = min(leave, end - 1), done or leave <= end
        begun = start >= 0
        waited = start - submit[i]
        if not begun:
            waited = (given_up[i] if given_up[i] >= 0 else end) - submit[i]
        wait[i], started[i], finished[i], part[i], ended[i] = waited, begun, done, share, last
        slowdown[i] = max((waited + alone) / max(alone, shortest), 1.0)
