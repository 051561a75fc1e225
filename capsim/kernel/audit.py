"""Every index of the kernel recomputed from the pieces: what ``Cluster.check`` reports."""

from __future__ import annotations

import numpy as np

from capsim.kernel.accounts import check_accounts
from capsim.kernel.reserving import special_tree
from capsim.kernel.state import EMPTY, END_BLOCK_SIZE, State
from capsim.tables import NEVER, RUNNING, WAITING


def held_chips(s: State) -> np.ndarray:
    """Chips held in each domain, from the lists of its pieces."""
    held = np.zeros(len(s.doms), np.int64)
    for d in np.flatnonzero(s.doms["first_piece"] >= 0):
        p = int(s.doms["first_piece"][d])
        while p >= 0:
            held[d] += int(s.pieces["chips"][p]) + int(s.pieces["spare"][p])
            p = int(s.pieces["next_here"][p])
    return held


def bitmap(s: State, at: int, site: np.void, of: str = "domains") -> np.ndarray:
    """A bitmap over a site's domains (or its "blocks") as booleans."""
    n = int(site[f"n_{of}"])
    words = s.bits[at : at + (n + 63) // 64]
    return np.unpackbits(words.view(np.uint8), bitorder="little")[:n].astype(bool)


def check_domains(s: State) -> list[str]:
    """Domains whose chips do not add up, or that are wrongly indexed."""
    wrong = []
    doms = s.doms
    full = s.sites["domain_chips"][doms["site"]].astype(np.int64)
    total = doms["free"] + doms["broken"] + held_chips(s)
    for d in np.flatnonzero((doms["active"] == 1) & (total != full)):
        wrong.append(f"domain {d}: free + broken + held is {total[d]}, not {full[d]}")
    for d in np.flatnonzero((doms["active"] == 0) & (total != 0)):
        wrong.append(f"domain {d} is not active and has {total[d]} chips")
    for i, site in enumerate(s.sites):
        lo, n = int(site["first_domain"]), int(site["n_domains"])
        mine = doms[lo : lo + n]
        listed = np.zeros(n, np.int64)
        for level in range(1, int(site["domain_chips"]) + 1):
            if s.counts[int(site["count_at"]) + level]:
                listed[bitmap(s, int(site["rows_at"]) + (level - 1) * int(site["row_stride"]), site)] += level
        expected = np.where((mine["active"] == 1) & (mine["leaving"] == 0), mine["free"], 0)
        for d in np.flatnonzero(listed != expected):
            wrong.append(f"domain {lo + d}: indexed at {listed[d]} free chips, has {expected[d]}")
        whole = expected == site["domain_chips"]
        if int(whole.sum()) != int(site["whole"]):
            wrong.append(f"site {i}: {site['whole']} whole domains, really {whole.sum()}")
        counts = (
            np.bincount(mine["block"][whole], minlength=len(s.blocks)) if n else np.zeros(len(s.blocks), int)
        )
        first, m = int(site["first_block"]), int(site["n_blocks"])
        if np.any(counts[first : first + m] != s.blocks["whole"][first : first + m]):
            wrong.append(f"site {i}: whole domains of blocks are off")
        if np.any(bitmap(s, int(site["open_at"]), site, "blocks") != (counts[first : first + m] > 0)):
            wrong.append(f"site {i}: blocks with a whole domain are off")
    return wrong


def last_ends(s: State) -> tuple[np.ndarray, dict[tuple[int, int], int]]:
    """Each domain's last estimated end, and the weight of each (site, job), from the pieces."""
    ends = np.full(len(s.doms), int(NEVER), np.int64)
    weight: dict[tuple[int, int], int] = {}
    for d, dom in enumerate(s.doms):
        if not dom["active"]:
            continue
        best, who, p = -1, -1, int(dom["first_piece"])
        served = False
        while p >= 0:
            holder = int(s.pieces["holder"][p])
            if holder >= int(s.clock["cap_jobs"][0]):
                served = True
            else:
                weight.setdefault((int(dom["site"]), holder), 0)
                if (int(s.runs["est_end"][holder]), holder) > (best, who):
                    best, who = int(s.runs["est_end"][holder]), holder
            p = int(s.pieces["next_here"][p])
        if served or dom["broken"] or dom["leaving"]:
            continue
        ends[d] = best
        if who >= 0:
            weight[(int(dom["site"]), who)] += 1
    return ends, weight


def check_ends(s: State) -> list[str]:
    """Last estimated ends, the lists of ends and the marks, recomputed."""
    ends, weight = last_ends(s)
    wrong = [
        f"domain {d}: last end {s.doms['last_end'][d]}, really {ends[d]}"
        for d in np.flatnonzero((s.doms["active"] == 1) & (ends != s.doms["last_end"]))
    ]
    listed: dict[tuple[int, int], int] = {}
    for i, site in enumerate(s.sites):
        order = s.end_order[int(site["ends_at"]) : int(site["ends_at"]) + int(site["n_ends"])]
        times: list[tuple[int, int]] = []
        for block in order:
            rows = s.ends[block * END_BLOCK_SIZE : block * END_BLOCK_SIZE + s.end_blocks["count"][block]]
            if int(rows["weight"].sum()) != int(s.end_blocks["weight"][block]):
                wrong.append(f"site {i}: the weight of a block of ends is off")
            times += [(int(t), int(j)) for t, j in zip(rows["time"], rows["job"], strict=True)]
            for r in rows:
                job, put_off = int(r["job"]), s.runs["site"][r["job"]] == i
                listed[i, job] = int(r["weight"]) + int(s.runs["weight_due"][job] if put_off else 0)
        if times != sorted(times):
            wrong.append(f"site {i}: ends are not sorted")
        if any(t != int(s.runs["est_end"][j]) for t, j in times):
            wrong.append(f"site {i}: an end differs from its job's estimate")
        lo, n = int(site["first_domain"]), int(site["n_domains"])
        mine = (ends[lo : lo + n] <= site["mark_t"]) & (s.doms["active"][lo : lo + n] == 1)
        if site["mark_on"] and np.any(bitmap(s, int(site["mark_at"]), site) != mine):
            wrong.append(f"site {i}: marked domains are off")
        if int(site["able"]) != int((ends[lo : lo + n] < NEVER).sum()):
            wrong.append(f"site {i}: able domains are off")
    if listed != weight:
        wrong.append(f"lists of ends: {listed} instead of {weight}")
    return wrong


def check_jobs(s: State) -> list[str]:
    """Running gangs hold the chips that they should, nobody else holds any."""
    wrong = []
    have = np.zeros(int(s.clock["cap_jobs"][0]) + len(s.services), np.int64)
    for d in np.flatnonzero(s.doms["first_piece"] >= 0):
        p = int(s.doms["first_piece"][d])
        while p >= 0:
            have[s.pieces["holder"][p]] += int(s.pieces["chips"][p])
            p = int(s.pieces["next_here"][p])
    cap = int(s.clock["cap_jobs"][0])
    want = np.where(s.runs["state"] == RUNNING, s.runs["chips"], 0)
    for j in np.flatnonzero(have[:cap] != want):
        wrong.append(f"job {j} holds {have[j]} chips, not {want[j]}")
    for row in np.flatnonzero(have[cap:] != s.services["held"].astype(np.int64) * s.services["chips"]):
        wrong.append(
            f"service row {row} holds {have[cap + row]} chips for {s.services['held'][row]} replicas"
        )
    return wrong


def _occupied(s: State) -> np.ndarray:
    """The ranks in the queue, by its tree or by the bits of its ranks."""
    leaves, first = int(s.clock["leaves"][0]), int(s.clock["rank_words"][0])
    if s.clock["easy"][0]:
        return np.flatnonzero(s.tree["size"][leaves:] < EMPTY)
    return np.flatnonzero(np.unpackbits(s.rank_bits[first:].view(np.uint8), bitorder="little"))


def check_queue(s: State) -> list[str]:
    """The queue holds the waiting jobs that are neither set aside nor held, at their ranks."""
    wrong = []
    waits = np.flatnonzero((s.runs["state"] == WAITING) & (s.runs["parked"] == 0))
    ranks = _occupied(s)
    if sorted(s.runs["rank"][waits].tolist()) != ranks.tolist():
        wrong.append(f"the queue holds ranks {ranks}, not those of jobs {waits}")
    elif sorted(s.by_rank[ranks].tolist()) != waits.tolist():
        wrong.append(f"the queue holds jobs {s.by_rank[ranks]} instead of {waits}")
    if s.clock["easy"][0]:
        leaf, jobs = s.tree[ranks + int(s.clock["leaves"][0])], s.by_rank[ranks]
        if np.any(leaf["size"] != s.jobs["size_min"][jobs]) or np.any(
            leaf["duration"] != s.runs["shortest"][jobs]
        ):
            wrong.append("the queue's tree has other sizes or durations than its jobs")
        for name in ("size", "duration"):
            least = s.tree[name].reshape(-1, 2).min(axis=1)
            if np.any(least[1:] != s.tree[name][1 : len(least)]):
                wrong.append(f"the queue's tree is not the least {name} of what is below")
        if s.clock["windows"][0] and np.any(s.special_tree != special_tree(s)):
            wrong.append("the tree of the jobs that may use an open reservation is not part of the queue's")
    else:
        above = np.unpackbits(s.rank_bits[: int(s.clock["rank_words"][0])].view(np.uint8), bitorder="little")
        below = s.rank_bits[1:] != 0
        if np.any(above[: len(below)] != below) or np.any(above[len(below) :]):
            wrong.append("the words above the ranks of the queue are not sums of those below")
    return wrong


def check_tops(s: State) -> list[str]:
    """The highest list of the jobs of each domain, recomputed, and the domains counted by it."""
    lists = int(s.clock["n_levels"][0]) + 1
    tops = np.full(len(s.doms), -1, np.int64)
    for j in np.flatnonzero(s.runs["state"] == RUNNING):
        row, top = int(s.listed[j]), lists
        if row >= 0:
            level = int(s.preemptible["level"][row]) - int(s.runs["pool"][j]) * lists
            top = (level + 1) % lists
        p = int(s.runs["first_piece"][j])
        while p >= 0:
            d = int(s.pieces["domain"][p])
            tops[d] = max(tops[d], top)
            if s.pieces["top"][p] != top:
                return [f"job {j} has a piece of list {s.pieces['top'][p]} instead of {top}"]
            p = int(s.pieces["next"][p])
    if np.any(tops != s.tops):
        return [f"domains have jobs of the lists {s.tops}, really {tops}"]
    held = tops >= 0
    counts = np.bincount(s.doms["site"][held] * (lists + 1) + tops[held], minlength=len(s.clearable))
    return ["domains are miscounted by the lists of their jobs"] if np.any(counts != s.clearable) else []


def audit(s: State) -> list[str]:
    """All broken invariants, as text."""
    wrong = check_accounts(s) + check_domains(s) + check_jobs(s) + check_queue(s)
    if s.clock["easy"][0]:
        wrong += check_ends(s)
    if s.clock["preemption"][0]:
        wrong += check_tops(s)
    return wrong
