"""Where the catalog can serve a model: tokens/s, tokens/s per MW and $ per million tokens, or why not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from capsim.catalog.library import Catalog, load_catalog
from capsim.catalog.prices import prices
from capsim.spec.hardware import ModelCard
from capsim.workload.disaggregated import serve_split
from capsim.workload.hardware_view import runs_at
from capsim.workload.inference import DoesNotFit, serve

# The kinds of price in the order in which they are taken for the cost of a token.
PRICE_KINDS = ("on_demand", "reserved_1y", "contract", "reserved_3y", "capacity_block", "spot")


@dataclass(frozen=True)
class ServedOn:
    """One system that holds the model, or the reason why it does not.

    Rates are of output tokens at the largest load within the objectives; ``tokens_per_mw`` is per MW of
    critical IT power; ``usd_per_mtok`` is per million output tokens at ``usd_per_chip_hour``, the median
    price of ``price_kind``.
    """

    system: str
    chip: str
    precision: str
    refusal: str | None = None
    layout: str = ""
    chips: int = 0
    tokens_per_s: float = 0.0
    tokens_per_chip: float = 0.0
    tokens_per_mw: float = 0.0
    usd_per_mtok: float | None = None
    usd_per_chip_hour: float | None = None
    price_kind: str | None = None
    utilisation: float = 0.0
    ttft_ms: float = 0.0
    tpot_ms: float = 0.0
    log_error: float = 0.0
    explain: tuple[str, ...] = ()


def serve_table(
    model: str,
    *,
    precision: str = "fp8",
    input_length: float = 1000.0,
    output_length: float = 1000.0,
    ttft_ms: float | None = 2000.0,
    tpot_ms: float | None = 100.0,
    disaggregated: bool = False,
) -> tuple[str, list[ServedOn]]:
    """The model on every system of the catalog, cheapest token first, then by tokens per MW, refusals last.

    With ``disaggregated`` prompts and decoding are on separate chips.

    Returns:
        The model's name in the catalog and one entry a system.

    Raises:
        InputError: there is no such model (the closest name is in the message).
    """
    catalog = load_catalog()
    name, card = catalog.find("models", model)
    assert isinstance(card, ModelCard)
    asked = (input_length, output_length, ttft_ms, tpot_ms, disaggregated)
    found = [_served(catalog, name, card, system, precision, *asked) for system in catalog.systems]
    return name, sorted(found, key=_order)


def _order(entry: ServedOn) -> tuple[bool, float, float]:
    cost = entry.usd_per_mtok if entry.usd_per_mtok is not None else float("inf")
    return (entry.refusal is not None, cost, -entry.tokens_per_mw)


def _served(
    catalog: Catalog,
    name: str,
    card: ModelCard,
    system: str,
    precision: str,
    inputs: float,
    outputs: float,
    ttft_ms: float | None,
    tpot_ms: float | None,
    disaggregated: bool,
) -> ServedOn:
    spec = catalog.systems[system]
    chip = catalog.chips[spec.chip]
    running = runs_at(chip, precision)
    plan = (serve_split if disaggregated else serve)(
        card,
        spec.chip,
        chip,
        spec,
        precision,
        input_length=inputs,
        output_length=outputs,
        ttft_ms=ttft_ms,
        tpot_ms=tpot_ms,
        model=name,
    )
    if isinstance(plan, DoesNotFit):
        return ServedOn(system, spec.chip, running, refusal=plan.reason)
    each = plan.output_tokens_per_s / plan.chips
    price = _price(spec.chip)
    return ServedOn(
        system,
        spec.chip,
        running,
        None,
        str(plan.layout),
        plan.chips,
        plan.output_tokens_per_s,
        each,
        each / (float(spec.kw_per_chip) / 1e3),
        price[0] / each / 3600 * 1e6 if price else None,
        price[0] if price else None,
        price[1] if price else None,
        plan.max_utilisation,
        plan.ttft_ms,
        plan.tpot_ms,
        plan.log_error,
        plan.explain,
    )


def _price(chip: str) -> tuple[float, str] | None:
    """Median price of a chip-hour and its kind; None where the catalog has none."""
    own = [price for price in prices() if price.chip == chip]
    for kind in PRICE_KINDS:
        asked = [float(price.usd_per_chip_hour) for price in own if price.kind == kind]
        if asked:
            return median(asked), kind
    return None


def as_rows(found: list[ServedOn]) -> list[dict[str, Any]]:
    """Plain data for JSON."""
    return [
        {key: value for key, value in asdict(entry).items() if value not in (None, "", ())} for entry in found
    ]
