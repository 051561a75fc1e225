"""Speed of the kernel on a world like the demo's. Goal: at most 0.6 s a run, everything in it.

python benchmarks/bench_demo_world.py [repeats]
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from workloads import DAY, HOUR, demo_world

from capsim.kernel.api import Cluster, Code, Policy
from capsim.kernel.layout import make_jobs


def wanted(hour: int, held: np.ndarray) -> np.ndarray:
    """Replicas by (service, pool): growth over the years and a daily shape."""
    grow = 1.0 + hour / 24 / 1886 * 3
    shape = 0.75 + 0.25 * math.cos(2 * math.pi * (hour % 24) / 24)
    out = np.zeros_like(held)
    out[:, 0] = int(4000 * shape)
    out[:, 1] = np.array([150, 600, 600, 300, 300]) * grow * shape
    if hour > 1200 * 24:
        out[:, 4] = int(3000 * shape)
    return out


def run(seed: int = 1) -> dict[str, Any]:
    """Simulate one world; returns figures."""
    world: Any = demo_world(seed)
    end = world["days"] * DAY
    began = time.perf_counter()
    policy = Policy(order="priority", backfill="easy", preemption=True)
    cluster = Cluster(world["layout"], world["jobs"], world["classes"], world["services"], policy=policy)
    built = time.perf_counter() - began
    acts: list[tuple[int, str, Any]] = [(t, "deliver", k) for t, k in world["deliveries"]]
    acts += [(d * DAY, "gang", (size, days)) for d, size, days in world["gangs"]]
    acts += [(h * HOUR, "resize", h) for h in range(0, world["days"] * 24, 6)]
    acts.sort(key=lambda a: a[0])
    spent = {"advance": 0.0, "resize": 0.0, "other": 0.0}
    for when, what, arg in [*acts, (end, "end", None)]:
        t = time.perf_counter()
        while cluster.advance(when).code != Code.REACHED:
            pass
        u = time.perf_counter()
        spent["advance"] += u - t
        if what == "deliver":
            cluster.activate(arg)
        elif what == "gang":
            size, days = arg
            cluster.submit(
                make_jobs(
                    np.array([when]),
                    np.array([days * DAY]),
                    np.array([size]),
                    np.array([2 * days * DAY]),
                    cls=world["train"],
                )
            )
        elif what == "resize":
            cluster.resize_all(wanted(arg, cluster.replicas()))
        spent["resize" if what == "resize" else "other"] += time.perf_counter() - u
    return {"total": time.perf_counter() - began, "build": built, **spent, "cluster": cluster}


def main() -> None:
    """Print the time of each repeat and what was simulated."""
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 3):
        out = run()
        cluster = out.pop("cluster")
        print({k: round(v, 3) for k, v in out.items()})
    print(cluster.counters())
    runs = cluster.runs
    print(
        "gangs",
        [
            (int(r["start"] // DAY), int(r["end"] // DAY), int(r["restarts"]), int(r["state"]))
            for r in runs[300_000:]
        ],
    )
    share = cluster.chip_time()
    print(
        "busy share",
        round(float(share["allocated"].sum() / share["active"].sum()), 3),
        "replicas",
        cluster.replicas().tolist(),
    )
    print("broken invariants:", cluster.check()[:3])


if __name__ == "__main__":
    main()
