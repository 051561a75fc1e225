"""The kernel's state: one named tuple of structured arrays, and its numba type."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, intrinsic, lower_getattr_generic, models, register_model

from capsim import tables
from capsim.kernel import rule_tables
from capsim.kernel.rows import Rows, make_rows

END_BLOCK_SIZE = 64
"""Entries of one block of a site's list of estimated ends."""

FINISH, STOP, FAIL, LISTED, RETIRE, REPAIR = 0, 1, 2, 3, 4, 5
"""Kinds of heap events, in their order within one instant."""

KEY_SHIFT = 40

EMPTY = 2**62
"""Size and duration of an empty leaf of the queue's tree."""


class State(NamedTuple):
    """Every array of the kernel; dtypes in ``capsim.tables``."""

    clock: np.ndarray
    count: np.ndarray  # type: ignore[assignment]
    pools: np.ndarray
    sites: np.ndarray
    site_order: np.ndarray
    blocks: np.ndarray
    doms: np.ndarray
    tranches: np.ndarray
    classes: np.ndarray
    places: np.ndarray
    services: np.ndarray
    jobs: np.ndarray
    runs: np.ndarray
    pieces: np.ndarray
    heap: np.ndarray
    ends: np.ndarray
    end_blocks: np.ndarray
    end_order: np.ndarray
    tree: np.ndarray
    by_rank: np.ndarray
    bits: np.ndarray
    counts: np.ndarray
    kinds: np.ndarray
    tally: np.ndarray
    failures: np.ndarray
    drawn: np.ndarray
    victims: np.ndarray
    active: np.ndarray
    weights_due: np.ndarray
    scores: np.ndarray
    rules: np.ndarray
    tenants: np.ndarray
    tenant_pools: np.ndarray
    standings: np.ndarray
    thresholds: np.ndarray
    line: np.ndarray
    cohorts: np.ndarray
    followers: np.ndarray
    job_arrays: np.ndarray
    array_tasks: np.ndarray
    winners: np.ndarray
    starving: np.ndarray
    booking: np.ndarray
    windows: np.ndarray
    live_windows: np.ndarray
    window_bits: np.ndarray
    entitled: np.ndarray
    owners: np.ndarray
    special: np.ndarray
    special_tree: np.ndarray
    steps: np.ndarray
    class_bounds: np.ndarray
    maps: np.ndarray
    levels: np.ndarray
    preemptible: np.ndarray
    list_blocks: np.ndarray
    listed: np.ndarray
    tops: np.ndarray
    clearable: np.ndarray
    turns: np.ndarray
    class_ends: np.ndarray
    class_limits: np.ndarray
    rank_bits: np.ndarray
    allowances: np.ndarray
    flavors: np.ndarray


DTYPES = {
    "clock": tables.CLOCK,
    "count": tables.COUNTERS,
    "pools": tables.POOL,
    "sites": tables.SITE,
    "site_order": np.dtype("i4"),
    "blocks": tables.BLOCK,
    "doms": tables.DOMAIN,
    "tranches": tables.TRANCHE,
    "classes": tables.CLASS,
    "places": tables.CLASS_POOL,
    "services": tables.SERVICE,
    "jobs": tables.JOB,
    "runs": tables.RUN,
    "pieces": tables.PIECE,
    "heap": tables.EVENT,
    "ends": tables.END,
    "end_blocks": tables.END_BLOCK,
    "end_order": np.dtype("i4"),
    "tree": tables.TREE,
    "by_rank": np.dtype("i4"),
    "bits": np.dtype("u8"),
    "counts": np.dtype("i4"),
    "kinds": tables.SITE_KIND,
    "tally": tables.TALLY,
    "failures": tables.FAILURE,
    "drawn": np.dtype("i8"),
    "victims": np.dtype("i8"),
    "active": np.dtype("i4"),
    "weights_due": np.dtype("i4"),
    "scores": np.dtype("i8"),
    "rules": rule_tables.RULES,
    "tenants": rule_tables.TENANT,
    "tenant_pools": rule_tables.TENANT_POOL,
    "standings": rule_tables.STANDING,
    "thresholds": np.dtype("i8"),
    "line": np.dtype("i4"),
    "cohorts": rule_tables.COHORT,
    "followers": rule_tables.FOLLOWER,
    "job_arrays": rule_tables.JOB_ARRAY,
    "array_tasks": np.dtype("i4"),
    "winners": rule_tables.WINNER,
    "starving": rule_tables.STARVING,
    "booking": rule_tables.BOOKING,
    "windows": rule_tables.WINDOW,
    "live_windows": np.dtype("i4"),
    "window_bits": np.dtype("u8"),
    "entitled": np.dtype("i1"),
    "owners": np.dtype("i1"),
    "special": np.dtype("i1"),
    "special_tree": tables.TREE,
    "steps": np.dtype("i4"),
    "class_bounds": rule_tables.CLASS_BOUND,
    "maps": rule_tables.MAP,
    "levels": rule_tables.LEVEL,
    "preemptible": rule_tables.PREEMPTIBLE,
    "list_blocks": np.dtype("i4"),
    "listed": np.dtype("i4"),
    "tops": np.dtype("i4"),
    "clearable": np.dtype("i4"),
    "turns": rule_tables.TURNS,
    "class_ends": np.dtype("i4"),
    "class_limits": rule_tables.CLASS_LIMIT,
    "rank_bits": np.dtype("u8"),
    "allowances": rule_tables.ALLOWANCE,
    "flavors": np.dtype("i4"),
}


ARRAYS = {name: Rows(name, dtype) for name, dtype in DTYPES.items()}
"""numba's types of the arrays."""

INDEX = {name: i for i, name in enumerate(State._fields)}


def pointers(state: State) -> np.ndarray:
    """The table (address, length) of the state's arrays that the kernel reads; keep both alive while it
    runs.
    """
    return np.array([(a.ctypes.data, len(a)) for a in state], dtype=np.int64)


class StateType(types.Type):
    """numba's view of the state: the address of its table of pointers.

    A helper call passes one word in place of some two hundred, which halves the compile time; fields read as
    ``s.jobs`` are plain one-dimensional arrays. Loads from the table are marked invariant: the arrays
    are replaced between calls of the kernel only.
    """

    def __init__(self) -> None:
        super().__init__(name="capsim.State")


STATE = StateType()


@register_model(StateType)
class StateModel(models.PrimitiveModel):
    """One 64-bit word."""

    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, ir.IntType(64))  # type: ignore[no-untyped-call]


@infer_getattr
class StateAttributes(AttributeTemplate):
    """``s.name`` is an array."""

    key = StateType

    def generic_resolve(self, typ: Any, attr: str) -> Any:  # type: ignore[override]
        return ARRAYS.get(attr)


@lower_getattr_generic(StateType)  # type: ignore[no-untyped-call,untyped-decorator]
def state_attribute(context: Any, builder: Any, typ: Any, value: Any, attr: str) -> Any:
    """Load address and length from the table and make the array of them."""
    kind = ARRAYS[attr]
    word = ir.IntType(64)
    table = builder.inttoptr(value, word.as_pointer())
    loaded = []
    for i in range(2):
        slot = builder.gep(table, [ir.Constant(word, 2 * INDEX[attr] + i)])
        load = builder.load(slot)
        load.set_metadata("invariant.load", builder.module.add_metadata([]))
        loaded.append(load)
    return make_rows(context, builder, kind, *loaded)


@intrinsic
def as_state(typingctx: Any, address: Any) -> Any:
    """The state whose table of pointers is at this address (int64)."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return args[0]

    return STATE(types.int64), codegen
