"""The loop that interleaves the control processes and the kernel.

The kernel never runs past the next decision; a decision's operations happen at its instant, after the
terminations of that instant and before its submissions.
"""

from __future__ import annotations

from collections.abc import Callable

import simpy

from capsim.kernel.api import Cluster, Code


def run_to_end(
    env: simpy.Environment, cluster: Cluster, end: int, finished: Callable[[int, int], None]
) -> int:
    """Run both clocks to `end`.

    Args:
        finished: called with (job, instant) right after a watched job terminated.

    Returns:
        The number of control events processed.
    """
    events = 0
    while True:
        upcoming = env.peek()
        until = end if upcoming >= end else max(int(upcoming), cluster.now)
        status = cluster.advance(until)
        if status.code == Code.FINISHED:
            finished(status.job, status.now)
        elif until >= end:
            return events
        else:
            while env.peek() <= until:
                env.step()
                events += 1
