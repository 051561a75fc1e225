"""Exact chip-time by site, pool and kind, and why free chips are not used."""

from __future__ import annotations

import numpy as np

from capsim.kernel.state import State
from capsim.tables import HELD, N_KINDS, RUNNING, WAITING

SITE_STATES = ("active", "out", "barred", "broken", "free", "spare")

CHIP_TIME = np.dtype([*((name, "i8") for name in SITE_STATES), ("allocated", "i8", (N_KINDS,))])
"""Chip-ms (or chips) of a site: active = out + barred + broken + free + spare + sum of allocated."""

WORK = ("useful", "redone", "overhead", "in_flight", "retried")

POOL_TIME = np.dtype([(name, "i8") for name in (*WORK, "allocated")])
"""Chip-ms of a (pool, kind): allocated is the sum of the others. ``retried``: progress, in segments that are
closed, of attempts that fail and are followed by another."""


def chips(s: State) -> np.ndarray:
    """CHIP_TIME array of the chips now, by site."""
    out = np.zeros(len(s.sites), CHIP_TIME)
    for name in SITE_STATES:
        out[name] = s.sites[name]
    out["allocated"] = s.kinds["chips"].reshape(-1, N_KINDS)
    return out


def chip_time(s: State) -> np.ndarray:
    """CHIP_TIME array of the integrals up to now, by site."""
    now = int(s.clock["now"][0])
    out = np.zeros(len(s.sites), CHIP_TIME)
    for name in SITE_STATES:
        out[name] = s.sites[name + "_acc"] + s.sites[name] * now
    out["allocated"] = (s.kinds["acc"] + s.kinds["chips"] * now).reshape(-1, N_KINDS)
    return out


def pool_time(s: State) -> np.ndarray:
    """POOL_TIME array [pool, kind] of the integrals up to now; services count as useful at once."""
    now = int(s.clock["now"][0])
    n = len(s.pools)
    out = np.zeros(n * N_KINDS, POOL_TIME)
    for name in ("useful", "redone", "overhead", "retried"):
        out[name] = s.tally[name]
    out["allocated"] = s.tally["acc"] + s.tally["chips"] * now
    served = s.services["held"].astype(np.int64) * now + s.services["held_acc"]
    pools = np.arange(len(s.services)) % n
    np.add.at(out["useful"], pools * N_KINDS + s.services["kind"], served * s.services["chips"])
    jobs = s.active[: int(s.clock["running"][0])]
    open_time = s.runs["chips"][jobs].astype(np.int64) * (now - s.runs["begun"][jobs])
    kinds = s.classes["kind"][s.jobs["cls"][jobs]]
    np.add.at(out["in_flight"], s.runs["pool"][jobs] * N_KINDS + kinds, open_time)
    return out.reshape(n, N_KINDS)


def fragmentation(s: State, waiting: np.ndarray) -> list[dict[str, int]]:
    """By pool: free chips by why no job of ``waiting`` uses them, and chips that are not usable."""
    clock = s.clock[0]
    waiting = waiting[s.runs["parked"][waiting] != HELD]
    sizes = s.jobs["size_min"][waiting]
    nobody = int(np.iinfo(sizes.dtype).max)
    least_of = np.full(len(s.classes), nobody, sizes.dtype)
    np.minimum.at(least_of, s.jobs["cls"][waiting], sizes)
    out = []
    for pool in range(len(s.pools)):
        sites = np.flatnonzero(s.sites["pool"] == pool)
        usable = sites[s.sites["usable"][sites] == 1]
        free = int(s.sites["free"][usable].sum())
        row = dict.fromkeys(("no_demand", "reserved", "too_few", "scattered"), 0)
        speed = s.places["speed"].reshape(-1, len(s.pools))[:, pool]
        least = int(least_of[speed > 0.0].min(initial=nobody))
        if least == nobody:
            row["no_demand"] = free
        else:
            held = _reserved_chips(s, usable) if clock["resv_built"] else 0
            row["reserved"] = held
            row["too_few" if free - held < least else "scattered"] = free - held
        for name in ("broken", "barred", "out"):
            row[name] = int(s.sites[name][sites].sum())
        out.append(row)
    return out


def _reserved_chips(s: State, sites: np.ndarray) -> int:
    """Chips of the wholly free domains of some sites (indices) that the head's reservation takes."""
    if not s.clock["windows"][0]:
        return int((s.sites["held"][sites].astype(np.int64) * s.sites["domain_chips"][sites]).sum())
    chips = 0
    for site in s.sites[sites[s.sites["pool"][sites] == s.clock["resv_pool"][0]]]:
        words, at = int(site["words"]), int(site["rows_at"] + (site["domain_chips"] - 1) * site["row_stride"])
        taken = s.window_bits[int(site["kept_at"]) :][:words] & s.bits[at : at + words]
        chips += int(np.bitwise_count(taken).sum()) * int(site["domain_chips"])
    return chips


def check_accounts(s: State) -> list[str]:
    """Identities of the accounts that do not hold."""
    wrong = []
    for what, table in (("chips", chips(s)), ("chip-time", chip_time(s))):
        parts = sum((table[n] for n in SITE_STATES[1:]), table["allocated"].sum(axis=1))
        for site in np.flatnonzero(parts != table["active"]):
            wrong.append(
                f"site {site}: {what} active {table['active'][site]} != {parts[site]}, the sum of its parts"
            )
    pools = pool_time(s)
    parts = np.sum([pools[name] for name in WORK], axis=0)
    for pool, kind in zip(*np.nonzero(parts != pools["allocated"]), strict=True):
        wrong.append(
            f"pool {pool} kind {kind}: allocated {pools['allocated'][pool, kind]} != {parts[pool, kind]}"
        )
    c, n = s.count[0], s.runs["state"]
    if int(c["submitted"]) != int((n > 0).sum()):
        wrong.append(f"{c['submitted']} submissions but {(n > 0).sum()} jobs have a state")
    if int((n == RUNNING).sum()) != int(s.clock["running"][0]):
        wrong.append("the number of running jobs is off")
    if int((n == WAITING).sum()) != int(s.clock["queued"][0]):
        wrong.append("the number of waiting jobs is off")
    return wrong
