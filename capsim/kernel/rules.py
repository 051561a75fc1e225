"""The one compiled function behind the hooks: orders whose keys change with time, limits, dependencies.

Importing this module compiles it (or loads it from the cache); ``Cluster`` does so when a policy asks.
"""

from __future__ import annotations

from numba import int64

from capsim.jit import kernel
from capsim.kernel.admission import ask, be_over, let_in, line_up, review, unhold
from capsim.kernel.dependencies import fails_again, let_through, open_gate, settle
from capsim.kernel.heads import reweigh
from capsim.kernel.hooks import (
    BEGIN,
    CANCEL_HELD,
    LEAVE,
    OVER,
    PASS,
    QUEUE,
    RETURN,
    STOP_RUN,
    TICK,
    function_address,
)
from capsim.kernel.keys import DRF, book_chips
from capsim.kernel.ordering import before_pass, leave_order, take_slot, tick
from capsim.kernel.state import as_state
from capsim.tables import HELD


@kernel()
def limits(s, what, i):
    """What dependencies, arrays and tenants' limits do; 1: job i is not in the queue, or not over."""
    if what == QUEUE:
        if not let_through(s, i):
            return 1
        return ask(s, i)
    if what == OVER:
        if fails_again(s, i):
            return 1
        be_over(s, i)
        settle(s, i)
    elif what == PASS:
        review(s)
    elif what == CANCEL_HELD and s.runs[i].parked == HELD:
        s.clock[0].queued -= 1
        if s.standings[i].gate > 0:
            open_gate(s, i)
            return 1
        unhold(s, i)
        let_in(s)
        return 1
    return 0


@kernel()
def ordered(s, what, i):
    """What an order that changes with time does when something happens."""
    if what == RETURN:
        take_slot(s, i)
    elif what == LEAVE:
        leave_order(s, i)
    elif what == BEGIN:
        book_chips(s, i, 1)
        leave_order(s, i)
    elif what == STOP_RUN:
        book_chips(s, i, -1)
        if s.clock[0].heads and s.rules[0].order == DRF:
            reweigh(s, int64(s.jobs[i].tenant))
    elif what == PASS:
        before_pass(s)
    elif what == TICK:
        tick(s)


@kernel(int64(int64, int64, int64))
def rules(address, what, i):
    """What the rules do when something happens; see ``capsim.kernel.hooks``. 1: i is held, or not over."""
    s = as_state(address)
    answer = 0
    if s.rules[0].limited:
        answer = limits(s, what, i)
    elif what == QUEUE:
        line_up(s, i)
    if s.rules[0].order > 0:
        ordered(s, what, i)
    return answer


ADDRESS = function_address(rules)
"""Where the kernel calls it."""
