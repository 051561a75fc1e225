"""Which running jobs may be stopped: lists by pool and level, so that a head looks at lower levels only.

A *level* is a priority or, with las, a queue (of a priority, where classes go first); level 0 is stopped
first. With las, jobs that had not worked long enough when keys were last computed are on a level above
everybody. The last list of a pool holds its jobs under notice. Kept only under a policy with
preemption. A list is a chain of blocks, all but the last one full; a job that leaves is replaced by the
list's last one.
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.kernel import rule_tables
from capsim.kernel.clearing import move_tops, top_of
from capsim.kernel.state import State
from capsim.tables import NEVER, PIECE

BLOCK_SIZE = 64
"""Jobs in one block of a list."""

VICTIM_CLASSES = 1024
"""Classes by which victims are sorted: enough for 16 to each doubling of an int64."""

EXEMPT = np.iinfo(np.int64).max
"""Standing of the list of las' jobs that are exempt: no head is above it."""

MOST_LISTS = int(np.iinfo(PIECE["top"]).max)
"""Lists of a pool: ``PIECE.top`` numbers them."""

_SHIFT, _MASK = 6, BLOCK_SIZE - 1


@kernel()
def standing(s, j):
    """What preemption compares: the class's priority; with las minus the queue that the job is in, with
    las by class the one, then the other."""
    priority = np.int64(s.classes[s.jobs[j].cls].priority)
    if not s.clock[0].levels:
        return priority
    above = priority * (s.rules[0].n_levels + 1) if s.rules[0].by_class else np.int64(0)
    return above - np.int64(s.standings[j].key)


@kernel()
def is_exempt(s, j):
    """las: whether a running job had not worked long enough when keys were last computed."""
    rules, run = s.rules[0], s.runs[j]
    return rules.exempt > 0 and rules.keyed_at < run.begun + run.overhead_ms + rules.exempt


@kernel()
def level_of(s, j):
    """The list of its pool that a running job belongs to; -1: none, it cannot be stopped."""
    c = s.clock[0]
    if s.runs[j].preempt_at < NEVER:
        return np.int64(c.n_levels)
    cls = s.classes[s.jobs[j].cls]
    if not cls.preemptible:
        return np.int64(-1)
    if not c.levels:
        return np.int64(cls.level)
    if is_exempt(s, j):
        return np.int64(c.n_levels - 1)
    queues = np.int64(s.rules[0].n_levels + 1)
    return cls.level * queues + queues - 1 - np.int64(s.standings[j].key)


@kernel()
def only_domain(s, j):
    """The domain where a running job has all its chips; -1: it has chips in several."""
    piece = s.pieces[s.runs[j].first_piece]
    return np.int64(piece.domain) if piece.next < 0 else np.int64(-1)


@kernel()
def list_running(s, j):
    """Enter a running job into the list where it belongs, if there is one."""
    enter_list(s, j)
    move_tops(s, j, np.int64(-1), top_of(s, j))


@kernel()
def enter_list(s, j):
    """Add a running job to the list of its pool where it belongs, if there is one."""
    c, run = s.clock[0], s.runs[j]
    level = level_of(s, j)
    s.listed[j] = -1
    if c.levels:
        s.standings[j].look_at = 0
    if level < 0:
        return
    at = np.int64(run.pool) * (c.n_levels + 1) + level
    held = s.levels[at]
    if held.count & _MASK == 0:
        block = np.int64(c.free_list_block)
        if block >= 0:
            c.free_list_block = s.list_blocks[block]
        else:
            block = np.int64(c.n_list_blocks)
            c.n_list_blocks += 1
        s.list_blocks[block] = held.block
        held.block = block
    row = (np.int64(held.block) << _SHIFT) + (held.count & _MASK)
    one = s.preemptible[row]
    one.job = j
    one.chips = run.chips
    one.level = at
    one.where = only_domain(s, j)
    one.since = run.begun + run.overhead_ms
    one.interval = run.interval
    one.cycle = run.interval + s.classes[s.jobs[j].cls].stall
    held.count += 1
    held.chips += run.chips
    s.listed[j] = row


@kernel()
def unlist(s, j):
    """A running job, still on its chips, is about to leave them."""
    move_tops(s, j, np.int64(s.pieces[s.runs[j].first_piece].top), np.int64(-1))
    leave_list(s, j)


@kernel()
def leave_list(s, j):
    """Take a job out of its list, if it is in one."""
    c = s.clock[0]
    row = np.int64(s.listed[j])
    if row < 0:
        return
    held = s.levels[s.preemptible[row].level]
    held.count -= 1
    held.chips -= s.preemptible[row].chips
    block = np.int64(held.block)
    last = (block << _SHIFT) + (held.count & _MASK)
    if last != row:
        s.preemptible[row] = s.preemptible[last]
        s.listed[s.preemptible[row].job] = row
    if held.count & _MASK == 0:
        held.block = s.list_blocks[block]
        s.list_blocks[block] = c.free_list_block
        c.free_list_block = block
    s.listed[j] = -1


@kernel()
def relist(s, j):
    """A running job came under notice, or into another queue."""
    was = np.int64(s.pieces[s.runs[j].first_piece].top)
    leave_list(s, j)
    enter_list(s, j)
    top = top_of(s, j)
    if top != was:
        move_tops(s, j, was, top)


@kernel()
def note_restart(s, j):
    """A running job begins a segment anew: so does its work at risk, and with las its exemption; it may be in
    other domains too."""
    row = np.int64(s.listed[j])
    if s.clock[0].levels:
        relist(s, j)
    elif row >= 0:
        s.preemptible[row].since = s.runs[j].begun + s.runs[j].overhead_ms
        s.preemptible[row].where = only_domain(s, j)


@kernel()
def risk_of(s, row):
    """Chip-ms of work that a stop without a checkpoint would lose now.

    Moves ``since`` to the begin of the present cycle of checkpoints, so that it seldom divides.
    """
    one = s.preemptible[row]
    passed = s.clock[0].now - one.since
    if passed <= 0 or one.interval == 0:
        return np.int64(0)
    if passed >= one.cycle:
        one.since += passed // one.cycle * one.cycle
        passed = s.clock[0].now - one.since
    return one.chips * min(passed, one.interval)


@kernel()
def levels_below(s, pool, standing):
    """The pool's first list, and the number of its lists of lower standing."""
    n = np.int64(s.clock[0].n_levels)
    first = pool * (n + 1)
    below = np.int64(0)
    while below < n and s.levels[first + below].standing < standing:
        below += 1
    return first, below


@kernel()
def last_rows(count):
    """Rows in use of the last block of a list with so many jobs."""
    return ((count - 1) & _MASK) + 1


@kernel()
def first_row(s, at):
    """Cursor over a list: its last row, and those left after it; see ``next_row``. -1: the list is empty."""
    count = np.int64(s.levels[at].count)
    if count == 0:
        return np.int64(-1)
    return (np.int64(s.levels[at].block) << _SHIFT) + ((count - 1) & _MASK)


@kernel()
def next_row(s, row):
    """The row after this one on the way from a list's last one to its first; -1: there is none."""
    if row & _MASK:
        return row - 1
    block = np.int64(s.list_blocks[row >> _SHIFT])
    return (block << _SHIFT) + _MASK if block >= 0 else np.int64(-1)


def lay_levels(state: State) -> State:
    """The state with the lists of preemptible jobs laid out, all empty.

    Of a job there is one row at most; each list may have one block that is not full.
    """
    classes, las = state.classes, bool(state.clock["levels"][0])
    by_class = not las or bool(state.rules["by_class"][0])
    queues = int(state.rules["n_levels"][0]) + 1 if las else 1
    able = classes["preemptible"] != 0
    ranks = np.unique(classes["priority"][able]) if by_class else np.zeros(1, np.int64)
    classes["level"] = np.searchsorted(ranks, classes["priority"]) if by_class else 0
    standings = (ranks[:, None] * queues - np.arange(queues)[::-1]).ravel()
    if las:
        standings = np.append(standings, EXEMPT)
    lists = len(standings) + 1
    if lists > MOST_LISTS:
        raise ValueError(f"{lists - 1} levels (priorities, queues) of preemption; at most {MOST_LISTS - 1}")
    levels = np.zeros(len(state.pools) * lists, rule_tables.LEVEL)
    levels["block"] = -1
    levels["standing"].reshape(-1, lists)[:, :-1] = standings
    state.clock["n_levels"], state.clock["free_list_block"] = len(standings), -1
    running = len(state.active)
    blocks = running // BLOCK_SIZE + len(levels) + 1
    return state._replace(
        levels=levels,
        preemptible=np.zeros(blocks * BLOCK_SIZE, rule_tables.PREEMPTIBLE),
        list_blocks=np.zeros(blocks, np.int32),
        listed=np.full(len(state.jobs), -1, np.int32),
        victims=np.zeros(7 * running, np.int64),
        turns=np.zeros(1, rule_tables.TURNS),
        class_ends=np.zeros(VICTIM_CLASSES, np.int32),
        tops=np.full(len(state.doms), -1, np.int32),
        clearable=np.zeros(len(state.sites) * (lists + 1), np.int32),
    )
