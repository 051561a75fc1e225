"""The one compiled function behind the hooks: orders whose keys change with time.

Importing this module compiles it (or loads it from the cache); ``Cluster`` does so when a policy asks.
"""

from __future__ import annotations

from numba import int64

from capsim.jit import kernel
from capsim.kernel.hooks import BEGIN, LEAVE, PASS, QUEUE, RETURN, STOP_RUN, TICK, function_address
from capsim.kernel.keys import book_chips, book_queued
from capsim.kernel.ordering import before_pass, place_job, take_slot, tick
from capsim.kernel.state import as_state


@kernel(int64(int64, int64, int64))
def rules(address, what, i):
    """What the rules do when something happens; see ``capsim.kernel.hooks``."""
    s = as_state(address)
    if s.rules[0].order == 0:
        return 0
    if what == QUEUE:
        place_job(s, i)
        book_queued(s, i, 1)
    elif what == RETURN:
        take_slot(s, i)
    elif what == LEAVE:
        book_queued(s, i, -1)
    elif what == BEGIN:
        book_queued(s, i, -1)
        book_chips(s, i, 1)
    elif what == STOP_RUN:
        book_chips(s, i, -1)
    elif what == PASS:
        before_pass(s)
    elif what == TICK:
        tick(s)
    return 0


ADDRESS = function_address(rules)
"""Where the kernel calls it."""
