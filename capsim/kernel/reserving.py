"""Advance reservations: what a user asks for, the checks, the arrays for the kernel, what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from capsim import tables
from capsim.kernel import rule_tables
from capsim.kernel.governance import base_classes
from capsim.kernel.hooks import RENEW
from capsim.kernel.layout import Layout, LayoutError
from capsim.kernel.state import EMPTY, State
from capsim.reserved import reserved_at
from capsim.tables import NEVER


@dataclass(frozen=True)
class Reservation:
    """Whole domains of a site, from ``start`` to ``end`` (ms), for some jobs or, for maintenance, for none.

    ``domains``, or ``chips`` rounded up to whole domains. ``tenants``, ``classes``: indices of those whose
    jobs may use it; where both are given a job must be of both, with neither nobody may. ``announced``: the
    instant, ms, from which jobs heed it. ``flex``: jobs that may use it may start there before it and run
    past its end. ``evict``: other jobs still there at its start are stopped, with a checkpoint, and queue
    again.
    """

    site: int
    start: int
    end: int
    domains: int | None = None
    chips: int | None = None
    tenants: Sequence[int] | None = None
    classes: Sequence[int] | None = None
    announced: int = 0
    flex: bool = False
    evict: bool = False

    def whole_domains(self, domain_chips: int) -> int:
        """How many domains are reserved."""
        return -(-self.chips // domain_chips) if self.chips is not None else self.domains or 0


@dataclass(frozen=True)
class ReservationFigures:
    """What came of a reservation, up to now: its domains, and chip-ms between its start and its end.

    ``reserved``: of the domains that it took, as far as they were active; of these ``used`` by jobs,
    ``idle`` free, the rest in repair.
    """

    domains: tuple[int, ...]
    reserved: int
    used: int
    idle: int


def _check(layout: Layout, reservations: Sequence[Reservation], classes: int) -> None:
    """Raise LayoutError for reservations that cannot be kept."""
    for i, r in enumerate(reservations):
        if not 0 <= r.site < len(layout.sites):
            raise LayoutError(f"reservation {i}: site {r.site} is not one of the {len(layout.sites)} sites")
        if not 0 <= r.announced <= r.start < r.end:
            raise LayoutError(
                f"reservation {i}: 0 <= announced <= start < end needed,"
                f" not {r.announced}, {r.start}, {r.end}"
            )
        if (r.domains is None) == (r.chips is None) or (r.domains or r.chips or 0) < 1:
            raise LayoutError(f"reservation {i}: give it domains or chips, at least 1")
        if any(not 0 <= c < classes for c in r.classes or ()):
            raise LayoutError(f"reservation {i}: its classes must be among the {classes} classes")
        if any(t < 0 for t in r.tenants or ()):
            raise LayoutError(f"reservation {i}: tenants are numbered from 0")
    for i, r in enumerate(reservations):
        full = layout.pools[layout.sites[r.site].pool].domain_chips
        windows = [(o.start, o.end, o.whole_domains(full)) for o in reservations if o.site == r.site]
        asked = reserved_at(r.start, windows)
        there = sum(t.domains for t in layout.tranches if t.site == r.site)
        if asked > there:
            raise LayoutError(
                f"reservation {i}: at {r.start} ms {asked} domains of site {r.site} are reserved, it has"
                f" {there}: reserve fewer, or at another time"
            )


def _who(r: Reservation, tenants: int, classes: np.ndarray) -> np.ndarray:
    """Flags of the tenants, then of the classes (``base_classes``), that may use a reservation."""
    flags = np.zeros(tenants + len(classes), np.int8)
    if r.tenants is None and r.classes is None:
        return flags
    flags[:tenants] = 1 if r.tenants is None else np.isin(np.arange(tenants), list(r.tenants))
    flags[tenants:] = 1 if r.classes is None else np.isin(classes, list(r.classes))
    return flags


def add_reservations(
    state: State, layout: Layout, reservations: Sequence[Reservation], known: int = 0
) -> State:
    """The state with the arrays of all reservations, of which the first ``known`` are in it already.

    Compiles (or loads) their rules, which other clusters do not need.
    """
    from capsim.kernel import bookings

    base = base_classes(state)
    classes = len(base)
    _check(layout, reservations, int(base[-1]) + 1)
    named = [t + 1 for r in reservations for t in r.tenants or ()]
    tenants = max([1, *named])
    windows = np.zeros(len(reservations), rule_tables.WINDOW)
    words = state.sites["words"].astype(np.int64)
    room = 2 * words + state.sites["n_domains"]
    kept = np.cumsum(room) - room
    at = int(room.sum())
    entitled = []
    for i, r in enumerate(reservations):
        row = windows[i]
        row["announced"], row["start"], row["end"], row["site"] = r.announced, r.start, r.end, r.site
        row["wanted"] = r.whole_domains(int(state.sites["domain_chips"][r.site]))
        row["flex"], row["evict"] = r.flex, r.evict
        row["who"] = r.tenants is not None or r.classes is not None
        row["any_tenant"] = r.tenants is None and r.classes is not None
        row["who_at"], row["bits_at"] = i * (tenants + classes), at
        entitled.append(_who(r, tenants, base))
        at += 2 * int(words[r.site])
    bits = np.zeros(at, np.uint64)
    live = np.zeros(len(windows), np.int32)
    booking = state.booking
    if known:
        bits[: len(state.window_bits)] = state.window_bits
        for name in ("domains", "phase", "first_word", "end_word", "reserved", "used", "free"):
            windows[name][:known] = state.windows[name][:known]
        live[:known] = state.live_windows[:known]
    else:
        booking["part"], booking["accrued"] = -1, state.clock["now"]
        state.clock["rebuild"] = 1  # the head's reservation, if there is one, is not noted as windows need it
    state.sites["kept_at"] = kept
    booking["tenants"] = tenants
    due = min((r.announced for r in reservations[known:]), default=int(NEVER))
    booking["next"] = min(int(booking["next"][0]), due)
    state.clock["timer"] = min(int(state.clock["timer"][0]), due)
    state.clock["windows"] = bookings.ADDRESS
    made = state._replace(
        windows=windows,
        live_windows=live,
        window_bits=bits,
        entitled=np.concatenate(entitled),
        class_bounds=np.zeros(classes, rule_tables.CLASS_BOUND),
        maps=np.zeros(len(state.pools), rule_tables.MAP),
        owners=_owners(reservations, tenants, base),
        special=np.zeros(2 * (tenants + 1) * classes, np.int8),
        steps=np.zeros(len(windows), np.int32),
    )
    return made._replace(special_tree=special_tree(made)) if made.clock["easy"][0] else made


def renew_windows(address: int) -> None:
    """Tell the rules of reservations that the state at this address has more of them."""
    from capsim.kernel import bookings

    bookings.bookings(address, RENEW, 0)


def _owners(reservations: Sequence[Reservation], tenants: int, classes: np.ndarray) -> np.ndarray:
    """Flags by tenant (the last row: those that no reservation names) and class: may use some reservation."""
    out = np.zeros((tenants + 1, len(classes)), np.int8)
    for r in reservations:
        if r.tenants is not None or r.classes is not None:
            rows = list(range(tenants + 1) if r.tenants is None else r.tenants)
            able = classes >= 0 if r.classes is None else np.isin(classes, list(r.classes))
            out[np.ix_(rows, np.flatnonzero(able).tolist())] = 1
    return out.ravel()


def special_tree(state: State) -> np.ndarray:
    """The queue's tree with the jobs alone that may use an open reservation."""
    leaves = len(state.tree) // 2
    tree = np.empty(2 * leaves, tables.TREE)
    tree["duration"] = tree["size"] = EMPTY
    queued = np.flatnonzero(state.tree["size"][leaves:] < EMPTY)
    jobs = state.jobs[state.by_rank[queued]]
    tenant = np.minimum(jobs["tenant"], int(state.booking["tenants"][0]))
    mine = queued[state.special[tenant * len(state.classes) + jobs["cls"]] == 1]
    tree[leaves + mine] = state.tree[leaves + mine]
    level = leaves
    while level > 1:
        for name in ("size", "duration"):
            below = tree[name][level : 2 * level].reshape(-1, 2)
            tree[name][level // 2 : level] = below.min(axis=1)
        level //= 2
    return tree


def figures(state: State) -> list[ReservationFigures]:
    """What has come of each reservation, up to now."""
    out = []
    for row in state.windows:
        site = state.sites[row["site"]]
        words = state.window_bits[int(row["bits_at"]) : int(row["bits_at"] + site["words"])]
        taken = np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little"))
        domains = tuple((taken + int(site["first_domain"])).tolist())
        out.append(ReservationFigures(domains, int(row["reserved"]), int(row["used"]), int(row["free"])))
    return out
