"""Wrong rules of advance reservations, as edits of the kernel's source (see ``wrong_rules.py``)."""

from __future__ import annotations

from tests.kernel.wrong_rules import Mutant

RESERVED = (
    "tests/kernel/test_reservations.py",
    "tests/kernel/test_oracle_cluster.py",
    "-k",
    "reserv or hand",
)

MUTANTS = (
    Mutant(
        "reservation ignored by those who run into it",
        "a job starts on reserved chips although it is estimated to end after their window begins",
        "kernel/bars.py",
        (
            (
                "    if mine and begin >= w.start and end <= w.end:\n",
                "    if begin < w.start:\n        return NEVER\n    if mine and end <= w.end:\n",
            ),
        ),
        RESERVED,
    ),
    Mutant(
        "reservation for everybody",
        "a job starts in a window although it may not use it",
        "kernel/bars.py",
        (
            (
                "    mine = may_use(s, r, j)\n    if mine and w.flex:\n",
                "    mine = True\n    if mine and w.flex:\n",
            ),
        ),
        RESERVED,
    ),
    Mutant(
        "replicas on reserved chips",
        "a service grows on the domains of windows",
        "kernel/bars.py",
        (
            (
                "        change_map(s, pool, bars, False)\n        return np.int64(m.masked)\n",
                "        change_map(s, pool, EVERY, False)\n        return np.int64(m.masked)\n",
            ),
        ),
        RESERVED,
    ),
    Mutant(
        "replicas outstay the beginning",
        "replicas on the domains of a window that was announced late keep them",
        "kernel/bookings.py",
        (("    clear_replicas(s, r)\n    if not", "    if not"),),
        RESERVED,
    ),
    Mutant(
        "promise inside a window",
        "the head is promised chips that are reserved for others at its shadow",
        "kernel/barred_shadow.py",
        (
            (
                "        draw_map(s, j, pool, time, time + length, False, False)\n",
                "        draw_map(s, j, pool, c_now(s), c_now(s) + 1, False, False)\n",
            ),
            (
                "@kernel()\ndef head_from",
                "@kernel()\ndef c_now(s):\n    return np.int64(s.clock[0].now)\n\n\n@kernel()\ndef head_from",
            ),
        ),
        RESERVED,
    ),
    Mutant(
        "bounds of those who may not use it",
        "that a job without a right found no room is taken to hold for those with one",
        "kernel/barred_pass.py",
        (
            (
                "        fits = size <= b.own_extra or (size <= b.own and duration <= short)\n",
                "        fits = size <= b.extra or (size <= b.free and duration <= short)\n",
            ),
        ),
        RESERVED,
    ),
    Mutant(
        "flexible for everybody",
        "a window that is flexible for its users lets others run past its beginning",
        "kernel/bars.py",
        (("    if mine and w.flex:\n        return NEVER\n", "    if w.flex:\n        return NEVER\n"),),
        RESERVED,
    ),
    Mutant(
        "own chips before their time",
        "a job prefers domains of a window of its own that has not begun",
        "kernel/bars.py",
        (
            (
                "    if not w.start <= begin < w.end or not may_use(s, r, j):\n",
                "    if begin >= w.end or not may_use(s, r, j):\n",
            ),
        ),
        RESERVED,
    ),
    # No mutant: windows that end before a job would count as its own. They bar it too, so their domains leave the map.
    Mutant(
        "domain of two windows",
        "a window that bars a job no longer takes the domains of the next one off the map",
        "kernel/bars.py",
        (
            (
                "            change_word(s, pool, site, k, barred_word(s, site, np.int64(k), bars))\n",
                "            change_word(s, pool, site, k, s.bits[s.sites[site].reserved_at + k] & ~s.window_bits[w.bits_at + k])\n",
            ),
        ),
        RESERVED,
    ),
    Mutant(
        "head's domains given back",
        "where a window is taken off a map its words lose what the head's reservation takes",
        "kernel/bars.py",
        (("    if m.head != 0:\n        word |= s.window_bits[st.kept_at + k]\n", ""),),
        RESERVED,
    ),
    Mutant(
        "domains of the last head",
        "a map keeps what a former reservation of a head took",
        "kernel/bars.py",
        ((" or (m.head != 0 and not (head and m.head == b.heads))", ""),),
        RESERVED,
    ),
    Mutant(
        "map past the next window",
        "the map of a job with a right holds for ends after the next window's start",
        "kernel/bars.py",
        (("            limit = min(limit, np.int64(s.windows[r].start))\n", ""),),
        RESERVED,
    ),
    Mutant(
        "map of the first end",
        "a map drawn for one estimated end is used for later ones too",
        "kernel/bars.py",
        (("            limit = min(limit, latest)\n", "            limit = NEVER\n"),),
        RESERVED,
    ),
    Mutant(
        "changes seen from the begin",
        "the map of a head is taken to change only where windows begin and end",
        "kernel/bars.py",
        (("in (w.start - length + 1, w.start, w.end - length + 1, w.end)", "in (w.start, w.end)"),),
        RESERVED,
    ),
    Mutant(
        "free domains miscounted",
        "all domains off a map count as wholly free ones",
        "kernel/bars.py",
        (
            (
                "            held += count_ones(word & s.bits[row + w])\n",
                "            held += count_ones(word)\n",
            ),
        ),
        RESERVED,
    ),
    Mutant(
        "a window too many",
        "the window after those that have a bit is taken for the first",
        "kernel/bars.py",
        (
            (
                "            found |= ONE << np.uint64(i & 63)\n            far = far or i >= FEW\n        else:",
                "            found |= ONE << np.uint64(i & 63)\n            far = far or i > FEW\n        else:",
            ),
        ),
        RESERVED,
    ),
    Mutant(
        "windows of other sites",
        "a window bars the domains of another site that have its bits",
        "kernel/bars.py",
        (
            (
                "        if w.site == site and w.first_word <= k < w.end_word:\n",
                "        if w.first_word <= k < w.end_word:\n",
            ),
        ),
        RESERVED,
    ),
    Mutant(
        "barred domains free too late",
        "a barred domain that is free by the shadow exactly counts as one of the map",
        "kernel/barred_shadow.py",
        (("trailing_zeros(word)].last_end <= time\n", "trailing_zeros(word)].last_end < time\n"),),
        RESERVED,
    ),
    Mutant(
        "need of the first look",
        "how many barred domains are free is counted for the first instant alone",
        "kernel/barred_shadow.py",
        (
            (
                "            if more == need:\n                return time\n",
                "            if more >= need:\n                return time\n",
            ),
        ),
        RESERVED,
    ),
    Mutant(
        "last end of few",
        "of few domains the last that gives the chips decides, not the first",
        "kernel/barred_shadow.py",
        (
            (
                "                    if begin < time < best and free_at",
                "                    if begin < time < before and free_at",
            ),
        ),
        RESERVED,
    ),
    Mutant(
        "rest anywhere",
        "the remainder of a gang may be in a domain off the map",
        "kernel/barred_shadow.py",
        (
            (
                "        if dom.last_end > time and on_map(s, site, np.int64(d)) and free_at",
                "        if dom.last_end > time and free_at",
            ),
        ),
        RESERVED,
    ),
    Mutant(
        "rest in a whole domain alone",
        "the remainder of a gang waits for one more wholly free domain",
        "kernel/barred_shadow.py",
        (
            (
                "    if later == time or has_rest(s, site, time, rest):\n        return time\n    found = part_at_an_end(s, site, rest, time, min(later, before))\n    return found if found < NEVER else later\n",
                "    return later\n",
            ),
        ),
        RESERVED,
    ),
    Mutant(
        "barred domains of a span",
        "a gang over several sites counts domains off the map",
        "kernel/barred_shadow.py",
        (
            (
                "        whole = st.whole + ends_weight(s, site, time) - masked_whole(s, site, time)\n",
                "        whole = st.whole + ends_weight(s, site, time)\n",
            ),
        ),
        RESERVED,
    ),
    Mutant(
        "promise past a change",
        "a promise is found on a map that no longer holds then",
        "kernel/barred_shadow.py",
        (("time, min(before, change))\n", "time, before)\n"),),
        RESERVED,
    ),
    Mutant(
        "chips of those who end then",
        "at a window's boundary the head is promised chips of jobs that end then alone",
        "kernel/barred_shadow.py",
        (
            (
                "    if not is_boundary(s, np.int64(s.clock[0].shadow)):\n",
                "    if s.clock[0].shadow > s.clock[0].now:\n",
            ),
        ),
        RESERVED,
    ),
    Mutant(
        "barred domains kept",
        "whole domains off the map are kept for the head",
        "kernel/barred_shadow.py",
        (
            (
                "        if hidden != 0:\n            move_marks(s, site, np.int64(w), hidden, np.int64(-1))\n",
                "",
            ),
        ),
        RESERVED,
    ),
    Mutant(
        "windows kept with the head's",
        "what a window bars counts as taken by the head's reservation",
        "kernel/barred_shadow.py",
        (("word if all_of_them else word & ~s.window_bits[st.kept_at + w]\n", "word\n"),),
        RESERVED,
    ),
    Mutant(
        "domains in their order",
        "a window takes domains that are held past its start although others are free",
        "kernel/bookings.py",
        (("    for latest in (last - 1, last):\n", "    for latest in (last, last):\n"),),
        RESERVED,
    ),
    Mutant(
        "two windows at once",
        "a window takes domains of another one at the same time",
        "kernel/bookings.py",
        (
            (
                "        if v.site == w.site and v.start < w.end and w.start < v.end:\n",
                "        if v.site == w.site and v.start < w.start and w.start < v.end:\n",
            ),
        ),
        RESERVED,
    ),
    Mutant(
        "end of the last in",
        "a domain is held until the end of the job that came last, not of the last to end",
        "kernel/bookings.py",
        (
            (
                "        last = max(last, s.runs[s.pieces[p].holder].est_end)\n",
                "        last = np.int64(s.runs[s.pieces[p].holder].est_end)\n",
            ),
        ),
        RESERVED,
    ),
    Mutant(
        "everybody evicted",
        "jobs that may use a window are stopped at its beginning too",
        "kernel/bookings.py",
        (("        if not may_use(s, r, j) and holds_of(s, r, j):\n", "        if holds_of(s, r, j):\n"),),
        RESERVED,
    ),
    Mutant(
        "evicted by surprise",
        "jobs that are stopped at a window's beginning lose their work since the last checkpoint",
        "kernel/bookings.py",
        (
            ("        requeue_job(s, j, CHECKPOINTED)\n", "        requeue_job(s, j, FAILED)\n"),
            ("import CHECKPOINTED\n", "import CHECKPOINTED, FAILED\n"),
        ),
        RESERVED,
    ),
    Mutant(
        "announced at its start",
        "a window that is announced at its beginning begins with the next event",
        "kernel/bookings.py",
        (("in (BEGUN, ANNOUNCED, UNANNOUNCED, ANNOUNCED):", "in (BEGUN, ANNOUNCED, UNANNOUNCED):"),),
        RESERVED,
    ),
    # No mutant: a window beginning before another is over at the same instant; neither looks at the other.
    Mutant(
        "broken chips used",
        "broken chips of a window count as used",
        "kernel/bookings.py",
        (
            (
                "        w.used += (chips - free - broken) * length\n",
                "        w.used += (chips - free) * length\n",
            ),
        ),
        RESERVED,
    ),
)
