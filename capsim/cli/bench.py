"""``capsim bench``: how fast the scheduler is on this machine."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench")(bench)


def bench(
    jobs: Annotated[int, typer.Option(min=1000, help="Jobs a case.")] = 200_000,
    chips: Annotated[int, typer.Option(min=1024, help="Chips, in racks of 72, 8 racks a block.")] = 524_160,
    load: Annotated[float, typer.Option(min=0.05, max=1.5, help="Offered load, share of the chips.")] = 0.9,
    seed: Annotated[int, typer.Option(help="Seed of the generator.")] = 1,
) -> None:
    """Schedule generated jobs by policy, with and without racks and failures; prints jobs per second."""
    from capsim.kernel.speed import CASES, measure

    typer.echo(f"{jobs:,} jobs on {chips:,} chips at load {load:g} (sizes 8 .. 131,072; seed {seed})")
    typer.echo(f"{'case':<28}{'jobs/s':>12}{'backfilled':>12}{'longest queue':>15}{'failures':>10}")
    measure(CASES[0], 1000, chips, load, seed)
    for case in CASES:
        row = measure(case, jobs, chips, load, seed)
        share = f"{row.backfilled / jobs:.1%}"
        typer.echo(
            f"{case.name:<28}{row.jobs_per_s:>12,.0f}{share:>12}{row.longest_queue:>15,}{row.failures:>10,}"
        )
