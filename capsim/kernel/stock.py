"""What a decision looks at, in one compiled call: chips by state, and replica-time held."""

from __future__ import annotations

import numba
from numba import int64, void

from capsim.jit import kernel
from capsim.kernel.accounts import CHIP_TIME
from capsim.kernel.state import as_state
from capsim.tables import N_KINDS

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
