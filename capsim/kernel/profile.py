"""The availability profile: free chips of one scalar pool as a step function of future time.

A profile is a sorted list of breakpoints (time, free chips from that time on), kept in small blocks so
that one change touches a few dozen numbers however many breakpoints there are. A block carries its lowest
and highest level, an amount still to be added to all of its levels, and a *stamp*: the number of the last
release that raised any of its levels. The stamp lets a search for an earlier hole skip every stretch of
time in which nothing has been released since the searching job looked last (``docs/conservative.md``).

Times are int64 in the caller's unit, levels are chips. The first breakpoint is always the present instant;
the last one extends to infinity with every chip free.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capsim.jit import kernel

BLOCK = 32  # breakpoints in a full block; 16, 32 and 64 were measured, 32 was the fastest at 300 breakpoints
MERGE = BLOCK // 4  # a block that shrinks below this joins its right neighbour if they fit in 3/4 of a block

HEAD, TAIL, SPARES, RELEASES = range(4)  # the places of ``Profile.state``

Ints = NDArray[np.int64]

NEVER = np.iinfo(np.int64).max // 4  # later than any instant; sums of three stay inside int64


class Profile(NamedTuple):
    """The arrays of one profile; the blocks in time order are positions ``state[HEAD]:state[TAIL]``."""

    time: Ints  # (blocks × BLOCK) breakpoint times, by block id
    free: Ints  # (blocks × BLOCK) free chips less ``base``, by block id
    ident: Ints  # block id at each position, as are the next six
    count: Ints  # breakpoints in use
    first: Ints  # time of the first breakpoint
    base: Ints  # chips to add to every level of the block
    low: Ints  # least free chips
    high: Ints  # most free chips
    stamp: Ints  # number of the last release that touched the block
    spare: Ints  # stack of unused block ids
    state: Ints  # HEAD, TAIL, number of unused ids, number of releases so far


def new_profile(chips: int, now: int, jobs: int) -> Profile:
    """An empty machine of ``chips`` chips at ``now`` with room for ``jobs`` jobs running or promised.

    A job adds at most two breakpoints. Neighbouring blocks hold at least 3/4 of a block together or one
    holds MERGE, so ``jobs`` jobs need at most ``2 jobs / MERGE`` blocks and a few. Memory is touched only
    as blocks come into use.
    """
    blocks = 2 * (2 * jobs + 2) // MERGE + 8
    by_position = [np.zeros(2 * blocks, dtype=np.int64) for _ in range(7)]
    profile = Profile(
        np.empty(blocks * BLOCK, dtype=np.int64),
        np.empty(blocks * BLOCK, dtype=np.int64),
        *by_position,
        spare=np.arange(blocks - 1, -1, -1, dtype=np.int64),
        state=np.array([0, 1, blocks - 1, 0], dtype=np.int64),
    )
    profile.time[0] = profile.first[0] = now
    profile.free[0] = profile.low[0] = profile.high[0] = chips
    profile.count[0] = 1
    return profile


@kernel()
def locate(profile: Profile, t: int) -> tuple[int, int]:
    """Position and index of the last breakpoint at or before ``t`` (``t`` is not before the present)."""
    low, high = profile.state[HEAD] + 1, profile.state[TAIL]
    while low < high:
        middle = (low + high) >> 1
        if profile.first[middle] <= t:
            low = middle + 1
        else:
            high = middle
    position = low - 1
    start = profile.ident[position] * BLOCK
    index = 0
    for i in range(start, start + profile.count[position]):
        index += profile.time[i] <= t
    return position, index - 1


@kernel()
def _refresh(profile: Profile, position: int) -> None:
    """Recompute the lowest and highest level of a block."""
    start = profile.ident[position] * BLOCK
    low = high = profile.free[start]
    for i in range(start + 1, start + profile.count[position]):
        low = min(low, profile.free[i])
        high = max(high, profile.free[i])
    profile.low[position] = low + profile.base[position]
    profile.high[position] = high + profile.base[position]


@kernel()
def _move_position(profile: Profile, source: int, target: int) -> None:
    """Copy what a position holds to another position."""
    profile.ident[target] = profile.ident[source]
    profile.count[target] = profile.count[source]
    profile.first[target] = profile.first[source]
    profile.base[target] = profile.base[source]
    profile.low[target] = profile.low[source]
    profile.high[target] = profile.high[source]
    profile.stamp[target] = profile.stamp[source]


@kernel()
def _open_position(profile: Profile, position: int) -> None:
    """Make room for one more block just before ``position``; the positions must not be used up."""
    for k in range(profile.state[TAIL], position, -1):
        _move_position(profile, k - 1, k)
    profile.state[TAIL] += 1


@kernel()
def _close_position(profile: Profile, position: int) -> None:
    """Give back the block at ``position``."""
    profile.spare[profile.state[SPARES]] = profile.ident[position]
    profile.state[SPARES] += 1
    if position == profile.state[HEAD]:
        profile.state[HEAD] += 1
        return
    for k in range(position + 1, profile.state[TAIL]):
        _move_position(profile, k, k - 1)
    profile.state[TAIL] -= 1


@kernel()
def _split(profile: Profile, position: int) -> None:
    """Move the upper half of a full block to a new block at ``position + 1``."""
    _open_position(profile, position + 1)
    profile.state[SPARES] -= 1
    ident = profile.spare[profile.state[SPARES]]
    source, target, kept = profile.ident[position] * BLOCK, ident * BLOCK, BLOCK // 2
    for i in range(BLOCK - kept):
        profile.time[target + i] = profile.time[source + kept + i]
        profile.free[target + i] = profile.free[source + kept + i]
    profile.ident[position + 1] = ident
    profile.count[position] = kept
    profile.count[position + 1] = BLOCK - kept
    profile.first[position + 1] = profile.time[target]
    profile.base[position + 1] = profile.base[position]
    profile.stamp[position + 1] = profile.stamp[position]
    _refresh(profile, position)
    _refresh(profile, position + 1)


@kernel()
def _append_right(profile: Profile, position: int) -> None:
    """Append the breakpoints of the block at ``position + 1`` to the block at ``position``."""
    right = position + 1
    source = profile.ident[right] * BLOCK
    target = profile.ident[position] * BLOCK + profile.count[position]
    shift = profile.base[right] - profile.base[position]
    for i in range(profile.count[right]):
        profile.time[target + i] = profile.time[source + i]
        profile.free[target + i] = profile.free[source + i] + shift
    profile.count[position] += profile.count[right]
    profile.low[position] = min(profile.low[position], profile.low[right])
    profile.high[position] = max(profile.high[position], profile.high[right])
    profile.stamp[position] = max(profile.stamp[position], profile.stamp[right])
    _close_position(profile, right)


@kernel()
def _level_before(profile: Profile, position: int, index: int) -> int:
    """Free chips just before a breakpoint (which is not the present), or past the last of a block."""
    if index > 0:
        return profile.free[profile.ident[position] * BLOCK + index - 1] + profile.base[position]
    left = position - 1
    return profile.free[profile.ident[left] * BLOCK + profile.count[left] - 1] + profile.base[left]


@kernel()
def _insert(profile: Profile, position: int, index: int, t: int, level: int) -> tuple[int, int]:
    """Insert a breakpoint before ``index`` (> 0) of a block; returns where it is, for a full block splits."""
    if profile.count[position] == BLOCK:
        _split(profile, position)
        kept = profile.count[position]
        if index > kept:
            position += 1
            index -= kept
    start = profile.ident[position] * BLOCK
    for i in range(start + profile.count[position], start + index, -1):
        profile.time[i] = profile.time[i - 1]
        profile.free[i] = profile.free[i - 1]
    profile.time[start + index] = t
    profile.free[start + index] = level - profile.base[position]
    profile.count[position] += 1
    profile.low[position] = min(profile.low[position], level)
    profile.high[position] = max(profile.high[position], level)
    return position, index


@kernel()
def _erase(profile: Profile, position: int, index: int) -> None:
    """Remove a breakpoint at which the level does not change; an emptied block is given back.

    The span of a block's first breakpoint joins the block before it, and so does its release.
    """
    start = profile.ident[position] * BLOCK
    if index == 0:
        profile.stamp[position - 1] = max(profile.stamp[position - 1], profile.stamp[position])
    count = profile.count[position] - 1
    if count == 0:
        _close_position(profile, position)
        return
    for i in range(start + index, start + count):
        profile.time[i] = profile.time[i + 1]
        profile.free[i] = profile.free[i + 1]
    profile.count[position] = count
    profile.first[position] = profile.time[start]
    _refresh(profile, position)


@kernel()
def _join_if_small(profile: Profile, position: int) -> None:
    """Join a block that has shrunk with a neighbour, if both fit in 3/4 of a block."""
    count = profile.count[position]
    if count < MERGE:
        if position + 1 < profile.state[TAIL] and count + profile.count[position + 1] <= BLOCK - MERGE:
            _append_right(profile, position)
        elif position > profile.state[HEAD] and count + profile.count[position - 1] <= BLOCK - MERGE:
            _append_right(profile, position - 1)


@kernel()
def _begin_change(profile: Profile, begin: int, chips: int) -> tuple[int, int]:
    """Set the breakpoint at which a change begins; returns the first breakpoint whose level it changes.

    That may be one past the last of a block. If the change makes the level before ``begin`` last on, the
    breakpoint there is removed and its span is done.
    """
    position, index = locate(profile, begin)
    here = profile.ident[position] * BLOCK + index
    level = profile.free[here] + profile.base[position]
    if profile.time[here] < begin:
        return _insert(profile, position, index + 1, begin, level)
    movable = index > 0 or position > profile.state[HEAD]
    if movable and _level_before(profile, position, index) == level + chips:
        if chips > 0:
            profile.stamp[position if index > 0 else position - 1] = profile.state[RELEASES]
        _erase(profile, position, index)
    return position, index


@kernel()
def _end_change(profile: Profile, position: int, index: int, end: int, chips: int) -> int:
    """Set the breakpoint at which a change ends, at or before ``index``; returns its position."""
    tail = profile.state[TAIL]
    if position == tail or index == 0:
        known = position < tail and profile.first[position] == end
        if not known:
            position -= 1
            index = profile.count[position]
    else:
        here = profile.ident[position] * BLOCK + index
        known = index < profile.count[position] and profile.time[here] == end
    before = _level_before(profile, position, index)
    if not known:
        return _insert(profile, position, index, end, before - chips)[0]
    if profile.free[profile.ident[position] * BLOCK + index] + profile.base[position] == before:
        _erase(profile, position, index)
        return position if index > 0 else position - 1
    return position


@kernel()
def change(profile: Profile, begin: int, end: int, chips: int) -> None:
    """Add ``chips`` (negative: take) to the free chips in [begin, end); nothing if the span is empty.

    A release (``chips`` > 0) gets the next number and stamps the blocks that it touches with it.
    """
    if begin >= end:
        return
    if chips > 0:
        profile.state[RELEASES] += 1
    position, index = _begin_change(profile, begin, chips)
    head = position
    while position + 1 < profile.state[TAIL] and profile.first[position + 1] <= end:
        if index == 0:
            profile.base[position] += chips
            profile.low[position] += chips
            profile.high[position] += chips
        else:
            start = profile.ident[position] * BLOCK
            for i in range(start + index, start + profile.count[position]):
                profile.free[i] += chips
            _refresh(profile, position)
        if chips > 0:
            profile.stamp[position] = profile.state[RELEASES]
        position += 1
        index = 0
    if position < profile.state[TAIL]:
        start = profile.ident[position] * BLOCK
        i, stop = start + index, start + profile.count[position]
        while i < stop and profile.time[i] < end:
            profile.free[i] += chips
            i += 1
        if i > start and chips > 0:
            profile.stamp[position] = profile.state[RELEASES]
        index = i - start
    position = _end_change(profile, position, index, end, chips)
    _refresh(profile, position)
    _join_if_small(profile, position)
    if head < position:
        _join_if_small(profile, head)


@kernel()
def advance(profile: Profile, now: int) -> None:
    """Forget the past: make ``now`` (not before the present) the first breakpoint."""
    head = profile.state[HEAD]
    while head + 1 < profile.state[TAIL] and profile.first[head + 1] <= now:
        _close_position(profile, head)
        head += 1
    start = profile.ident[head] * BLOCK
    count = profile.count[head]
    past = 0
    while past + 1 < count and profile.time[start + past + 1] <= now:
        past += 1
    if past > 0:
        for i in range(start, start + count - past):
            profile.time[i] = profile.time[i + past]
            profile.free[i] = profile.free[i + past]
        profile.count[head] = count - past
        _refresh(profile, head)
    profile.time[start] = profile.first[head] = now
    if 2 * head > profile.ident.size:
        for k in range(head, profile.state[TAIL]):
            _move_position(profile, k, k - head)
        profile.state[TAIL] -= head
        profile.state[HEAD] = 0


@kernel()
def _run_begin(profile: Profile, position: int, size: int) -> int:
    """Begin of the run of at least ``size`` free chips that reaches back from the begin of a block."""
    begin = profile.first[position]
    while position > profile.state[HEAD]:
        position -= 1
        if profile.low[position] >= size:
            begin = profile.first[position]
            continue
        start = profile.ident[position] * BLOCK
        need = size - profile.base[position]
        i = start + profile.count[position] - 1
        while profile.free[i] >= need:  # ends, for the block holds a level below the need
            begin = profile.time[i]
            i -= 1
        break
    return begin


@kernel()
def earliest_hole(profile: Profile, size: int, length: int, latest: int, seen: int) -> int:
    """The earliest instant before ``latest`` with ``size`` chips free for ``length``, else ``latest``.

    From ``latest`` on the chips count as free: a job that looks for an earlier start passes its own start,
    whose chips it holds. ``seen`` is the number of releases at the job's last look, when there was no such
    hole; only runs that a later release has touched are tried. A first look passes -1 and a ``latest``
    beyond every breakpoint.
    """
    position, tail = profile.state[HEAD], profile.state[TAIL]
    begin = np.int64(0)
    inside = False  # whether the block is entered in a run of enough chips, which began at ``begin``
    while True:
        if not inside:
            while position < tail and (profile.stamp[position] <= seen or profile.high[position] < size):
                position += 1
            if position == tail or profile.first[position] >= latest:
                return latest
        start = profile.ident[position] * BLOCK
        stop = start + profile.count[position]
        need = size - profile.base[position]
        i = start
        if not inside and profile.free[start] >= need:
            begin = _run_begin(profile, position, size)
            inside = True
        end = profile.first[position + 1] if position + 1 < tail else np.int64(NEVER)
        if inside:
            if profile.low[position] >= size:
                if end >= latest or end - begin >= length:
                    return begin
                position += 1
                continue
            while profile.free[i] >= need:
                i += 1
            if profile.time[i] >= latest or profile.time[i] - begin >= length:
                return begin
            inside = False
        if end - profile.time[i] <= length and end <= latest:  # only a run that leaves the block will do
            k = stop
            while profile.free[k - 1] >= need:  # ends, for the block holds a level below the need
                k -= 1
            if k < stop:
                inside = True
                begin = profile.time[k]
        else:
            while i < stop:
                if profile.free[i] >= need:
                    if not inside:
                        inside = True
                        begin = profile.time[i]
                        if begin >= latest:
                            return latest
                elif inside:
                    if profile.time[i] >= latest or profile.time[i] - begin >= length:
                        return begin
                    inside = False
                i += 1
        position += 1
        if inside and (end >= latest or end - begin >= length):
            return begin


@kernel()
def fits_now(profile: Profile, size: int, length: int) -> bool:
    """Whether ``size`` chips are free from the present for ``length``."""
    head = profile.state[HEAD]
    end = profile.first[head] + length
    for position in range(head, profile.state[TAIL]):
        if profile.first[position] >= end:
            return True
        if profile.low[position] < size:
            start = profile.ident[position] * BLOCK
            need = size - profile.base[position]
            i = start
            while profile.free[i] >= need:
                i += 1
            return profile.time[i] >= end
    return True


@kernel()
def may_have_opened(profile: Profile, size: int, latest: int, seen: int) -> bool:
    """Whether a block that begins before ``latest`` was released after ``seen`` and has ``size`` chips."""
    for position in range(profile.state[HEAD], profile.state[TAIL]):
        if profile.first[position] >= latest:
            return False
        if profile.stamp[position] > seen and profile.high[position] >= size:
            return True
    return False
