"""Wrong rules of the kernel, as edits of its source: slips that its tests must notice (``mutants.py`` runs them)."""

from __future__ import annotations

from dataclasses import dataclass

CLUSTER = ("tests/kernel/test_oracle_cluster.py", "tests/kernel/test_decisions.py")
PREEMPTION = ("tests/kernel/test_preemption.py", "tests/kernel/test_cluster.py")
RANKS = ("tests/kernel/test_ranks.py", "-k", "levels")
REPLAY = ("tests/kernel/test_oracle_replay.py",)
ORDERS = (
    "tests/kernel/test_orders.py",
    "tests/kernel/test_oracle_cluster.py",
    "-k",
    "test_orders or fairness or hand",
)
CONSERVATIVE = ("tests/kernel/test_conservative.py", "-k", "small_cases or crowded")

SCALAR_EXTRA = """\
    total = -np.int64(s.jobs[s.by_rank[c.resv_rank]].size_min)
    for d in range(s.doms.shape[0]):
        if s.sites[s.doms[d].site].pool == pool:
            total += free_at(s, np.int64(d), c.shadow)
    if n > 0 and n <= total and try_start(s, j, pool, n, False, NEVER):
"""
"""Extra as one number: chips free at the shadow beyond the head's, wherever they are."""


@dataclass(frozen=True)
class Mutant:
    """``edits``: (old, new) lines of ``file``, each old text there exactly once; ``tests``: who must notice."""

    name: str
    says: str
    file: str
    edits: tuple[tuple[str, str], ...]
    tests: tuple[str, ...]


MUTANTS = (
    Mutant(
        "no extra condition",
        "a later job starts wherever it fits now, whether or not it delays the head",
        "kernel/schedule.py",
        (("    if not behind or pool != c.resv_pool:\n", "    if not behind or pool >= 0:\n"),),
        CLUSTER,
    ),
    Mutant(
        "no extra condition, interchangeable chips",
        "the same in the kernel of trace replay",
        "kernel/scalar.py",
        (("min(p.active, p.bound), p.active, c.shadow - now)", "p.active, p.active, c.shadow - now)"),),
        REPLAY,
    ),
    Mutant(
        "scalar extra under topology",
        "extra is one number of chips instead of a number per domain",
        "kernel/schedule.py",
        (
            ("    n = n if rigid else size_here(s, j, pool, True)\n", ""),
            ("    if n > 0 and try_start(s, j, pool, n, True, NEVER):\n", SCALAR_EXTRA),
            ("import pool_shadow\n", "import free_at, pool_shadow\n"),
        ),
        CLUSTER,
    ),
    Mutant(
        "extra not reduced",
        "a backfilled job's chips are not taken off the extra ones",
        "kernel/scalar.py",
        (("            p.bound -= size[j]\n", "            p.bound -= 0\n"),),
        REPLAY,
    ),
    Mutant(
        "unordered ties",
        "jobs submitted at one instant are queued by size instead of by sequence number",
        "kernel/api.py",
        (
            (
                "ranks = np.arange(n) if self._keys is None",
                'ranks = np.lexsort((jobs["size_min"], jobs["submit"])) if self._keys is None',
            ),
        ),
        CLUSTER,
    ),
    Mutant(
        "pass before submissions",
        "an instant's jobs are queued after its pass",
        "kernel/advance.py",
        (
            ("            submit_due(s, c.now)\n            if c.happened", "            if c.happened"),
            (
                "                c.happened = 0\n            c.phase = 0\n",
                "                c.happened = 0\n            submit_due(s, c.now)\n            c.phase = 0\n",
            ),
        ),
        CLUSTER,
    ),
    Mutant(
        "forgotten compression",
        "conservative keeps reservations where they were when jobs end early",
        "kernel/conservative.py",
        (("            compress(queue, profile, now, tally)\n", "            pass\n"),),
        CONSERVATIVE,
    ),
    Mutant(
        "stale reservation",
        "the head's reservation is not made anew when a job ends before its estimate",
        "kernel/running.py",
        (("    if run.est_end != c.now:\n        c.rebuild = 1\n", ""),),
        CLUSTER,
    ),
    Mutant(
        "spares left alone",
        "a broken gang takes free chips of the site before its own spares",
        "kernel/failures.py",
        (("    spare = min(need, np.int64(piece.spare))\n", "    spare = np.int64(0)\n"),),
        CLUSTER,
    ),
    Mutant(
        "most work lost first",
        "victims of preemption are taken by most work at risk",
        "kernel/victims.py",
        (("        return risk_of(s, row)\n", "        return (1 << 60) - risk_of(s, row)\n"),),
        PREEMPTION,
    ),
    Mutant(
        "only those guessed",
        "a head gives up when the victims that were guessed to do are taken",
        "kernel/victims.py",
        (("            deal_out(s, NEVER)\n        if turn", "            pass\n        if turn"),),
        PREEMPTION,
    ),
    Mutant(
        "top kept",
        "a domain stays with the list of a job that has left it to others",
        "kernel/clearing.py",
        (
            (
                "        elif here == was and top < was:\n",
                "        elif here == was and top < was and top >= 0:\n",
            ),
        ),
        PREEMPTION,
    ),
    Mutant(
        "exemption without the restart",
        "las: a job may be stopped as soon as it has run, not worked, so long",
        "kernel/preemptible.py",
        (("run.begun + run.overhead_ms + rules.exempt", "run.begun + rules.exempt"),),
        ORDERS,
    ),
    # No mutant: asking for the exemption by the clock. A running job's list is chosen when it begins, exempt either
    # way, and by computations of the keys themselves.
    Mutant(
        "stops at any pass",
        "las: a head stops jobs in passes that have computed no keys too",
        "kernel/preemption.py",
        (("    if c.levels and s.rules[0].keyed_at != c.now:\n", "    if c.levels and c.now < 0:\n"),),
        PREEMPTION,
    ),
    Mutant(
        "queue looked at too late",
        "las: a running job goes to its lower queue at the computation after it has reached the threshold",
        "kernel/ordering.py",
        (
            (
                "            if s.standings[j].look_at <= s.clock",
                "            if s.standings[j].look_at < s.clock",
            ),
        ),
        PREEMPTION,
    ),
    Mutant(
        "words above left set",
        "an occupied rank's word is empty, those above say that it is not",
        "kernel/rank_bits.py",
        (("        if new != 0 or at == 0:\n", "        if True:\n"),),
        RANKS,
    ),
    Mutant(
        "words above left clear",
        "a rank is occupied in a word that was empty, those above do not say so",
        "kernel/rank_bits.py",
        (("        if old != 0 or at == 0:\n", "        if True:\n"),),
        RANKS,
    ),
    Mutant(
        "checkpoint forgotten",
        "a stop by surprise loses nothing since the last checkpoint",
        "kernel/progress.py",
        (
            (
                "                reduce_work(run, cycles * interval)\n",
                "                reduce_work(run, cycles * interval + progress)\n",
            ),
        ),
        CLUSTER,
    ),
    Mutant(
        "oldest victim first",
        "of victims with the same work at risk the one submitted first is stopped",
        "kernel/victims.py",
        (("v[a + 1] > v[b + 1])\n", "v[a + 1] < v[b + 1])\n"),),
        PREEMPTION,
    ),
    Mutant(
        "victims at the bound",
        "victims exactly at the bound of the guess are never dealt out",
        "kernel/victims.py",
        (("np.int64(begin <= mine < bound)\n", "np.int64(begin < mine < bound)\n"),),
        PREEMPTION,
    ),
    Mutant(
        "las: victims by index alone",
        "las: jobs of high queues are stopped before those of low ones",
        "kernel/victims.py",
        (("    return (level << 31) | late\n", "    return late\n"),),
        PREEMPTION,
    ),
    Mutant(
        "victims of one's own level",
        "a head stops jobs of its own level",
        "kernel/victims.py",
        (
            (
                "    for level in range(below):\n        held =",
                "    for level in range(below + 1):\n        held =",
            ),
        ),
        PREEMPTION,
    ),
    Mutant(
        "those who leave still hold",
        "a domain's list is that of a job that is about to leave it",
        "kernel/clearing.py",
        (("        if piece.holder != but and piece.holder < s.clock", "        if piece.holder < s.clock"),),
        PREEMPTION,
    ),
    Mutant(
        "exactly enough is too few",
        "a gang is refused if as many domains can be cleared as it needs",
        "kernel/clearing.py",
        (("            if here >= k:\n", "            if here > k:\n"),),
        PREEMPTION,
    ),
    Mutant(
        "no span can be cleared",
        "a gang that may span sites is refused where no site can be cleared for it",
        "kernel/clearing.py",
        (("    return max_sites > 1 and total * p.segment >= n\n", "    return False\n"),),
        PREEMPTION,
    ),
    Mutant(
        "a list too few",
        "domains of the highest list that may be stopped do not count as clearable",
        "kernel/clearing.py",
        (("    for top in range(below + 1):\n", "    for top in range(below):\n"),),
        PREEMPTION,
    ),
    Mutant(
        "remainder in a whole domain",
        "a gang is refused unless a whole domain can be cleared for its remainder",
        "kernel/clearing.py",
        (
            (
                "    k, total = n // p.segment, np.int64(0)\n",
                "    k, total = -(-n // p.segment), np.int64(0)\n",
            ),
        ),
        PREEMPTION,
    ),
    Mutant(
        "old head kept",
        "a job that joins the queue before its tenant's first one does not become the first",
        "kernel/heads.py",
        (
            (
                "    if tenant.first < 0 or comes_before(s, j, np.int64(tenant.first), CLASS):\n",
                "    if tenant.first < 0:\n",
            ),
        ),
        ORDERS,
    ),
    Mutant(
        "heir of another tenant",
        "a tenant without waiting jobs contends with the next tenant's",
        "kernel/heads.py",
        (("    if rank >= 0 and s.jobs[s.by_rank[rank]].tenant == t:\n", "    if rank >= 0:\n"),),
        ORDERS,
    ),
    Mutant(
        "usage without a contest",
        "fair-share: a computation of the keys leaves the winner",
        "kernel/heads.py",
        (
            (
                "            s.standings[first].key = key_of(s, first)\n    play_all(s)\n",
                "            s.standings[first].key = key_of(s, first)\n",
            ),
        ),
        ORDERS,
    ),
    Mutant(
        "shares of former chips",
        "drf: shares are those of the chips that there were at the last change of a tenant",
        "kernel/heads.py",
        (
            (
                "    if s.rules[0].order == DRF and s.rules[0].capacity != s.clock[0].capacity:\n",
                "    if s.rules[0].order == DRF and s.rules[0].capacity < 0:\n",
            ),
        ),
        ORDERS,
    ),
    Mutant(
        "ratios of former chips",
        "themis: estimates are not made anew where chips arrived or left",
        "kernel/heads.py",
        (("    elif order == THEMIS and stale:\n", "    elif order == THEMIS and stale and order < 0:\n"),),
        ORDERS,
    ),
)
