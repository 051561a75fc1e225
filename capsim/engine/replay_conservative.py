"""Conservative backfilling behind the gate: a job joins the profile when it is admitted."""

from __future__ import annotations

import numpy as np

from capsim.engine.gate import Gate
from capsim.engine.replay_cluster import Queue, layout_of
from capsim.engine.replay_jobs import Columns, Done, Machine
from capsim.engine.replay_policies import ReplayPolicy
from capsim.kernel.conservative_steps import Conservative
from capsim.kernel.profile import NEVER


def run_conservative(policy: ReplayPolicy, jobs: Columns, queue: Queue, chips: int) -> Done:
    """Schedule the jobs to the last end on interchangeable chips. Needs at least one job."""
    count = len(jobs.submit)
    gate = Gate(jobs, queue, layout_of(chips, Machine()), [[1.0]] * len(queue.jobs.kinds))
    scheduler = Conservative(jobs.size, jobs.run, jobs.requested, chips, policy.depth)
    end, joined = np.full(count, -1, dtype=np.int64), np.zeros(count, dtype=np.bool_)
    while True:
        coming = gate.coming()
        now = scheduler.next() if coming is None else min(scheduler.next(), coming)
        if now == NEVER:
            break
        ended = scheduler.end(now)
        for job in ended[np.argsort(gate.place[ended])].tolist():
            end[job] = now
            gate.end(job, now)
        place = gate.reach(now)
        admitted = gate.own[place]
        new = np.sort(admitted[~joined[admitted]])
        joined[new] = True
        scheduler.join(now, new)
    start, none = scheduler.start, np.zeros(count, dtype=np.int64)
    ran = np.where(start >= 0, end - start, 0)
    done = gate.finish(Done(start, end, none, none, none, {}), ran)
    return done._replace(spent=jobs.size * ran, failed=none) if queue.rules.fates else done
