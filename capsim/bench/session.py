"""One benchmark of the machine: which cases in which order, and everything that they gave."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from capsim.bench import machine
from capsim.bench.cases import LARGE, OWN, Case, grid, growth, quick, special
from capsim.bench.measure import Figures, measure_alone

SIMPY_JOBS = 20_000
"""Jobs that the plain simpy model schedules too: some seconds of its time."""

Say = Callable[[str], None]


@dataclass
class Session:
    """Figures of all cases; costs in seconds; (policy, jobs, kernel s, simpy s) of the same jobs."""

    grid: list[tuple[Case, Figures]] = field(default_factory=list)
    named: list[tuple[str, Case, Figures]] = field(default_factory=list)
    costs: dict[str, float] = field(default_factory=dict)
    simpy: list[tuple[str, int, float, float]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        rows = [("", case, figures) for case, figures in self.grid] + self.named
        return {
            "machine": about(),
            "cases": [{"name": name, **case.__dict__, **figures.as_dict()} for name, case, figures in rows],
            "costs_s": self.costs,
            "plain_simpy": [
                {"policy": policy, "jobs": jobs, "kernel_s": ours, "simpy_s": theirs, "ratio": theirs / ours}
                for policy, jobs, ours, theirs in self.simpy
            ],
        }


def about() -> dict[str, str]:
    """What ran the benchmark."""
    packages = {name: version(name) for name in ("capsim", "numpy", "numba", "simpy")}
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        **packages,
    }


def run(jobs: int, repeats: int, *, short: bool, say: Say) -> Session:
    """All cases (``short``: the grid's middle), each in a process of its own, one after another."""
    found = Session()
    cases = quick(jobs) if short else grid(jobs)
    for number, case in enumerate(cases, 1):
        fleet = f"{case.chips:,} chips ({case.places})"
        say(f"{number}/{len(cases)} {case.policy} on {fleet}, load {case.load:g}")
        found.grid.append((case, measure_alone(case, repeats)))
    for name, case in [] if short else special(jobs) + growth(10 * jobs):
        say(name)
        times = max(repeats, 3) if name in OWN or name in OWN.values() else repeats
        found.named.append((name, case, measure_alone(case, times if case.jobs <= jobs else 1)))
    say("simpy, compiling, loading")
    for policy in ("fcfs", "easy"):
        count = min(jobs, SIMPY_JOBS)
        found.simpy.append((policy, count, *machine.against_simpy(policy, count, LARGE)))
    found.costs["a step from simpy into the kernel and back"] = machine.crossing()
    found.costs["loading the compiled kernel, a new process"] = machine.warm_start()
    if not short:
        found.costs["compiling everything once"] = machine.cold_compile()
    return found
