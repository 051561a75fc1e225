"""Wrong rules of quotas, dependencies and arrays, as edits of the kernel's source (see ``wrong_rules.py``)."""

from __future__ import annotations

from tests.kernel.wrong_rules import Mutant

LIMITED = ("tests/kernel/test_tenants.py", "tests/kernel/test_oracle_cluster.py", "-k", "tenants or hand")
DEPENDENT = (
    "tests/kernel/test_dependencies.py",
    "tests/kernel/test_oracle_cluster.py",
    "-k",
    "depend or hand",
)

MUTANTS = (
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
    Mutant(
        "flavor without chips",
        "a job is admitted in a flavor none of whose pools holds it",
        "kernel/allowances.py",
        (
            (
                "s.places[base + pool].speed > 0.0 and s.pools[pool].active >= s.jobs[j].size_min",
                "s.places[base + pool].speed > 0.0",
            ),
        ),
        LIMITED,
    ),
    Mutant(
        "flavor that cannot run it",
        "a job is admitted in a flavor on whose chips its class does not run",
        "kernel/allowances.py",
        (("s.places[base + pool].speed > 0.0 and s.pools[pool]", "s.pools[pool]"),),
        LIMITED,
    ),
    Mutant(
        "flavors none of which holds it",
        "a job that no flavor holds is held until chips arrive, not admitted in the first",
        "kernel/allowances.py",
        (
            (
                "    return found if found != 0 else (np.int64(1) << np.int64(s.rules[0].width)) - 1\n",
                "    return found\n",
            ),
        ),
        LIMITED,
    ),
    Mutant(
        "flavors in the order of the pools",
        "a job takes the first flavor of the layout, not the one that its class likes best",
        "kernel/allowances.py",
        (("np.int64(s.flavors[s.places[base + i].order])", "np.int64(s.flavors[i])"),),
        LIMITED,
    ),
    Mutant(
        "ceiling forgotten",
        "a tenant borrows more than it may",
        "kernel/allowances.py",
        (("    if mine.admitted + n > mine.ceiling:\n        return False\n", ""),),
        LIMITED,
    ),
    Mutant(
        "cohort overdrawn",
        "a tenant borrows what its cohort does not have",
        "kernel/allowances.py",
        (("    if cohort.admitted + n > cohort.quota:\n        return False\n", ""),),
        LIMITED,
    ),
    Mutant(
        "lent before the owner",
        "a tenant borrows although another's first held job stays within its quota",
        "kernel/allowances.py",
        (
            (
                "mine.admitted + n > mine.quota and s.rules[0].held > 0:",
                "mine.admitted + n > mine.quota and s.rules[0].held < 0:",
            ),
        ),
        LIMITED,
    ),
    Mutant(
        "rights of another cohort",
        "a tenant does not borrow while a job of another cohort has a right to its quota",
        "kernel/allowances.py",
        (("if s.allowances[row].cohort == mine.cohort and has_right", "if has_right"),),
        LIMITED,
    ),
    Mutant(
        "right in a flavor that does not hold it",
        "a job has a right to a flavor in which it cannot be admitted",
        "kernel/allowances.py",
        (
            (
                "    return not s.tenants[t].by_flavor or (flavors_open(s, j) >> flavor) & 1 != 0\n",
                "    return True\n",
            ),
        ),
        LIMITED,
    ),
    Mutant(
        "right beyond the number",
        "a tenant that has all the jobs it may have at a time keeps others from borrowing",
        "kernel/allowances.py",
        (("    if j < 0 or not has_number(s, t):\n", "    if j < 0:\n"),),
        LIMITED,
    ),
    Mutant(
        "right beyond the class",
        "a tenant whose class has its limit keeps others from borrowing",
        "kernel/allowances.py",
        (("> mine.quota or not class_has_room(s, j):\n", "> mine.quota:\n"),),
        LIMITED,
    ),
    Mutant(
        "first flavor or none",
        "a job is held if the first flavor that holds it has no room",
        "kernel/allowances.py",
        (
            (
                "    while flavor >= 0 and not fits_in(s, t, j, flavor):\n        left &= ~(np.int64(1) << flavor)\n        flavor = next_flavor(s, j, left)\n",
                "    if flavor >= 0 and not fits_in(s, t, j, flavor):\n        return np.int64(-1)\n",
            ),
        ),
        LIMITED,
    ),
    Mutant(
        "borrows at the brim",
        "a job that fills its tenant's quota counts as one that borrows",
        "kernel/allowances.py",
        (
            (
                "mine.quota >= 0 and mine.admitted + s.jobs[j].size_max > mine.quota\n",
                "mine.quota >= 0 and mine.admitted + s.jobs[j].size_max >= mine.quota\n",
            ),
        ),
        LIMITED,
    ),
    Mutant(
        "leaving for ever",
        "what evicted jobs give back is counted as about to leave after they have left",
        "kernel/allowances.py",
        (
            (
                "            s.cohorts[mine.cohort].leaving += n\n",
                "            s.cohorts[mine.cohort].leaving += 0\n",
            ),
        ),
        LIMITED,
    ),
    Mutant(
        "confined for ever",
        "a job that was evicted runs in the flavor of its first admission alone",
        "kernel/allowances.py",
        (("    s.jobs[j].cls = base_class(s, j)\n", "    s.jobs[j].cls += 0\n"),),
        LIMITED,
    ),
    Mutant(
        "flavor charged twice",
        "a flavor is charged for what the job ran in another before",
        "kernel/allowances.py",
        (("    s.standings[j].had = s.runs[j].chip_time\n", "    s.standings[j].had = 0\n"),),
        LIMITED,
    ),
    Mutant(
        "least size charged",
        "an elastic job is charged for the least size that it may have",
        "kernel/allowances.py",
        (("    n = sign * np.int64(s.jobs[j].size_max)\n", "    n = sign * np.int64(s.jobs[j].size_min)\n"),),
        LIMITED,
    ),
    Mutant(
        "doomed in silence",
        "a job that is cancelled at its submission leaves those that wait for it waiting",
        "kernel/dependencies.py",
        (("        cancel_waiting(s, j)\n        settle(s, j)\n", "        cancel_waiting(s, j)\n"),),
        DEPENDENT,
    ),
    Mutant(
        "tasks counted twice",
        "a task that is run again counts as another one of its array",
        "kernel/dependencies.py",
        (("    if mine.array > 0 and not mine.counted:\n", "    if mine.array > 0:\n"),),
        DEPENDENT,
    ),
    Mutant(
        "first of several",
        "a job goes on as soon as one of those that it waits for has ended",
        "kernel/dependencies.py",
        (
            (
                "            if theirs.needs == 0 and theirs.gate == NEEDS:\n",
                "            if theirs.gate == NEEDS:\n",
            ),
        ),
        DEPENDENT,
    ),
    Mutant(
        "waits since its submission",
        "the wait for another job counts as wait in the queue",
        "kernel/dependencies.py",
        (("                run.queued = s.clock[0].now\n", ""),),
        DEPENDENT,
    ),
    Mutant(
        "run again past the limit",
        "an attempt that ended at its requested time is not the last",
        "kernel/dependencies.py",
        (("    if run.state != DONE:\n        return False\n    if mine.retries", "    if mine.retries"),),
        DEPENDENT,
    ),
    Mutant(
        "works off the rest",
        "an attempt after a failed one has only the work left that it had",
        "kernel/dependencies.py",
        (
            (
                "        run.work_left, run.request_left = s.jobs[j].run, s.jobs[j].requested\n",
                "        run.request_left = s.jobs[j].requested\n",
            ),
        ),
        DEPENDENT,
    ),
    Mutant(
        "tasks overtaken",
        "the next task of an array is looked for behind the last that went on",
        "kernel/dependencies.py",
        (
            (
                "        if not s.standings[task].counted and s.runs[task].state <= RUNNING:\n",
                "        if not s.standings[task].counted and s.runs[task].state < RUNNING and s.standings[task].gate == ARRAY:\n",
            ),
        ),
        DEPENDENT,
    ),
    Mutant(
        "failed work that was lost",
        "what an attempt lost to failures of chips counts in the failed attempt too",
        "kernel/dependencies.py",
        (
            (
                "        mine.failed_ms = run.chip_time - run.lost\n",
                "        mine.failed_ms = run.chip_time\n",
            ),
        ),
        DEPENDENT,
    ),
)
