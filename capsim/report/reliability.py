"""The reliability section of the validation tables: simulated gangs, closed forms, published clusters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import numpy as np

from capsim.engine.gangs import NODE, Gangs, Site, run_for, run_to_the_end
from capsim.workload.reliability import effective_time_ratio, mttf_hours, per_chip_rate, young_daly_seconds

# Published figures (sources in the shared facts on reliability): Llama 3, 419 interruptions in 54 days on
# 16,384 H100, which is where the default rate comes from; RSC-1 and ByteRobust were not used for any figure.
LLAMA_CHIPS, LLAMA_DAYS, LLAMA_COUNT, LLAMA_RATE = 16_384, 54, 419, 0.474
RSC_NODE_RATE, RSC_LARGE_HOURS, RSC_SMALL_CHIPS, RSC_SMALL_HOURS = 6.50, 1.8, 1024, 7.9
BYTE_HOURS, BYTE_CHIPS = 2.78, (9_600, 16_384)
RATE_RANGE = (0.29, 0.81)

SEEDS = 20
T_95 = 2.093
"""Two-sided 95 % quantile of Student's t with SEEDS − 1 degrees of freedom."""

ETTR_CHIPS = (16_384, 100_000, 500_000)
ETTR_SETTINGS = ((20, 60), (5, 10), (1, 2))
"""(minutes of a restart, seconds of a checkpoint's stall)."""

ETTR_FAILURES, ETTR_SEEDS = 2_000, 4
"""Mean times to failure of work that one simulated gang does, and simulations a row."""

FLEET_NODES, FLEET_GANGS, FLEET_DAYS = 2048, 15, 330
"""RSC-1's 16,384 GPUs with 15 jobs of 1,024 and 1,024 spare GPUs (assumed), for its 11 months."""

LEMON_SHARES = (0.012, 0.015, 0.017, 0.03, 0.05)
LEMON_FACTORS = (1, 8, 50, 100, 330, 600)
LEMON_ASSUMED, LEMON_FITTED = (0.015, 8), (0.015, 330)
"""Share and factor of the catalog's systems (factor assumed); the factor fitted to RSC-1's 7.9 h."""


def reliability() -> Iterator[str]:
    """The section, line by line."""
    yield "## Reliability: simulated gangs and closed forms against published clusters"
    yield ""
    yield from _clusters()
    yield ""
    yield (
        "Interruptions: mean of 20 seeds and its 95 % interval, gang of nodes of 8 with ample spares. The "
        f"default rate, {LLAMA_RATE} per 1,000 chip-days, is Llama 3's own; no figure of RSC-1 or ByteRobust "
        "was used, except the lemon factor said to be fitted."
    )
    yield ""
    yield from _lemons()
    yield ""
    yield "Effective training time (work ÷ elapsed), one gang, Daly's interval, the default rate:"
    yield ""
    yield from ettr_table()
    yield ""


def _clusters() -> Iterator[str]:
    rsc = per_chip_rate(RSC_NODE_RATE)
    count, half = _mean_count(LLAMA_CHIPS, LLAMA_RATE, LLAMA_DAYS)
    expected = LLAMA_CHIPS * LLAMA_DAYS * LLAMA_RATE / 1000
    large, _ = _mean_count(LLAMA_CHIPS, rsc, LLAMA_DAYS)
    yield "| case | published | rate's arithmetic | simulated |"
    yield "|---|--:|--:|--:|"
    yield (
        f"| Llama 3, 16,384 H100: interruptions in 54 days | {LLAMA_COUNT} | {expected:.0f} | "
        f"{count:.0f} ± {half:.0f} |"
    )
    arithmetic = mttf_hours(LLAMA_CHIPS, rsc)
    yield (
        f"| RSC-1's rate at 16,384 GPUs: h to failure | {RSC_LARGE_HOURS} | {arithmetic:.2f} | "
        f"{24 * LLAMA_DAYS / large:.2f} |"
    )
    plain = mttf_hours(RSC_SMALL_CHIPS, rsc)
    for what, (share, factor) in (
        ("equal nodes", (0.0, 1)),
        (f"{_percent(LEMON_ASSUMED[0])} lemons × {LEMON_ASSUMED[1]} (assumed)", LEMON_ASSUMED),
        (f"{_percent(LEMON_FITTED[0])} lemons × {LEMON_FITTED[1]} (fitted to this row)", LEMON_FITTED),
    ):
        name = f"RSC-1, 1,024-GPU jobs, {what}: h to failure"
        yield f"| {name} | {RSC_SMALL_HOURS} | {plain:.1f} | {job_hours(share, factor):.1f} |"
    slow, fast = (mttf_hours(chips, LLAMA_RATE) for chips in BYTE_CHIPS)
    yield f"| ByteRobust, 9,600 to 16,384 GPUs: h to failure | {BYTE_HOURS} | {slow:.2f} to {fast:.2f} | |"
    least, most = (24_000 / (BYTE_HOURS * chips) for chips in reversed(BYTE_CHIPS))
    low, high = RATE_RANGE
    yield (
        f"| the rate that gives 2.78 h there, per 1,000 chip-days | {low} to {high} (range of others) | "
        f"{least:.2f} to {most:.2f} | |"
    )


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _mean_count(chips: int, rate: float, days: int) -> tuple[float, float]:
    """Mean interruptions of one gang over SEEDS seeds, and half its 95 % interval."""
    nodes = chips // NODE
    site, gang = Site(nodes + nodes // 10, rate), Gangs(chips, restart_s=600)
    counts = [run_for(site, gang, days, seed).interruptions for seed in range(SEEDS)]
    return float(np.mean(counts)), float(T_95 * np.std(counts, ddof=1) / np.sqrt(SEEDS))


@cache
def job_hours(lemon_share: float, lemon_factor: float) -> float:
    """Hours between failures of a 1,024-GPU job on a fleet like RSC-1's, whose rate is of ordinary nodes."""
    mean = per_chip_rate(RSC_NODE_RATE) * (1 + lemon_share * (lemon_factor - 1))
    site = Site(FLEET_NODES, mean, lemon_share, lemon_factor)
    gangs = Gangs(RSC_SMALL_CHIPS, FLEET_GANGS, restart_s=600)
    seeds = 3
    found = sum(run_for(site, gangs, FLEET_DAYS, seed).interruptions for seed in range(seeds))
    return 24.0 * FLEET_DAYS * FLEET_GANGS * seeds / found


def _lemons() -> Iterator[str]:
    yield (
        "What lemon nodes do to a 1,024-GPU job: simulated hours to failure; 15 such jobs on 2,048 nodes for "
        f"330 days, repair 4 h at the median, ordinary nodes at {RSC_NODE_RATE} per 1,000 node-days. A "
        "broken node is replaced by a spare and comes back after its repair, so a job meets lemons again and "
        f"again. To give {RSC_SMALL_HOURS} h, the published 1.2 to 1.7 % of nodes must fail some 300 to 600 "
        "times as often as the others, about twice a day each; the factor 8 of the catalog is far from that."
    )
    yield ""
    yield "| lemon share | " + " | ".join(f"× {factor}" for factor in LEMON_FACTORS) + " |"
    yield "|--:|" + "--:|" * len(LEMON_FACTORS)
    for share in LEMON_SHARES:
        cells = [f"{job_hours(share, factor):.1f} h" for factor in LEMON_FACTORS]
        yield f"| {_percent(share)} | " + " | ".join(cells) + " |"


@cache
def ettr(chips: int, restart_minutes: float, stall_s: float) -> tuple[float, float, float]:
    """Daly's interval in s, effective time by the closed form, and simulated."""
    mean = 3600 * mttf_hours(chips, LLAMA_RATE)
    interval = young_daly_seconds(stall_s, mean)
    form = effective_time_ratio(interval, stall_s, 60 * restart_minutes, mean)
    spare = chips // NODE // 50 + 40
    site = Site(chips // NODE + spare, LLAMA_RATE, repair_hours=min(4.0, 20 * mean / 3600))
    gang = Gangs(chips, 1, interval, stall_s, 60 * restart_minutes)
    hours = ETTR_FAILURES * mean / 3600 * form
    runs = [run_to_the_end(site, gang, hours, seed) for seed in range(ETTR_SEEDS)]
    return interval, form, float(np.mean([run.work / run.elapsed for run in runs]))


def ettr_table() -> Iterator[str]:
    """Effective training time of one gang by its size and by how it restarts and saves."""
    yield "| chips | restart | checkpoint stall | interval | closed form | simulated | points apart |"
    yield "|--:|--:|--:|--:|--:|--:|--:|"
    for chips in ETTR_CHIPS:
        for minutes, stall in ETTR_SETTINGS:
            interval, form, simulated = ettr(chips, minutes, stall)
            yield (
                f"| {chips:,} | {minutes} min | {stall} s | {interval:.0f} s | {100 * form:.1f} % | "
                f"{100 * simulated:.1f} % | {round(100 * (simulated - form), 1) + 0.0:+.1f} |"
            )


def with_ettr_table(page: str) -> str:
    """A page with its block ``<!-- ettr … -->`` … ``<!-- /ettr -->`` written anew; as it is without one."""
    block = "\n".join(ettr_table())
    pattern = re.compile(r"(<!-- ettr: [^\n]*-->\n).*?(<!-- /ettr -->)", re.S)
    return pattern.sub(lambda found: f"{found[1]}{block}\n{found[2]}", page)
