"""Wrong rules in a copy of the kernel's source: ``python -m tests.kernel.mutants`` shows what kills each.

Each mutant replaces a few lines of ``capsim`` in a copy of the package, which is compiled with a cache of its
own and run against the tests named with it: the obvious schedulers, random cases of one seed. The kernel as
it is must pass them. Takes some minutes (each mutant is compiled anew), so it is not part of the suite; the same
wrong rules in the obvious schedulers are (``tests/oracles/mutants.py``).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = ("tests/kernel/test_oracle_cluster.py", "tests/kernel/test_decisions.py")
PREEMPTION = ("tests/kernel/test_preemption.py", "tests/kernel/test_cluster.py")
RANKS = ("tests/kernel/test_ranks.py", "-k", "levels")
REPLAY = ("tests/kernel/test_oracle_replay.py",)
RESERVED = (
    "tests/kernel/test_reservations.py",
    "tests/kernel/test_oracle_cluster.py",
    "-k",
    "reserv or hand",
)
DEPENDENT = (
    "tests/kernel/test_dependencies.py",
    "tests/kernel/test_oracle_cluster.py",
    "-k",
    "depend or hand",
)
CONSERVATIVE = ("tests/kernel/test_conservative.py", "-k", "small_cases or crowded")

LIMIT_S = 300
"""Seconds for the tests of one mutant, compiling included; a wrong rule may make the kernel run for ever."""

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
        (("            _compress(queue, profile, now, tally)\n", "            pass\n"),),
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
        PREEMPTION,
    ),
    Mutant(
        "exemption asked now",
        "las: whether a job is exempt is asked at the stop, not at the last computation of the keys",
        "kernel/preemptible.py",
        (("rules.keyed_at < run.begun", "s.clock[0].now < run.begun"),),
        PREEMPTION,
    ),
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
        "afterok as afterany",
        "a job whose forerunner failed goes on",
        "kernel/dependencies.py",
        (
            (
                "        if completed or s.followers[k].any:\n",
                "        if completed or s.followers[k].any or True:\n",
            ),
        ),
        DEPENDENT,
    ),
    Mutant(
        "array without a limit",
        "tasks of an array do not wait for each other",
        "kernel/dependencies.py",
        (("        if row.tasks >= row.limit:\n", "        if row.tasks > row.limit:\n"),),
        DEPENDENT,
    ),
    Mutant(
        "class without a limit",
        "the chips of a class's admitted jobs are not counted",
        "kernel/allowances.py",
        (("limit.admitted + s.jobs[j].size_max <= limit.chips", "s.jobs[j].size_max <= limit.chips"),),
        ("tests/kernel/test_tenants.py",),
    ),
)


def apply(mutant: Mutant, package: Path) -> str:
    """Edit the copy; returns the text of the file before."""
    path = package / mutant.file
    before = path.read_text()
    text = before
    for old, new in mutant.edits:
        if text.count(old) != 1:
            raise ValueError(f"{mutant.name}: {old!r} is in {mutant.file} {text.count(old)} times, not once")
        text = text.replace(old, new)
    path.write_text(text)
    return before


def failed_tests(folder: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    """Exit code of the tests and the first that failed, if any."""
    environment = os.environ | {
        "PYTHONPATH": str(folder),
        "NUMBA_CACHE_DIR": str(folder / "compiled"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "--hypothesis-seed=0",
        *tests,
    ]
    try:
        done = subprocess.run(
            words, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT_S
        )
    except subprocess.TimeoutExpired:
        return 1, f"a schedule that does not end within {LIMIT_S} s"
    found = re.search(r"^(?:FAILED|ERROR) \S+?::(\S+)", done.stdout, re.M)
    return done.returncode, found[1] if found else done.stdout[-500:]


def main(wanted: list[str]) -> int:
    """Print what kills each mutant (all, or those whose names contain a word); 1 if one survives."""
    mutants = [m for m in MUTANTS if not wanted or any(word in m.name for word in wanted)]
    survived = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("capsim", "tests", "configs", "pyproject.toml"):
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, folder / part)
        for tests in dict.fromkeys(mutant.tests for mutant in mutants):
            code, first = failed_tests(folder, tests)
            if code != 0:
                print(f"the kernel as it is fails {first}")
                return 1
        print("the kernel as it is: all tests pass")
        for mutant in mutants:
            began = time.perf_counter()
            before = apply(mutant, folder / "capsim")
            code, first = failed_tests(folder, mutant.tests)
            (folder / "capsim" / mutant.file).write_text(before)
            survived += code != 1
            verdict = f"killed by {first}" if code == 1 else f"SURVIVES ({first.strip()})"
            print(
                f"{mutant.name} — {mutant.says}\n  {verdict} ({time.perf_counter() - began:.0f} s)",
                flush=True,
            )
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
