"""``capsim warmup``: compile the scheduler now, once per version, so that nothing waits for it later."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("warmup")(warmup)


def warmup() -> None:
    """Compile the scheduler and keep it; says where and how long it took."""
    import time

    began = time.perf_counter()
    import capsim.control.allocation
    import capsim.kernel.advance
    import capsim.kernel.conservative
    import capsim.kernel.scalar
    import capsim.workload.microsim
    from capsim.jit import cache_root
    from capsim.policies import orders

    del capsim, orders
    typer.echo(f"the scheduler is compiled ({time.perf_counter() - began:.1f} s); kept in {cache_root()}")
