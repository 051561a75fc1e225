"""One offer of 7,200 GB200 at $2 an hour from 2026-01-01 over a horizon of two years, with any terms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from capsim.control.context import Context, LotState
from capsim.engine.billing import Ledger, book
from capsim.spec.study import Study
from tests.studies import contract_context, contract_only, small_study

CHIPS = 7_200
HOURS = 730 * 24  # 2026 and 2027
RENT = CHIPS * HOURS * 2.0


def offer(
    price: str = "{per_chip_hour: $2/h}",
    extra: str = "",
    term: str = "5y",
    chips: str = "7200",
    strategy: str = "",
    kind: str = "cloud",
) -> str:
    """A study of one offer; `extra` are more terms of it, `strategy` more keys of the strategy."""
    length = f"term: {term}, " if term else ""
    return f"""
offers:
  o: {{provider: p, kind: {kind}, status: signed, chips: {{gb200_nvl72: 100%}}, quantity: {{min: 7200, max: 7200, lot: 72}},
      tranches: [{{at: 2026-01-01, share: 100%, delivery: existing}}], {length}price: {price}{extra}}}
strategies: {{s: {{hold: {{o: {chips}}}{strategy}}}}}
"""


def booked(
    tmp_path: Path,
    text: str,
    change: Callable[[Context], Any] | None = None,
    used: float | list[float] = 1.0,
) -> tuple[Ledger, Context]:
    """The ledger of a study's contracts; `change` alters the context, `used` is the use by month."""
    return booked_study(small_study(tmp_path, text), change, used)


def booked_study(
    study: Study, change: Callable[[Context], Any] | None = None, used: float | list[float] = 1.0
) -> tuple[Ledger, Context]:
    """The same of a loaded study."""
    prepared = contract_only(study)
    ctx = contract_context(prepared)
    if change is not None:
        change(ctx)
    months = len(prepared.calendar.months()) - 1
    use = np.full(months, used) if isinstance(used, float) else np.array(used)
    return book(ctx, {place.name: use for place in prepared.places}), ctx


def only_lot(ctx: Context) -> LotState:
    """The state of the first lot."""
    return next(iter(ctx.lots.values()))


def used_ledger(ctx: Context, used: list[float]) -> Ledger:
    """The ledger of contracts that have lived, with their use by month."""
    return book(ctx, {place.name: np.array(used) for place in ctx.places()})


def used_places(ctx: Context, used: dict[str, float]) -> Ledger:
    """The same with a use for each place, in all months."""
    months = len(ctx.prepared.calendar.months()) - 1
    return book(ctx, {name: np.full(months, share) for name, share in used.items()})
