"""``capsim warmup``: compile the scheduler now, once per version, so that nothing waits for it later."""

from __future__ import annotations

import typer

COMPILED = (
    "capsim.control.allocation",
    "capsim.engine.campaign_lives",
    "capsim.kernel.advance",
    "capsim.kernel.bookings",
    "capsim.kernel.conservative",
    "capsim.kernel.conservative_steps",
    "capsim.kernel.rules",
    "capsim.kernel.scalar",
    "capsim.kernel.stock",
    "capsim.policies.orders",
    "capsim.workload.microsim",
)
"""Modules with entry points: functions of a stated signature, compiled when their module is imported."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("warmup")(warmup)


def warmup() -> None:
    """Compile the scheduler and keep it; says where and how long it took."""
    import importlib
    import time

    from capsim.jit import cache_root

    began = time.perf_counter()
    for module in COMPILED:
        importlib.import_module(module)
    typer.echo(f"the scheduler is compiled ({time.perf_counter() - began:.1f} s); kept in {cache_root()}")
