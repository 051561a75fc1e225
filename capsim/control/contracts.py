"""The life of all contracts of a strategy: one place that starts its processes."""

from __future__ import annotations

from capsim.control.context import Context
from capsim.control.deliveries import Deliveries
from capsim.control.early_exits import start_terminations
from capsim.control.options import start_options
from capsim.control.resale import start_resale
from capsim.control.spot import start_spot
from capsim.control.suppliers import start_defaults


def start_contracts(ctx: Context, deliveries: Deliveries) -> None:
    """Start deliveries, defaults, terminations, spot interruptions, options and resale.

    Conditions of the strategy are asked when they matter, so `ctx.gauges` may be filled afterwards.
    """
    deliveries.start()
    start_defaults(ctx, deliveries)
    start_terminations(ctx, deliveries)
    start_options(ctx, deliveries)
    start_resale(ctx, deliveries.power)
    start_spot(ctx)
