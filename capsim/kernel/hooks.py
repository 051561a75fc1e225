"""Calls from the pass and the lives of jobs into rules that only some policies need.

The rules of changing orders and of governance are one compiled function (``capsim.kernel.rules``) whose
address is in the clock. It is compiled, or loaded, when a policy first asks for it: a cluster without
such rules neither compiles them nor does more for them than one comparison.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from capsim.jit import kernel
from capsim.kernel.state import StateType

PASS, TICK, QUEUE, LEAVE, RETURN, BEGIN, STOP_RUN, OVER, CANCEL_HELD = range(9)
"""What happened: a pass begins; the timer is due; job i joins the queue, leaves it without a start, comes
back to it from the jobs set aside, starts, is off its chips, is over, is cancelled before its admission."""


START, LEAST, SIZE, MASK, SHADOW, BACKFILL, BOUNDARY, ACCRUE, KEEP_OFF, RENEW = range(10)
"""What advance reservations are asked for (``ask_windows``): start a job on a pool (LEAST: with its least
size), the size that it would have there, the map of the pool that it may use, the head's reservation,
backfilling; a window is announced, begins or ends; time is about to move; the map of pool i for replicas;
there are more windows."""

POOL_BITS = 16
"""``i`` of START, LEAST, SIZE and MASK: (job << POOL_BITS | pool) << 1 | behind a reservation."""


@intrinsic
def state_address(typingctx: Any, state: Any) -> Any:
    """The address (int64) of the state's table of pointers."""
    if not isinstance(state, StateType):
        return None

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return args[0]

    return types.int64(state), codegen


@intrinsic
def call_address(typingctx: Any, function: Any, address: Any, what: Any, i: Any) -> Any:
    """Call the int64(int64, int64, int64) function at an address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = ir.IntType(64)
        kind = ir.FunctionType(word, [word, word, word])
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])

    return types.int64(types.int64, types.int64, types.int64, types.int64), codegen


@kernel()
def tell(s, what, i):
    """Tell the rules, if there are any, what happened; returns their answer (0 without rules)."""
    rules = s.clock[0].rules
    if rules == 0:
        return 0
    return call_address(rules, state_address(s), what, i)


@kernel()
def ask_windows(s, what, i):
    """Ask the rules of advance reservations; only where some were made."""
    return call_address(s.clock[0].windows, state_address(s), what, i)


@kernel()
def on_pool(j, pool, behind):
    """Job, pool and whether it is behind a reservation, in one word."""
    return (((j << POOL_BITS) | pool) << 1) | np.int64(behind)


@kernel()
def set_timer(s):
    """The timer is the earlier of the two instants that the rules wait for."""
    s.clock[0].timer = min(s.rules[0].tick, s.booking[0].next)


@intrinsic
def call_entry(typingctx: Any, address: Any, words: Any) -> Any:
    """Call the entry point at an address with a tuple of words; its answer is one, or not to be used."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = ir.IntType(64)
        kind = ir.FunctionType(word, [word] * words.count)
        given = [builder.extract_value(args[1], i) for i in range(words.count)]
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), given)

    return types.int64(types.int64, words), codegen


def function_address(compiled: Any) -> int:
    """The address at which a compiled entry point can be called with plain words."""
    (result,) = compiled.overloads.values()
    return int(result.library.get_pointer_to_function(result.fndesc.llvm_cfunc_wrapper_name))
