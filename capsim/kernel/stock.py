"""The cluster as a compiled decision sees it: time advances, stock is taken, replicas are set."""

from __future__ import annotations

import numba
from numba import int64, void

from capsim.jit import kernel
from capsim.kernel import advance as kernel_entries
from capsim.kernel.accounts import CHIP_TIME
from capsim.kernel.advance import REACHED, RESIZE_ALL
from capsim.kernel.hooks import call_entry, function_address
from capsim.kernel.state import as_state
from capsim.tables import N_KINDS

ADVANCE, OPERATE = (function_address(f) for f in (kernel_entries.advance, kernel_entries.operate))
"""Addresses of the kernel's entry points: compiled decisions call them, and do not compile them again."""

CHIPS = numba.from_dtype(CHIP_TIME)


@kernel(void(int64, CHIPS[::1], int64[:, ::1]))
def take_stock(address, chips, held):
    """Fill ``chips`` (as ``accounts.chips``) by site and ``held`` (as ``Cluster.service_time``)."""
    s = as_state(address)
    for i in range(s.sites.shape[0]):
        st, row = s.sites[i], chips[i]
        row.active = st.active
        row.out = st.out
        row.barred = st.barred
        row.broken = st.broken
        row.free = st.free
        row.spare = st.spare
        for kind in range(N_KINDS):
            row.allocated[kind] = s.kinds[i * N_KINDS + kind].chips
    pools = s.pools.shape[0]
    for i in range(s.services.shape[0]):
        sv = s.services[i]
        held[i // pools, i % pools] = sv.held * s.clock[0].now + sv.held_acc


@kernel()
def run_until(address, advance, at):
    """As ``Cluster.advance``: run all instants before ``at``; False if the kernel stopped before."""
    return call_entry(advance, (address, at)) == REACHED


@kernel()
def set_replicas(address, operate, wanted):
    """As ``Cluster.resize`` for every service and pool: ``wanted`` int64 [service, pool]."""
    s = as_state(address)
    pools = s.pools.shape[0]
    for i in range(s.services.shape[0]):
        s.services[i].target = wanted[i // pools, i % pools]
    call_entry(operate, (address, int64(RESIZE_ALL), int64(0), int64(0), int64(0), int64(0)))
