"""Work, checkpoints and estimates of one job: how long it takes, and what a stop costs."""

from __future__ import annotations

import math

import numpy as np

from capsim.jit import kernel
from capsim.tables import N_KINDS, NEVER

COMPLETE, FAILED, CHECKPOINTED = 0, 1, 2


@kernel()
def wall_time(work, rate, interval, stall):
    """Ms that ``work`` ms of work take at a rate, with a stall per full checkpoint interval before the
    end.
    """
    x = work if rate == 1.0 else np.int64(math.ceil(work / rate))
    if stall > 0 and interval > 0 and x > interval:
        x += stall * ((x - 1) // interval)
    return x


@kernel()
def job_rate(s, j, pool, n, blocks, over):
    """Ms of work done per ms by job j with n chips on a pool over so many blocks."""
    job = s.jobs[j]
    cls = s.classes[job.cls]
    rate = s.places[np.int64(job.cls) * s.pools.shape[0] + pool].speed
    if n != job.size_ref:
        rate *= n / job.size_ref
    if blocks > 1 and cls.locality < 1.0:
        rate *= cls.locality ** (math.log2(blocks) * over)
    return rate


@kernel()
def checkpoint_interval(s, cls, pool, n):
    """Ms of progress between checkpoints: given, Young's, 0 (free and continuous) or NEVER (none)."""
    k = s.classes[cls]
    if k.interval > 0:
        return k.interval
    if k.stall == 0:
        return np.int64(0)
    rate = s.pools[pool].rate * n
    if rate <= 0.0:
        return NEVER
    return max(np.int64(1), np.int64(math.sqrt(2.0 * k.stall / rate)))


@kernel()
def segment_estimate(s, j):
    """Estimated end of the present segment: from its begin, the overhead and the requested work left."""
    run = s.runs[j]
    stall = s.classes[s.jobs[j].cls].stall
    return run.begun + run.overhead_ms + wall_time(run.request_left, run.rate, run.interval, stall)


@kernel()
def plan_end(s, j):
    """Set the instant at which the present segment will end by itself, and whether that is the limit."""
    run = s.runs[j]
    stall = s.classes[s.jobs[j].cls].stall
    work = run.work_left
    run.limit = 0
    if work > run.request_left and not s.clock[0].run_on:
        work = run.request_left
        run.limit = 1
    run.end = run.begun + run.overhead_ms + wall_time(work, run.rate, run.interval, stall)


@kernel()
def reduce_work(run, wall):
    """Take the work done in ``wall`` ms of progress off what is left; at least 1 ms stays."""
    done = wall if run.rate == 1.0 else np.int64(wall * run.rate)
    run.work_left = max(np.int64(1), run.work_left - done)
    run.request_left = max(np.int64(1), run.request_left - done)


@kernel()
def will_retry(s, j):
    """Whether the present attempt of job j fails, as its fate says, and another follows."""
    return s.clock[0].rules != 0 and s.standings[j].retries > 0 and s.runs[j].limit == 0


@kernel()
def close_segment(s, j, how):
    """Book the present segment's chip-time by what it was; reduce the work left."""
    run = s.runs[j]
    cls = s.classes[s.jobs[j].cls]
    stall, interval = cls.stall, run.interval
    elapsed = s.clock[0].now - run.begun
    overhead = min(elapsed, run.overhead_ms)
    e = elapsed - overhead
    redone = np.int64(0)
    if how == COMPLETE:
        if stall > 0 and interval > 0 and e > 0:
            overhead += stall * ((e - 1) // (interval + stall))
    else:
        if how == CHECKPOINTED:
            overhead += min(e, stall)
            e = max(np.int64(0), e - stall)
        if interval == 0:
            reduce_work(run, e)
        else:
            cycle = interval + stall
            cycles = e // cycle
            rest = e - cycles * cycle
            progress = min(rest, interval)
            overhead += cycles * stall + rest - progress
            if how == CHECKPOINTED:
                reduce_work(run, cycles * interval + progress)
            else:
                reduce_work(run, cycles * interval)
                redone = progress
    n = np.int64(run.chips)
    tally = s.tally[np.int64(run.pool) * N_KINDS + cls.kind]
    if will_retry(s, j):
        tally.retried += n * (elapsed - overhead - redone)
    else:
        tally.useful += n * (elapsed - overhead - redone)
    tally.redone += n * redone
    tally.overhead += n * overhead
    run.lost += n * redone
    run.chip_time += n * elapsed
