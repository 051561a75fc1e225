"""Wholly free domains are taken and given back in the site's bitmaps up to 64 at a time."""

from __future__ import annotations

import numpy as np

from capsim.jit import count_ones, kernel
from capsim.kernel.bits import ONE, bit_clear, bit_set, word_clear, word_set
from capsim.kernel.domains import level_remove, mark_change, piece_alone, piece_free, whole_change
from capsim.tables import NEVER


@kernel()
def domain_bit(st, d):
    """(word, its bit) of a domain in the bitmaps of its site."""
    i = d - np.int64(st.first_domain)
    return i >> 6, ONE << np.uint64(i & 63)


@kernel()
def count_whole(s, site, delta):
    """The site has ``delta`` more domains at the level of all chips."""
    st = s.sites[site]
    full = np.int64(st.domain_chips)
    n = s.counts[st.count_at + full] + delta
    s.counts[st.count_at + full] = n
    if n == 0:
        bit_clear(s.bits, st.levels_at, np.int64(st.level_words), full)
    elif n == delta:
        bit_set(s.bits, st.levels_at, np.int64(st.level_words), full)


@kernel()
def take_word(s, site, w, mask):
    """The domains of a mask of word w stop being wholly free; their blocks are the caller's to count."""
    st = s.sites[site]
    row = st.rows_at + np.int64(st.domain_chips - 1) * st.row_stride
    word_clear(s.bits, row, np.int64(st.words), w, mask)
    count_whole(s, site, -count_ones(mask))
    if st.reserved > 0:
        st.held -= count_ones(mask & s.bits[st.reserved_at + w])


@kernel()
def give_word(s, site, w, mask):
    """The domains of a mask of word w become wholly free; their blocks are the caller's to count."""
    st = s.sites[site]
    row = st.rows_at + np.int64(st.domain_chips - 1) * st.row_stride
    word_set(s.bits, row, np.int64(st.words), w, mask)
    count_whole(s, site, count_ones(mask))
    if st.reserved > 0:
        st.held += count_ones(mask & s.bits[st.reserved_at + w])


@kernel()
def serve_word(s, site, w, mask):
    """``take_word`` for a service: no estimated end frees the domains any more."""
    take_word(s, site, w, mask)
    if not s.clock[0].easy:
        return
    st = s.sites[site]
    st.able -= count_ones(mask)
    if st.mark_on:
        word_clear(s.bits, st.mark_at, np.int64(st.words), w, mask)


@kernel()
def unserve_word(s, site, w, mask):
    """``give_word`` for a service."""
    give_word(s, site, w, mask)
    if not s.clock[0].easy:
        return
    st = s.sites[site]
    st.able += count_ones(mask)
    if st.mark_on:
        word_set(s.bits, st.mark_at, np.int64(st.words), w, mask)


@kernel()
def block_served(s, site, b, delta):
    """``delta`` more domains of block b are wholly free, now and by mark_t."""
    whole_change(s, b, delta)
    if s.sites[site].mark_on:
        mark_change(s, site, b, delta)


@kernel()
def serve_whole(s, row, d, chips, rest):
    """A service takes ``chips`` of a wholly free domain, ``rest`` stay free; the indices are the caller's."""
    sv, dom = s.services[row], s.doms[d]
    dom.free = rest
    dom.serving = 1
    if s.clock[0].easy:
        dom.last_end = NEVER
    holder = s.clock[0].cap_jobs + row
    sv.first_piece = piece_alone(s, np.int64(sv.first_piece), holder, d, chips, np.int64(0))


@kernel()
def is_alone(s, p):
    """Whether the domain of a piece is wholly free and in the indices without it."""
    piece = s.pieces[p]
    dom = s.doms[piece.domain]
    return dom.first_piece == p and piece.next_here < 0 and dom.broken == 0 and not dom.leaving


@kernel()
def leave_whole(s, site, p):
    """The only piece of a domain goes, which is wholly free then; its holder's list, estimated end and the
    indices of whole domains are the caller's.
    """
    piece = s.pieces[p]
    dom = s.doms[piece.domain]
    if dom.free > 0:
        level_remove(s, site, np.int64(piece.domain), np.int64(dom.free))
    dom.free = s.sites[site].domain_chips
    dom.first_piece = -1
    piece_free(s, p)
