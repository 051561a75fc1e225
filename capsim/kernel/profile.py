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

# Indices are unsigned: for a signed one, numba tests at every access whether it counts from the end.
Index = np.uint64
ZERO, ONE = Index(0), Index(1)

BLOCK = Index(32)  # breakpoints in a full block; 16 and 64 were measured and are slower at 300 breakpoints
HALF = Index(16)
SMALL = Index(8)  # a block that shrinks below this joins a neighbour if both fit in a block less SMALL

HEAD, TAIL, SPARES = range(3)  # the places of ``Profile.bounds``

# A call passes every field of every array, so what is called most is inlined where it is called.
inlined = kernel(inline="always")

Ints = NDArray[np.int64]
Indices = NDArray[np.uint64]

NEVER = np.iinfo(np.int64).max // 4  # later than any instant; sums of three stay inside int64


class Profile(NamedTuple):
    """The arrays of one profile; the blocks in time order are positions ``bounds[HEAD]:bounds[TAIL]``."""

    time: Ints  # (blocks × BLOCK) breakpoint times
    free: Ints  # (blocks × BLOCK) free chips less ``base``
    offset: Indices  # where the breakpoints of the block at a position begin; by position as are the next six
    used: Indices  # breakpoints in use
    first: Ints  # time of the first breakpoint
    base: Ints  # chips to add to every level of the block
    low: Ints  # least free chips
    high: Ints  # most free chips
    stamp: Ints  # number of the last release that touched the block
    spare: Indices  # stack of unused offsets
    bounds: Indices  # HEAD, TAIL, number of unused offsets
    releases: Ints  # [number of releases so far]


def new_profile(chips: int, now: int, jobs: int) -> Profile:
    """An empty machine of ``chips`` chips at ``now`` with room for ``jobs`` jobs running or promised.

    A job adds at most two breakpoints. Neighbouring blocks hold at least 3/4 of a block together or one
    holds SMALL, so ``jobs`` jobs need at most ``4 jobs / SMALL`` blocks and a few. Memory is touched only
    as blocks come into use.
    """
    blocks = 2 * (2 * jobs + 2) // int(SMALL) + 8
    places = 2 * blocks
    profile = Profile(
        time=np.empty(blocks * int(BLOCK), dtype=np.int64),
        free=np.empty(blocks * int(BLOCK), dtype=np.int64),
        offset=np.zeros(places, dtype=np.uint64),
        used=np.zeros(places, dtype=np.uint64),
        first=np.zeros(places, dtype=np.int64),
        base=np.zeros(places, dtype=np.int64),
        low=np.zeros(places, dtype=np.int64),
        high=np.zeros(places, dtype=np.int64),
        stamp=np.zeros(places, dtype=np.int64),
        spare=np.arange(blocks - 1, -1, -1, dtype=np.uint64) * BLOCK,
        bounds=np.array([0, 1, blocks - 1], dtype=np.uint64),
        releases=np.zeros(1, dtype=np.int64),
    )
    profile.time[0] = profile.first[0] = now
    profile.free[0] = profile.low[0] = profile.high[0] = chips
    profile.used[0] = 1
    return profile


@inlined
def locate(profile: Profile, t: int) -> tuple[Index, Index]:
    """Position and index of the last breakpoint at or before ``t`` (``t`` is not before the present)."""
    low, high = profile.bounds[HEAD] + ONE, profile.bounds[TAIL]
    while low < high:
        middle = (low + high) >> ONE
        if profile.first[middle] <= t:
            low = middle + ONE
        else:
            high = middle
    position = low - ONE
    start = profile.offset[position]
    index = ZERO
    for i in range(start, start + profile.used[position]):
        index += Index(profile.time[i] <= t)
    return position, index - ONE


@kernel()
def _refresh(profile: Profile, position: Index) -> None:
    """Recompute the lowest and highest level of a block."""
    start = profile.offset[position]
    low = high = profile.free[start]
    for i in range(start + ONE, start + profile.used[position]):
        low = min(low, profile.free[i])
        high = max(high, profile.free[i])
    profile.low[position] = low + profile.base[position]
    profile.high[position] = high + profile.base[position]


@kernel()
def _move_position(profile: Profile, source: Index, target: Index) -> None:
    """Copy what a position holds to another position."""
    profile.offset[target] = profile.offset[source]
    profile.used[target] = profile.used[source]
    profile.first[target] = profile.first[source]
    profile.base[target] = profile.base[source]
    profile.low[target] = profile.low[source]
    profile.high[target] = profile.high[source]
    profile.stamp[target] = profile.stamp[source]


@kernel()
def _open_position(profile: Profile, position: Index) -> None:
    """Make room for one more block just before ``position``; the positions must not be used up."""
    k = profile.bounds[TAIL]
    while k > position:
        _move_position(profile, k - ONE, k)
        k -= ONE
    profile.bounds[TAIL] += ONE


@kernel()
def _close_position(profile: Profile, position: Index) -> None:
    """Give back the block at ``position``."""
    profile.spare[profile.bounds[SPARES]] = profile.offset[position]
    profile.bounds[SPARES] += ONE
    if position == profile.bounds[HEAD]:
        profile.bounds[HEAD] += ONE
        return
    for k in range(position + ONE, profile.bounds[TAIL]):
        _move_position(profile, k, k - ONE)
    profile.bounds[TAIL] -= ONE


@kernel()
def _split(profile: Profile, position: Index) -> None:
    """Move the upper half of a full block to a new block at ``position + 1``."""
    _open_position(profile, position + ONE)
    profile.bounds[SPARES] -= ONE
    offset = profile.spare[profile.bounds[SPARES]]
    source, target, kept = profile.offset[position], offset, HALF
    for i in range(BLOCK - kept):
        profile.time[target + i] = profile.time[source + kept + i]
        profile.free[target + i] = profile.free[source + kept + i]
    profile.offset[position + ONE] = offset
    profile.used[position] = kept
    profile.used[position + ONE] = BLOCK - kept
    profile.first[position + ONE] = profile.time[target]
    profile.base[position + ONE] = profile.base[position]
    profile.stamp[position + ONE] = profile.stamp[position]
    _refresh(profile, position)
    _refresh(profile, position + ONE)


@kernel()
def _append_right(profile: Profile, position: Index) -> None:
    """Append the breakpoints of the block at ``position + 1`` to the block at ``position``."""
    right = position + ONE
    source = profile.offset[right]
    target = profile.offset[position] + profile.used[position]
    shift = profile.base[right] - profile.base[position]
    for i in range(profile.used[right]):
        profile.time[target + i] = profile.time[source + i]
        profile.free[target + i] = profile.free[source + i] + shift
    profile.used[position] += profile.used[right]
    profile.low[position] = min(profile.low[position], profile.low[right])
    profile.high[position] = max(profile.high[position], profile.high[right])
    profile.stamp[position] = max(profile.stamp[position], profile.stamp[right])
    _close_position(profile, right)


@kernel()
def _level_before(profile: Profile, position: Index, index: Index) -> int:
    """Free chips just before a breakpoint (which is not the present), or past the last of a block."""
    if index > ZERO:
        return profile.free[profile.offset[position] + index - ONE] + profile.base[position]
    left = position - ONE
    return profile.free[profile.offset[left] + profile.used[left] - ONE] + profile.base[left]


@inlined
def _insert(profile: Profile, position: Index, index: Index, t: int, level: int) -> tuple[Index, Index]:
    """Insert a breakpoint before ``index`` (> 0) of a block; returns where it is, for a full block splits."""
    if profile.used[position] == BLOCK:
        _split(profile, position)
        kept = profile.used[position]
        if index > kept:
            position += ONE
            index -= kept
    start = profile.offset[position]
    i = start + profile.used[position]
    while i > start + index:
        profile.time[i] = profile.time[i - ONE]
        profile.free[i] = profile.free[i - ONE]
        i -= ONE
    profile.time[start + index] = t
    profile.free[start + index] = level - profile.base[position]
    profile.used[position] += ONE
    profile.low[position] = min(profile.low[position], level)
    profile.high[position] = max(profile.high[position], level)
    return position, index


@inlined
def _erase(profile: Profile, position: Index, index: Index) -> None:
    """Remove a breakpoint at which the level does not change; an emptied block is given back.

    The span of a block's first breakpoint joins the block before it, and so does its release. If another
    breakpoint goes, the caller recomputes the levels of the block.
    """
    start = profile.offset[position]
    if index == ZERO:
        profile.stamp[position - ONE] = max(profile.stamp[position - ONE], profile.stamp[position])
    count = profile.used[position] - ONE
    if count == ZERO:
        _close_position(profile, position)
        return
    for i in range(start + index, start + count):
        profile.time[i] = profile.time[i + ONE]
        profile.free[i] = profile.free[i + ONE]
    profile.used[position] = count
    if index == ZERO:
        profile.first[position] = profile.time[start]
        _refresh(profile, position)


@inlined
def _join_if_small(profile: Profile, position: Index) -> None:
    """Join a block that has shrunk with a neighbour, if both fit in 3/4 of a block."""
    count = profile.used[position]
    if count < SMALL:
        if position + ONE < profile.bounds[TAIL] and count + profile.used[position + ONE] <= BLOCK - SMALL:
            _append_right(profile, position)
        elif position > profile.bounds[HEAD] and count + profile.used[position - ONE] <= BLOCK - SMALL:
            _append_right(profile, position - ONE)


@inlined
def _begin_change(profile: Profile, begin: int, chips: int) -> tuple[Index, Index]:
    """Set the breakpoint at which a change begins; returns the first breakpoint whose level it changes.

    That may be one past the last of a block. If the change makes the level before ``begin`` last on, the
    breakpoint there is removed and its span is done.
    """
    position, index = locate(profile, begin)
    here = profile.offset[position] + index
    level = profile.free[here] + profile.base[position]
    if profile.time[here] < begin:
        return _insert(profile, position, index + ONE, begin, level)
    movable = index > ZERO or position > profile.bounds[HEAD]
    if movable and _level_before(profile, position, index) == level + chips:
        if chips > 0:
            profile.stamp[position if index > ZERO else position - ONE] = profile.releases[0]
        _erase(profile, position, index)
    return position, index


@inlined
def _end_change(profile: Profile, position: Index, index: Index, end: int, chips: int) -> Index:
    """Set the breakpoint at which a change ends, at or before ``index``; returns its position."""
    tail = profile.bounds[TAIL]
    if position == tail or index == ZERO:
        known = position < tail and profile.first[position] == end
        if not known:
            position -= ONE
            index = profile.used[position]
    else:
        here = profile.offset[position] + index
        known = index < profile.used[position] and profile.time[here] == end
    before = _level_before(profile, position, index)
    if not known:
        return _insert(profile, position, index, end, before - chips)[0]
    if profile.free[profile.offset[position] + index] + profile.base[position] == before:
        _erase(profile, position, index)
        return position if index > ZERO else position - ONE
    return position


@inlined
def _change(profile: Profile, begin: int, end: int, chips: int) -> None:
    """Add ``chips`` (negative: take) to the free chips in [begin, end); nothing if the span is empty.

    A release (``chips`` > 0) gets the next number and stamps the blocks that it touches with it.
    """
    if begin >= end:
        return
    if chips > 0:
        profile.releases[0] += 1
    position, index = _begin_change(profile, begin, chips)
    head = position
    while position + ONE < profile.bounds[TAIL] and profile.first[position + ONE] <= end:
        if index == ZERO:
            profile.base[position] += chips
            profile.low[position] += chips
            profile.high[position] += chips
        else:
            start = profile.offset[position]
            for i in range(start + index, start + profile.used[position]):
                profile.free[i] += chips
            _refresh(profile, position)
        if chips > 0:
            profile.stamp[position] = profile.releases[0]
        position += ONE
        index = ZERO
    if position < profile.bounds[TAIL]:
        start = profile.offset[position]
        i, stop = start + index, start + profile.used[position]
        while i < stop and profile.time[i] < end:
            profile.free[i] += chips
            i += ONE
        if i > start and chips > 0:
            profile.stamp[position] = profile.releases[0]
        index = i - start
    position = _end_change(profile, position, index, end, chips)
    _refresh(profile, position)
    _join_if_small(profile, position)
    if head < position:
        _join_if_small(profile, head)


@kernel()
def change(profile: Profile, begin: int, end: int, chips: int) -> None:
    """Add ``chips`` (negative: take) to the free chips in [begin, end); nothing if the span is empty."""
    _change(profile, begin, end, chips)


@kernel()
def move(profile: Profile, size: int, length: int, held: int, start: int) -> None:
    """Move a reservation of ``size`` chips for ``length`` from ``held`` to an earlier ``start``."""
    begin, end, chips = start, min(held, start + length), -size
    for _ in range(2):
        _change(profile, begin, end, chips)
        begin, end, chips = max(held, start + length), held + length, size


@kernel()
def advance(profile: Profile, now: int) -> None:
    """Forget the past: make ``now`` (not before the present) the first breakpoint."""
    head = profile.bounds[HEAD]
    while head + ONE < profile.bounds[TAIL] and profile.first[head + ONE] <= now:
        _close_position(profile, head)
        head += ONE
    start = profile.offset[head]
    count = profile.used[head]
    past = ZERO
    while past + ONE < count and profile.time[start + past + ONE] <= now:
        past += ONE
    if past > ZERO:
        for i in range(start, start + count - past):
            profile.time[i] = profile.time[i + past]
            profile.free[i] = profile.free[i + past]
        profile.used[head] = count - past
        _refresh(profile, head)
    profile.time[start] = profile.first[head] = now
    if head > Index(profile.offset.size) >> ONE:
        for k in range(head, profile.bounds[TAIL]):
            _move_position(profile, k, k - head)
        profile.bounds[TAIL] -= head
        profile.bounds[HEAD] = ZERO


@kernel()
def _run_begin(profile: Profile, position: Index, size: int) -> int:
    """Begin of the run of at least ``size`` free chips that reaches back from the begin of a block."""
    begin = profile.first[position]
    while position > profile.bounds[HEAD]:
        position -= ONE
        if profile.low[position] >= size:
            begin = profile.first[position]
            continue
        start = profile.offset[position]
        need = size - profile.base[position]
        i = start + profile.used[position] - ONE
        while profile.free[i] >= need:  # ends, for the block holds a level below the need
            begin = profile.time[i]
            i -= ONE
        break
    return begin


@inlined
def _past_low(profile: Profile, position: Index, size: int) -> Index:
    """The index after the last level below ``size`` of a block that has one."""
    start = profile.offset[position]
    need = size - profile.base[position]
    i = start + profile.used[position] - ONE
    while profile.free[i] >= need:
        i -= ONE
    return i + ONE - start


@inlined
def _step(profile: Profile, position: Index, index: Index) -> tuple[Index, Index]:
    """Position and index of a breakpoint given by an index that may be one past its block."""
    if index == profile.used[position]:
        index = ZERO
        position += ONE
    return position, index


@inlined
def earliest_hole(profile: Profile, size: int, length: int, latest: int, seen: int) -> int:
    """The earliest instant before ``latest`` with ``size`` chips free for ``length``, else ``latest``.

    From ``latest`` on the chips count as free: a job that looks for an earlier start passes its own start,
    whose chips it holds. ``seen`` is the number of releases at the job's last look, when there was no such
    hole; only runs that a later release has touched are tried. A first look passes -1 and a ``latest``
    beyond every breakpoint. As in a Boyer-Moore search, the end of the hole is tried before its begin, so
    that a long job skips most blocks unread.
    """
    position, tail = profile.bounds[HEAD], profile.bounds[TAIL]
    while True:
        while position < tail and (profile.stamp[position] <= seen) | (profile.high[position] < size):
            position += ONE
        if position == tail or profile.first[position] >= latest:
            return latest
        begin = profile.first[position]
        index = ZERO  # of ``begin`` in its block; 0 too if the run began in an earlier block
        if profile.free[profile.offset[position]] + profile.base[position] >= size:
            begin = _run_begin(profile, position, size)
        while profile.stamp[position] > seen and profile.high[position] >= size:
            end = min(begin + length, latest)
            last = position  # the block in which the hole would end
            while last + ONE < tail and profile.first[last + ONE] < end:
                last += ONE
            k = last  # one past the block that is tried
            while k > position and profile.low[k - ONE] >= size:
                k -= ONE
            if k > position:  # the last level too low before block ``last``
                k -= ONE
                after = _past_low(profile, k, size)
                if k > position or after > index:
                    position, index = _step(profile, k, after)
                    begin = profile.time[profile.offset[position] + index]
                    if begin >= latest:
                        return latest
                    continue
            start = profile.offset[last]
            stop = start + profile.used[last]
            need = size - profile.base[last]
            i = start + index if last == position else start
            while i < stop and profile.free[i] >= need:
                i += ONE
            if i == stop or profile.time[i] >= end:
                return begin
            while i < stop and profile.free[i] < need:
                i += ONE
            position, index = _step(profile, last, i - start)
            begin = profile.time[profile.offset[position] + index]
            if begin >= latest:
                return latest
        position += ONE


@kernel()
def fits_now(profile: Profile, size: int, length: int) -> bool:
    """Whether ``size`` chips are free from the present for ``length``."""
    head = profile.bounds[HEAD]
    end = profile.first[head] + length
    for position in range(head, profile.bounds[TAIL]):
        if profile.first[position] >= end:
            return True
        if profile.low[position] < size:
            start = profile.offset[position]
            need = size - profile.base[position]
            i = start
            while profile.free[i] >= need:
                i += ONE
            return profile.time[i] >= end
    return True


@kernel()
def may_have_opened(profile: Profile, size: int, latest: int, seen: int) -> bool:
    """Whether a block that begins before ``latest`` was released after ``seen`` and has ``size`` chips."""
    for position in range(profile.bounds[HEAD], profile.bounds[TAIL]):
        if profile.first[position] >= latest:
            return False
        if profile.stamp[position] > seen and profile.high[position] >= size:
            return True
    return False
