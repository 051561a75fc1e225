"""Where a gang goes: the placement rule on the free chips, or on what the reservation leaves of them.

``restricted`` asks for the map min(free, extra) of EASY under topology: without the domains that the
reservation takes wholly, and with ``resv_extra`` chips at most of the one that it takes in part.
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel, trailing_zeros
from capsim.kernel.bits import ONE, ZERO, bit_count_without, bit_next, bit_next_without, bit_test
from capsim.kernel.domains import piece_alone, piece_new, set_free, whole_change
from capsim.kernel.whole import take_word
from capsim.tables import NEVER

BEST_FIT, FIRST_FIT, SPREAD, PACK_TENANT, OWN = 0, 1, 2, 3, 4

FREE, RESTRICTED, BY_SHADOW = 0, 1, 2
"""Views of the wholly free domains: now; now and not reserved; by the site's ``mark_t``."""


@kernel()
def part_offer(s, site):
    """Chips that the partly reserved domain offers on the restricted map; 0 if it is not of this site."""
    c = s.clock[0]
    d = np.int64(c.resv_domain)
    if d < 0 or s.doms[d].site != site:
        return np.int64(0)
    return max(np.int64(0), min(np.int64(s.doms[d].free), np.int64(c.resv_extra)))


@kernel()
def first_at_level(s, site, level, restricted):
    """Lowest domain with ``level`` free chips, or -1."""
    st = s.sites[site]
    row = st.rows_at + (level - 1) * st.row_stride
    if restricted:
        i = bit_next_without(s.bits, row, np.int64(st.words), np.int64(0), st.reserved_at)
    else:
        i = bit_next(s.bits, row, np.int64(st.words), np.int64(0))
    return i + st.first_domain if i >= 0 else np.int64(-1)


@kernel()
def best_fit(s, site, n, top, restricted):
    """Domain with the least free chips in n..top, lowest index; -1 if none."""
    st = s.sites[site]
    restricted = restricted and st.reserved > 0
    level = bit_next(s.bits, st.levels_at, np.int64(st.level_words), n)
    found, at = np.int64(-1), np.int64(-1)
    while 0 <= level <= top:
        found, at = first_at_level(s, site, level, restricted), level
        if found >= 0:
            break
        level = bit_next(s.bits, st.levels_at, np.int64(st.level_words), level + 1)
    if restricted:
        offer = part_offer(s, site)
        d = np.int64(s.clock[0].resv_domain)
        if n <= offer <= top and (found < 0 or offer < at or (offer == at and d < found)):
            return d
    return found


@kernel()
def level_score(s, n, level, full, at):
    """What ``find_domain`` minimises for the placement policy, ties by index."""
    mode = s.clock[0].placement
    if mode == FIRST_FIT:
        return np.int64(0)
    if mode == SPREAD:
        return np.int64(-level)
    if mode == OWN:
        return s.scores[at + n * (full + 1) + level]
    return np.int64(level)


@kernel()
def least_level_score(s, site, n):
    """The least score of the levels from n on that some domain of the site has."""
    st = s.sites[site]
    best = NEVER
    level = bit_next(s.bits, st.levels_at, np.int64(st.level_words), n)
    while level >= 0:
        score = level_score(s, n, level, np.int64(st.domain_chips), s.pools[st.pool].score_at)
        best = min(best, score)
        level = bit_next(s.bits, st.levels_at, np.int64(st.level_words), level + 1)
    return best


@kernel()
def find_tenant(s, site, n, restricted, tenant):
    """Best fit among the domains whose last job is of this tenant; -1."""
    st = s.sites[site]
    level = bit_next(s.bits, st.levels_at, np.int64(st.level_words), n)
    special = np.int64(s.clock[0].resv_domain) if restricted else np.int64(-1)
    offer = part_offer(s, site) if restricted else np.int64(0)
    mine = offer >= n and s.doms[special].tenant == tenant
    while level >= 0:
        row = st.rows_at + (level - 1) * st.row_stride
        if mine and offer < level:
            return special
        i = bit_next(s.bits, row, np.int64(st.words), np.int64(0))
        while i >= 0:
            taken = restricted and bit_test(s.bits, st.reserved_at, i)
            if not taken and s.doms[i + st.first_domain].tenant == tenant:
                d = i + st.first_domain
                return special if mine and offer == level and special < d else d
            i = bit_next(s.bits, row, np.int64(st.words), i + 1)
        level = bit_next(s.bits, st.levels_at, np.int64(st.level_words), level + 1)
    return special if mine else np.int64(-1)


@kernel()
def find_domain(s, site, n, restricted, tenant):
    """The domain that the placement policy gives a job of n <= D chips; -1 if it does not fit."""
    st = s.sites[site]
    full = np.int64(st.domain_chips)
    mode = s.clock[0].placement
    if mode == BEST_FIT:
        return best_fit(s, site, n, full, restricted)
    restricted = restricted and st.reserved > 0
    if mode == PACK_TENANT:
        found = find_tenant(s, site, n, restricted, tenant)
        return found if found >= 0 else best_fit(s, site, n, full, restricted)
    best, found = np.int64(0), np.int64(-1)
    level = bit_next(s.bits, st.levels_at, np.int64(st.level_words), n)
    least = NEVER if restricted else least_level_score(s, site, n)
    while level >= 0:
        score = level_score(s, n, level, full, s.pools[st.pool].score_at)
        d = first_at_level(s, site, level, restricted) if score <= least else np.int64(-1)
        if d >= 0 and (found < 0 or score < best or (score == best and d < found)):
            best, found = score, d
        level = bit_next(s.bits, st.levels_at, np.int64(st.level_words), level + 1)
    if restricted:
        offer = part_offer(s, site)
        if offer >= n:
            score = level_score(s, n, offer, full, s.pools[st.pool].score_at)
            d = np.int64(s.clock[0].resv_domain)
            if found < 0 or score < best or (score == best and d < found):
                found = d
    return found


@kernel()
def whole_domains(s, site, restricted):
    """Wholly free domains of the site on the map."""
    st = s.sites[site]
    return np.int64(st.whole - st.held) if restricted else np.int64(st.whole)


@kernel()
def fits(s, site, n, restricted):
    """Whether the rule places n chips in this site."""
    st = s.sites[site]
    if not st.usable:
        return False
    full = np.int64(st.domain_chips)
    if n <= full:
        return best_fit(s, site, n, full, restricted) >= 0
    k = n // st.segment
    rest = n - k * st.segment
    whole = whole_domains(s, site, restricted)
    if whole < k:
        return False
    if rest == 0 or whole > k:
        return True
    return best_fit(s, site, rest, full - 1, restricted) >= 0


@kernel()
def block_score(s, k, whole, size, at):
    mode = s.clock[0].placement
    if mode == FIRST_FIT:
        return np.int64(0)
    if mode == SPREAD:
        return np.int64(-whole)
    if mode == OWN:
        return s.scores[at + k * (size + 1) + whole]
    return np.int64(whole)


@kernel()
def least_block_score(s, site, k, view):
    """The least score of a block with k wholly free domains (NEVER: no block has them), from the number of
    blocks by wholly free domains; where blocks differ in size, a number below every score.
    """
    st = s.sites[site]
    none = -NEVER
    if view == RESTRICTED or st.n_blocks * st.max_block != st.n_domains:
        return none
    at = st.hist_t_at if view == BY_SHADOW else st.hist_at
    score_at = s.blocks[st.first_block].score_at
    best = NEVER
    for w in range(k, st.max_block + 1):
        if s.counts[at + w] > 0:
            best = min(best, block_score(s, k, np.int64(w), np.int64(st.max_block), score_at))
    return best


@kernel()
def next_block(s, site, b, view):
    """The first block from ``b`` on with a wholly free domain on the view, -1 if there is none.

    RESTRICTED: on the free map, which holds more.
    """
    st = s.sites[site]
    at = st.open_t_at if view == BY_SHADOW else st.open_at
    i = bit_next(s.bits, at, st.block_words, b - np.int64(st.first_block))
    return i + st.first_block if i >= 0 else np.int64(-1)


@kernel()
def block_whole(s, site, b, view):
    """Wholly free domains of a block on the view."""
    if view == FREE:
        return np.int64(s.blocks[b].whole)
    if view == BY_SHADOW:
        return np.int64(s.blocks[b].whole_t)
    st = s.sites[site]
    lo = np.int64(s.blocks[b].first_domain - st.first_domain)
    row = st.rows_at + (st.domain_chips - 1) * st.row_stride
    return bit_count_without(s.bits, row, lo, lo + np.int64(s.blocks[b].n_domains), st.reserved_at)


@kernel()
def exact_block(s, site, whole, view):
    """The lowest block with so many wholly free domains (> 0) on the view, not RESTRICTED; there is one."""
    st = s.sites[site]
    at = st.open_t_at if view == BY_SHADOW else st.open_at
    for w in range(st.block_words):
        word = s.bits[at + w]
        while word != 0:
            b = st.first_block + (w << 6) + trailing_zeros(word)
            if block_whole(s, site, b, view) == whole:
                return b
            word &= word - ONE
    return np.int64(-1)


@kernel()
def find_block(s, site, k, view):
    """The block that gives k wholly free domains by the placement policy; -1 if no block has them."""
    st = s.sites[site]
    mode = s.clock[0].placement
    if view != RESTRICTED and mode in (BEST_FIT, PACK_TENANT):
        at = st.hist_t_at if view == BY_SHADOW else st.hist_at
        w = k
        while w <= st.max_block and s.counts[at + w] == 0:
            w += 1
        if w > st.max_block:
            return np.int64(-1)
        return exact_block(s, site, w, view)
    best, found = np.int64(0), np.int64(-1)
    least = least_block_score(s, site, k, view)
    b = next_block(s, site, np.int64(st.first_block), view)
    while b >= 0 and least < NEVER:
        whole = block_whole(s, site, b, view)
        if whole >= k:
            score = block_score(s, k, whole, np.int64(s.blocks[b].n_domains), s.blocks[b].score_at)
            if found < 0 or score < best:
                best, found = score, b
                if score <= least:
                    return found
        b = next_block(s, site, b + 1, view)
    return found


@kernel()
def touch_block(s, b):
    """Count a block of the gang being placed."""
    c = s.clock[0]
    block = s.blocks[b]
    if block.stamp != c.stamp:
        block.stamp = c.stamp
        c.plan_blocks += 1
        c.plan_over = max(c.plan_over, block.oversubscription)


@kernel()
def take_whole(s, site, first, holder, b, m, restricted, spare_last):
    """Take the m lowest wholly free domains of a block; returns the holder's new first piece.

    ``spare_last`` chips of the last one are held as further spares.
    """
    st = s.sites[site]
    full = np.int64(st.domain_chips)
    used = np.int64(st.segment)
    row = st.rows_at + (full - 1) * st.row_stride
    touch_block(s, b)
    i = s.blocks[b].first_domain - np.int64(st.first_domain)
    whole_change(s, b, -m)
    w, mask = i >> 6, ZERO
    while m > 0:
        if restricted:
            i = bit_next_without(s.bits, row, np.int64(st.words), i, st.reserved_at)
        else:
            i = bit_next(s.bits, row, np.int64(st.words), i)
        d = i + st.first_domain
        m -= 1
        cut = spare_last if m == 0 else np.int64(0)
        first = piece_alone(s, first, holder, d, used - cut, full - used + cut)
        s.doms[d].free = 0
        if i >> 6 != w:
            take_word(s, site, w, mask)
            w, mask = i >> 6, ZERO
        mask |= ONE << np.uint64(i & 63)
        i += 1
    take_word(s, site, w, mask)
    return first


@kernel()
def take_part(s, site, first, holder, d, n, restricted):
    """Take n chips of a domain; returns the holder's new first piece."""
    touch_block(s, np.int64(s.doms[d].block))
    if restricted and d == s.clock[0].resv_domain:
        s.clock[0].resv_extra -= n
    set_free(s, site, d, s.doms[d].free - n)
    return piece_new(s, first, holder, d, n, np.int64(0))


@kernel()
def rest_domain(s, site, b, r, restricted):
    """Where the remainder goes: best fit in block b, else in the site; -1 if nowhere."""
    st = s.sites[site]
    special = s.clock[0].resv_domain
    lo = np.int64(s.blocks[b].first_domain)
    best, found = np.int64(0), np.int64(-1)
    for d in range(lo, lo + s.blocks[b].n_domains):
        dom = s.doms[d]
        if dom.leaving or not dom.active:
            continue
        free = np.int64(dom.free)
        if restricted and st.reserved > 0 and free >= r:
            if d == special:
                free = part_offer(s, site)
            elif bit_test(s.bits, st.reserved_at, d - st.first_domain):
                continue
        if free >= r and (found < 0 or free < best):
            best, found = free, np.int64(d)
    if found < 0:
        found = best_fit(s, site, r, np.int64(st.domain_chips), restricted)
    return found


@kernel()
def whole_threshold(s, site, k, view):
    """(w, m): blocks with more than w wholly free domains are all needed; of those with w, m domains."""
    st = s.sites[site]
    at = st.hist_t_at if view == BY_SHADOW else st.hist_at
    left, w = k, np.int64(st.max_block)
    while w > 0:
        have = np.int64(0)
        if view == RESTRICTED:
            b = next_block(s, site, np.int64(st.first_block), view)
            while b >= 0:
                if block_whole(s, site, b, view) == w:
                    have += 1
                b = next_block(s, site, b + 1, view)
        else:
            have = np.int64(s.counts[at + w])
        if have * w >= left:
            break
        left -= have * w
        w -= 1
    return w, left


@kernel()
def take_spread(s, site, first, holder, k, view, spare_last):
    """Take k whole domains over the fewest blocks, most wholly free first; returns (first piece, last
    block).
    """
    level, left = whole_threshold(s, site, k, view)
    last = np.int64(-1)
    restricted = view == RESTRICTED
    st = s.sites[site]
    for w in range(st.block_words):
        word = s.bits[st.open_at + w]
        while word != 0 and k > 0:
            b = st.first_block + (w << 6) + trailing_zeros(word)
            word &= word - ONE
            whole = block_whole(s, site, b, view)
            cut = np.int64(0)
            if whole == level and left > 0:
                last = b
                whole = min(left, whole)
                left -= whole
                cut = spare_last if left == 0 else cut
            elif whole <= level:
                continue
            k -= whole
            first = take_whole(s, site, first, holder, b, whole, restricted, cut)
    return first, last


@kernel()
def take_site(s, site, first, holder, n, restricted, tenant):
    """Take n chips in a site where they fit; returns the holder's new first piece."""
    st = s.sites[site]
    restricted = restricted and st.reserved > 0
    if n <= st.domain_chips:
        return take_part(s, site, first, holder, find_domain(s, site, n, restricted, tenant), n, restricted)
    k = n // st.segment
    rest = n - k * st.segment
    view = RESTRICTED if restricted else FREE
    b = find_block(s, site, k, view)
    if b >= 0:
        first = take_whole(s, site, first, holder, b, k, restricted, np.int64(0))
    else:
        first, b = take_spread(s, site, first, holder, k, view, np.int64(0))
    if rest > 0:
        first = take_part(s, site, first, holder, rest_domain(s, site, b, rest, restricted), rest, restricted)
    return first


@kernel()
def next_span_site(s, pool, restricted, by_mark):
    """The site of a pool with most whole domains that is not chosen yet, or -1; marks it as chosen."""
    p = s.pools[pool]
    best, found = np.int64(0), np.int64(-1)
    for i in range(p.first_site, p.first_site + p.n_sites):
        site = np.int64(s.site_order[i])
        st = s.sites[site]
        if not st.usable or st.chosen == s.clock[0].stamp:
            continue
        whole = np.int64(st.whole_t) if by_mark else whole_domains(s, site, restricted)
        if whole > best:
            best, found = whole, site
    if found >= 0:
        s.sites[found].chosen = s.clock[0].stamp
    return found


@kernel()
def span_fits(s, pool, n, max_sites, restricted):
    """Whether at most max_sites sites together give ceil(n / segment) whole domains."""
    left = -(-n // s.pools[pool].segment)
    s.clock[0].stamp += 1
    for _ in range(max_sites):
        site = next_span_site(s, pool, restricted, False)
        if site < 0:
            return False
        left -= whole_domains(s, site, restricted)
        if left <= 0:
            return True
    return False


@kernel()
def take_span(s, pool, first, holder, n, max_sites, restricted):
    """Take a gang over several sites: whole domains only, the last one used in part."""
    left = -(-n // np.int64(s.pools[pool].segment))
    spare = left * np.int64(s.pools[pool].segment) - n
    s.clock[0].stamp += 1
    for _ in range(max_sites):
        site = next_span_site(s, pool, restricted, False)
        k = min(left, whole_domains(s, site, restricted))
        left -= k
        here = restricted and s.sites[site].reserved > 0
        cut = spare if left == 0 else np.int64(0)
        view = RESTRICTED if here else FREE
        b = find_block(s, site, k, view)
        if b >= 0:
            first = take_whole(s, site, first, holder, b, k, here, cut)
        else:
            first, b = take_spread(s, site, first, holder, k, view, cut)
        if left == 0:
            break
    return first


@kernel()
def find_site(s, pool, n, max_sites, restricted):
    """The first site of the pool where n chips fit; -2: over several sites; -1: nowhere."""
    p = s.pools[pool]
    for i in range(p.first_site, p.first_site + p.n_sites):
        site = np.int64(s.site_order[i])
        if fits(s, site, n, restricted):
            return site
    if max_sites > 1 and n > p.domain_chips and span_fits(s, pool, n, max_sites, restricted):
        return np.int64(-2)
    return np.int64(-1)


@kernel()
def largest_fit(s, pool, lo, hi, max_sites, restricted):
    """The largest n in lo..hi that the pool can place; 0 if not even lo."""
    if find_site(s, pool, lo, max_sites, restricted) == -1:
        return np.int64(0)
    while lo < hi:
        mid = (lo + hi + 1) >> 1
        if find_site(s, pool, mid, max_sites, restricted) == -1:
            hi = mid - 1
        else:
            lo = mid
    return lo
