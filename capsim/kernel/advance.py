"""The kernel's entry points: time advances, and the operations that the engine may call between instants."""

from __future__ import annotations

from numba import int64, void

from capsim.jit import kernel
from capsim.kernel import capacity, failures, serving
from capsim.kernel.heap import heap_drop
from capsim.kernel.hooks import ACCRUE, BOUNDARY, CANCEL_HELD, LEAVE, OVER, TICK, ask_windows, tell
from capsim.kernel.preemption import reach_stop
from capsim.kernel.progress import FAILED
from capsim.kernel.reservation import drop_reservation
from capsim.kernel.running import dequeue, enqueue, reach_end, stop_job
from capsim.kernel.schedule import schedule_pass, unpark_class
from capsim.kernel.state import FAIL, FINISH, KEY_SHIFT, LISTED, REPAIR, RETIRE, STOP, as_state
from capsim.tables import CANCELLED, DONE, NEVER, RUNNING, WAITING

REACHED, FINISHED, NO_ROOM = 0, 1, 2
"""What ``advance`` returns; NO_ROOM: the heap or the pieces must grow, call again afterwards."""

ACTIVATE, RETIRE_DOMAINS, DRAIN, UNDRAIN, DOWN, UP = range(6)
SUBMIT, CONCLUDE, CANCEL_ALL, RESIZE, RESIZE_ALL, RECONSIDER = range(6, 12)
RECLAIM, RESTORE = 12, 13
"""Operations of ``operate``."""

_MASK = (1 << KEY_SHIFT) - 1


@kernel()
def has_room(s):
    """Whether every event of one instant finds room in the heap and in the pieces."""
    c = s.clock[0]
    to_start = min(int64(c.cap_jobs), int64(s.active.shape[0] - 16)) - c.running
    if s.heap.shape[0] < c.n_heap + to_start + 256:
        return False
    return s.pieces.shape[0] >= c.live_pieces + 2 * s.doms.shape[0] + to_start + 1024


@kernel()
def next_listed(s):
    """Time of the next of the given failures, or NEVER."""
    i = s.clock[0].next_failure
    return s.failures[i].time if i < s.failures.shape[0] else NEVER


@kernel()
def handle_events(s, time, last_kind):
    """Handle the heap events of this instant up to a kind, and given failures in their turn.

    Returns False if it has to stop: a watched job finished, or there is no room.
    """
    c = s.clock[0]
    while True:
        event = s.heap[0]
        kind = event.key >> KEY_SHIFT
        due = c.n_heap > 0 and event.time == time
        listed = next_listed(s) == time and (not due or kind > LISTED) and last_kind >= LISTED
        if (not due or kind > last_kind) and not listed:
            return True
        if not has_room(s):
            return False
        if listed:
            failure = s.failures[c.next_failure]
            c.next_failure += 1
            failures.strike(s, int64(failure.domain), int64(failure.chip), failure.whole != 0, failure.repair)
            continue
        index, data = event.key & _MASK, event.data
        s.count[0].events += 1
        if kind == FAIL:
            failures.strike_tranche(s, index, data)
            continue
        heap_drop(s)
        failures.expect(s)
        if kind == FINISH:
            run = s.runs[index]
            if run.state == RUNNING and run.version == data:
                reach_end(s, index, time)
                if c.finished >= 0:
                    return False
        elif kind == STOP:
            run = s.runs[index]
            if run.state == RUNNING and run.version == data and run.preempt_at == time:
                reach_stop(s, index)
        elif kind == RETIRE:
            capacity.force_out(s, index, data)
        elif kind == REPAIR:
            failures.repair(
                s, index, data >> failures.DOMAIN_SHIFT, data & ((1 << failures.DOMAIN_SHIFT) - 1)
            )


@kernel()
def submit_due(s, time):
    """Queue the listed jobs submitted at this instant."""
    c = s.clock[0]
    while c.next_job < c.n_listed and s.jobs[c.next_job].submit == time:
        j = int64(c.next_job)
        c.next_job += 1
        s.count[0].submitted += 1
        enqueue(s, j)


@kernel()
def next_pass(s):
    """The first instant from now on at which a pass may happen."""
    c = s.clock[0]
    if c.interval == 0:
        return c.now
    if c.pass_at < c.now:
        c.pass_at = -(-c.now // c.interval) * c.interval
    return c.pass_at


@kernel()
def reach_timer(s):
    """The calendar of the rules, or a boundary of an advance reservation, is due."""
    tell(s, TICK, int64(0))
    if s.clock[0].windows:
        ask_windows(s, BOUNDARY, int64(0))


@kernel(int64(int64, int64))
def advance(address, until):
    """Run all instants before ``until`` and the events of ``until``; see ``Cluster.advance``."""
    s = as_state(address)
    c = s.clock[0]
    while True:
        if c.phase == 2:
            if c.now >= until:
                return REACHED
            if c.now >= c.timer:
                reach_timer(s)
            submit_due(s, c.now)
            if c.happened and next_pass(s) == c.now:
                if not has_room(s):
                    return NO_ROOM
                schedule_pass(s)
                c.happened = 0
            c.phase = 0
        if c.phase == 0:
            time = min(until, c.timer)
            if c.n_heap > 0:
                time = min(time, s.heap[0].time)
            if c.next_job < c.n_listed:
                time = min(time, s.jobs[c.next_job].submit)
            if c.happened:
                time = min(time, next_pass(s))
            time = min(time, next_listed(s))
            if c.windows:
                ask_windows(s, ACCRUE, int64(time))
            c.now = time
            c.phase = 1
        if not handle_events(s, c.now, int64(REPAIR)):
            if c.finished >= 0:
                return FINISHED
            return NO_ROOM
        c.phase = 2


@kernel()
def conclude(s, j, state):
    """Take a job out of the queue or off its chips for good; it is in ``state`` then."""
    run = s.runs[j]
    if run.state == WAITING:
        if run.parked == 1:
            unpark_class(s, int64(s.jobs[j].cls))
        if tell(s, CANCEL_HELD, j) == 0:
            dequeue(s, j)
            tell(s, LEAVE, j)
    elif run.state == RUNNING:
        stop_job(s, j, FAILED)
        run.end = s.clock[0].now
    else:
        return
    run.state = state
    tell(s, OVER, j)
    s.count[0].cancelled += int64(state == CANCELLED)
    s.count[0].completed += int64(state == DONE)
    drop_reservation(s)
    s.clock[0].dirty = 1
    s.clock[0].happened = 1


@kernel()
def resize(s, row, wanted):
    """Set the wanted replicas of a service on a pool; surplus ones leave at once."""
    sv = s.services[row]
    s.clock[0].lacking += max(0, wanted - sv.held) - max(0, sv.wanted - sv.held)
    sv.wanted = wanted
    if sv.held > wanted:
        serving.shrink_service(s, row, int64(sv.held - wanted))
    elif sv.held < wanted:
        s.clock[0].growing = 1
    s.clock[0].happened = 1


@kernel(void(int64, int64, int64, int64, int64, int64))
def operate(address, what, i, n, flag, at):
    """One of the operations between instants (one entry point: it compiles faster than many)."""
    s = as_state(address)
    s.clock[0].called = 1
    s.clock[0].stuck_job = -1
    if what == ACTIVATE:
        capacity.activate(s, i, n)
    elif what == RETIRE_DOMAINS:
        capacity.retire(s, i, n, flag != 0, at)
    elif what == RECLAIM:
        capacity.reclaim(s, i, n, at)
    elif what == RESTORE:
        capacity.restore(s, i, n)
    elif what == DRAIN:
        capacity.drain(s, i, n)
    elif what == UNDRAIN:
        capacity.undrain(s, i)
    elif what == DOWN:
        capacity.site_down(s, i)
    elif what == UP:
        capacity.site_up(s, i)
    elif what == SUBMIT:
        s.count[0].submitted += 1
        enqueue(s, i)
    elif what == CONCLUDE:
        conclude(s, i, n)
    elif what == CANCEL_ALL:
        for k in range(n):
            conclude(s, int64(s.victims[k]), int64(CANCELLED))
    elif what == RESIZE:
        resize(s, i, n)
    elif what == RESIZE_ALL:
        for row in range(s.services.shape[0]):
            if s.services[row].target != s.services[row].wanted:
                resize(s, int64(row), int64(s.services[row].target))
    else:
        serving.capacity_grew(s, True)
