"""The cluster as a compiled decision sees it: time advances, stock is taken, replicas are set."""

from __future__ import annotations

import numba
from numba import int64, void

from capsim.jit import kernel, trailing_zeros
from capsim.kernel import advance as kernel_entries
from capsim.kernel.accounts import CHIP_TIME
from capsim.kernel.advance import REACHED, RESIZE_ALL
from capsim.kernel.bits import ONE
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
def open_chips(s, d, kinds):
    """Chips of a domain in working order that no job of ``kinds`` holds."""
    dom = s.doms[d]
    if not dom.active:
        return int64(0)
    chips = int64(s.sites[dom.site].domain_chips - dom.broken)
    p = int64(dom.first_piece)
    while p >= 0:
        piece = s.pieces[p]
        if piece.holder < s.clock[0].cap_jobs:
            for kind in kinds:
                if s.classes[s.jobs[piece.holder].cls].kind == kind:
                    chips -= piece.chips + piece.spare
        p = int64(piece.next_here)
    return chips


@kernel(void(int64, int64[::1], int64[::1]))
def keep_off_windows(address, kinds, available):
    """Take off ``available``, chips by site, what advance reservations keep replicas off: the chips in
    working order of the domains of live windows, but those that jobs of ``kinds`` hold. None becomes < 0.
    """
    s = as_state(address)
    live = int64(s.booking[0].live) if s.clock[0].windows else int64(0)
    for i in range(live):
        st = s.sites[s.windows[s.live_windows[i]].site]
        for k in range(st.words):
            s.window_bits[st.kept_at + st.words + k] = 0
    for i in range(live):
        w = s.windows[s.live_windows[i]]
        st = s.sites[w.site]
        for k in range(w.first_word, w.end_word):
            counted = int64(st.kept_at + st.words + k)
            word = s.window_bits[w.bits_at + k] & ~s.window_bits[counted]
            s.window_bits[counted] |= word
            while word != 0:
                d = int64(st.first_domain) + (int64(k) << 6) + trailing_zeros(word)
                word &= word - ONE
                available[w.site] = max(int64(0), available[w.site] - open_chips(s, d, kinds))


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
