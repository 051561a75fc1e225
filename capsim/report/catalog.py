"""The catalog as terminal tables and as JSON."""

from __future__ import annotations

import datetime
import typing
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from capsim.catalog.library import Catalog
from capsim.catalog.prices import ListPrice, Summary
from capsim.spec import quantities as forms
from capsim.spec.base import Section
from capsim.spec.hardware import Chip, ModelCard, Porting, Price, System
from capsim.spec.offers import Offer
from capsim.spec.provenance import STATED, values_of
from capsim.spec.values import CONFIDENCES, Day, Quantity, Value, Whole
from capsim.units import DAY_MS, HOUR_MS, MONTH_MS, YEAR_MS

WIDE: Final = 110
"""Columns of a terminal from which on tables show everything."""

_DURATIONS: Final = (
    ("y", YEAR_MS),
    ("mo", MONTH_MS),
    ("d", DAY_MS),
    ("h", HOUR_MS),
    ("min", 60_000),
    ("s", 1_000),
)


class Leaf(NamedTuple):
    """One value of an entry: the names that lead to it, its text, and the value where it is a number."""

    path: str
    text: str
    value: Value | Whole | Day | None


def leaves(section: Section, prefix: str = "") -> Iterator[Leaf]:
    """Every value of an entry, in the order of the schema."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if value is None or value == [] or value == {} or value == field.default:
            continue
        yield from _leaves(value, f"{prefix}{name}", _form(field.annotation, field.metadata))


def _leaves(value: Any, path: str, form: forms.Form | None) -> Iterator[Leaf]:
    if isinstance(value, Section):
        yield from leaves(value, f"{path}.")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}", form)
    elif isinstance(value, list) and value and not isinstance(value[0], str):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}.{getattr(item, 'name', index)}", form)
    elif isinstance(value, Value | Whole):
        yield Leaf(path, written(value, form), value)
    elif isinstance(value, Day):
        yield Leaf(path, value.isoformat(), value)
    else:
        yield Leaf(path, ", ".join(value) if isinstance(value, list) else str(value), None)


def _form(annotation: Any, metadata: Sequence[Any] = ()) -> forms.Form | None:
    """The unit of a field, wherever its annotation holds it."""
    for item in metadata:
        if isinstance(item, Quantity):
            return item.form
    for part in typing.get_args(annotation):
        if isinstance(part, Quantity):
            return part.form
        found = _form(part)
        if found is not None:
            return found
    return None


def written(value: Value | Whole, form: forms.Form | None) -> str:
    """A number with its unit as people read it, with its range where it has one."""
    text = _number(float(value), form)
    if value.low is not None and value.high is not None:
        text += f" ({_number(value.low, form)} to {_number(value.high, form)})"
    return text


def _number(number: float, form: forms.Form | None) -> str:
    write = _WRITERS.get(form.unit) if form is not None else None
    return write(number) if write is not None else f"{number:,.6g}"


def _money(number: float) -> str:
    for scale, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= scale:
            return f"${number / scale:,.4g}{suffix}"
    return f"${number:,.2f}"


def _duration(number: float) -> str:
    for unit, size in _DURATIONS:
        if abs(number) >= size and (unit != "mo" or number % size == 0):
            return f"{number / size:.4g} {unit}"
    return f"{number:g} ms"


def _power(number: float) -> str:
    return f"{number / 1e3:,.4g} MW" if abs(number) >= 1e3 else f"{number:g} kW"


_WRITERS: Final[dict[str, Callable[[float], str]]] = {
    forms.COUNT.unit: lambda number: f"{number:,.0f}",
    forms.FRACTION.unit: lambda number: f"{number:.4g}" if number > 1 else f"{number * 100:.4g}%",
    forms.USD.unit: _money,
    forms.USD_PER_HOUR.unit: lambda number: f"${number:,.2f}/h",
    forms.USD_PER_KW_MONTH.unit: lambda number: f"${number:,.0f}/kW-mo",
    forms.KILOWATTS.unit: _power,
    forms.BANDWIDTHS.unit: lambda number: f"{number / 1e3:g} TB/s" if number >= 1e3 else f"{number:g} GB/s",
    forms.DURATION.unit: _duration,
    forms.RATE_PER_YEAR.unit: lambda number: f"{number:g}/y",
    forms.GROWTH_PER_YEAR.unit: lambda number: f"{number * 100:+g}%/y",
    forms.FRACTION_PER_QUARTER.unit: lambda number: f"{number * 100:g}%/q",
}


def as_json(node: Any) -> Any:
    """An entry as plain JSON data: numbers in the units of the schema, with provenance where they have it."""
    if isinstance(node, Section):
        fields = type(node).model_fields
        return {name: as_json(getattr(node, name)) for name in fields if getattr(node, name) is not None}
    if isinstance(node, Value | Whole | Day):
        plain = (
            node.isoformat() if isinstance(node, Day) else (int if isinstance(node, Whole) else float)(node)
        )
        given = {key: as_json(item) for key, item in vars(node).items() if item is not None}
        return {"value": plain} | given if given else plain
    if isinstance(node, Mapping):
        return {str(key): as_json(item) for key, item in node.items()}
    if isinstance(node, list | tuple):
        return [as_json(item) for item in node]
    return node.isoformat() if isinstance(node, datetime.date) else node


def trust(*sections: Section) -> str:
    """How many numbers of entries have which confidence, best first; `stated`: without a source."""
    counts: Counter[str] = Counter(
        item.value.confidence or STATED for entry in sections for item in values_of(entry)
    )
    ranks: tuple[str, ...] = (*CONFIDENCES, STATED)
    return ", ".join(f"{counts[name]} {name}" for name in ranks if counts[name])


def _table(*columns: str, title: str | None = None) -> Table:
    """An empty table; a column is set right after ``>``, never broken after ``=`` (single words)."""
    table = Table(
        box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, collapse_padding=True
    )
    for number, column in enumerate(columns):
        right = column.startswith(">")
        kind: Literal["right", "left"] = "right" if right else "left"
        # Nothing is cut off: names must be copied from here, sources looked up.
        whole = right or number == 0 or column.startswith("=")
        table.add_column(column.lstrip(">="), justify=kind, no_wrap=whole, overflow="fold")
    return table


def _cell(value: float | None, digits: str = ",.6g") -> str:
    return "" if value is None else format(float(value), digits)


def overview(catalog: Catalog, price_rows: int) -> Table:
    """What is built in, by kind."""
    table = _table("kind", ">entries", "for example", "numbers by confidence")
    for kind in ("chips", "systems", "models", "offers", "porting"):
        entries = catalog.entries(kind)
        table.add_row(kind, str(len(entries)), ", ".join(list(entries)[:3]), trust(*entries.values()))
    table.add_row("prices", str(price_rows), "h100_sxm, gb200, trainium2", "dated, by provider and region")
    return table


def table(kind: str, catalog: Catalog, width: int) -> Table:
    """All entries of a kind: chips, systems, models, offers or porting."""
    if kind == "chips":
        return chips_table(catalog.chips, width)
    if kind == "systems":
        return systems_table(catalog.systems, width)
    if kind == "models":
        return models_table(catalog.models, width)
    return offers_table(catalog.offers, width) if kind == "offers" else porting_table(catalog.porting)


def chips_table(chips: Mapping[str, Chip], width: int) -> Table:
    """Chips: dense peaks in TFLOP/s, memory, bandwidths."""
    wide = ("vendor", ">scale-up GB/s", ">scale-out GB/s", ">TDP W", "available") if width >= WIDE else ()
    table = _table("chip", "stack", ">bf16", ">fp8", ">fp4", ">HBM GB", ">TB/s", *wide)
    for name, chip in chips.items():
        peaks = [_cell(chip.tflops.get(kind)) for kind in ("bf16", "fp8", "fp4")]
        row = [name, chip.stack, *peaks, _cell(chip.hbm_gb), _cell(chip.hbm_tbs)]
        if wide:
            date = chip.available.strftime("%Y-%m") if chip.available else "announced"
            row += [chip.vendor, _cell(chip.scaleup_gbs), _cell(chip.scaleout_gbs), _cell(chip.tdp_w), date]
        table.add_row(*row)
    return table


def systems_table(systems: Mapping[str, System], width: int) -> Table:
    """Systems: chips in a node, a scale-up domain and a block; power and failures of a chip."""
    wide = (">segment", ">fail/1k chip-d", "available") if width >= WIDE else ()
    table = _table("system", "chip", ">node", ">domain", ">block", ">kW/chip", *wide)
    for name, system in systems.items():
        block = int(system.domain) * int(system.block_domains)
        row = [
            name,
            system.chip,
            str(system.node),
            str(system.domain),
            f"{block:,}",
            _cell(system.kw_per_chip),
        ]
        if wide:
            date = system.available.strftime("%Y-%m") if system.available else ""
            row += [_cell(system.segment), _cell(system.reliability.failures_per_1000_chip_days), date]
        table.add_row(*row)
    return table


def models_table(models: Mapping[str, ModelCard], width: int) -> Table:
    """Model cards: parameters in 10^9, shape, key-value bytes a token."""
    wide = (">hidden", ">heads", ">kv\nheads", ">kv kB\na token") if width >= WIDE else ()
    table = _table(
        "model", "=kind", ">active\nB", ">total\nB", ">lay-\ners", "=ex-\nperts", "=shape is", *wide
    )
    for name, model in models.items():
        experts = f"{model.experts_active}/{model.experts}" if model.experts is not None else ""
        row = [name, model.kind, _cell(model.params_b_active), _cell(model.params_b_total), str(model.layers)]
        row += [experts, model.layers.confidence or ""]
        if wide:
            kv = _cell(float(model.kv_bytes_per_token) / 1e3, ",.4g")
            row += [_cell(model.hidden), _cell(model.heads), _cell(model.kv_heads), kv]
        table.add_row(*row)
    return table


def offers_table(offers: Mapping[str, Offer], width: int) -> Table:
    """Offers: who, what, how many, at what price, for how long."""
    wide = ("kind", "systems", ">term") if width >= WIDE else ()
    table = _table("offer", "status", ">chips", "price", *wide)
    for name, offer in offers.items():
        size = offer.default or (offer.quantity.max if offer.quantity else None) or offer.depth_per_quarter
        price = "cannot be held" if offer.unavailable else _price(offer)
        row = [name, offer.status, _cell(size, ",.0f"), price]
        if wide:
            term = (
                _duration(float(offer.term)) if offer.term else f"to {offer.ends.year}" if offer.ends else ""
            )
            row += [offer.kind, ", ".join(offer.chips or offer.hosts), term]
        table.add_row(*row)
    return table


def _price(offer: Offer) -> str:
    if offer.price is None:
        return ""
    for field in ("total", "per_chip_hour", "per_kw_month", "per_chip"):
        value = getattr(offer.price, field)
        if value is not None:
            form = _form(*_annotation(offer.price, field))
            numbers = list(value.values()) if isinstance(value, dict) else [value]
            text = " | ".join(_number(float(number), form) for number in numbers)
            return f"{text} a chip" if field == "per_chip" else text
    return ""


def _annotation(section: Section, name: str) -> tuple[Any, Sequence[Any]]:
    field = type(section).model_fields[name]
    return field.annotation, field.metadata


def porting_table(porting: Mapping[str, Porting]) -> Table:
    """What it takes to run on another software stack."""
    table = _table("stack", ">cost", ">time", ">ramp", ">first day", "confidence")
    for name, item in porting.items():
        numbers = (_money(float(item.cost)), _duration(float(item.time)), _duration(float(item.ramp)))
        table.add_row(name, *numbers, f"{float(item.start_efficiency):.0%}", trust(item))
    return table


def summaries_table(rows: Sequence[Summary]) -> Table:
    """Prices of a chip-hour by chip and kind."""
    table = _table("chip", "kind", ">rows", ">least", ">median", ">most", "latest")
    for row in rows:
        numbers = (f"${number:,.2f}" for number in (row.least, row.median, row.most))
        table.add_row(row.chip, row.kind, str(row.rows), *numbers, row.latest.isoformat())
    return table


def prices_table(rows: Sequence[Price], width: int) -> Table:
    """Dated prices one by one."""
    wide = ("confidence", "source") if width >= WIDE else ()
    table = _table("provider", "chip", "region", "kind", ">$/chip-h", "as of", *wide)
    for row in rows:
        cells = [row.provider, row.chip, row.region or "", row.kind, f"{float(row.usd_per_chip_hour):,.2f}"]
        table.add_row(*cells, row.as_of.isoformat(), *((row.confidence, row.source) if wide else ()))
    return table


def history_table(rows: Sequence[ListPrice]) -> Table:
    """List prices of instances from the day each was first seen."""
    table = _table("provider", "region", "instance", "chip", ">chips", "from", ">$/chip-h")
    for row in rows:
        price = f"{row.usd_per_chip_hour:,.4g}"
        cells = (
            row.provider,
            row.region,
            row.instance,
            row.chip,
            str(row.chips),
            row.as_of.isoformat(),
            price,
        )
        table.add_row(*cells)
    return table


def entry_view(name: str, entry: Section) -> Group:
    """One entry: its texts, then everything else with source, date and confidence where it has them."""
    parts: list[RenderableType] = [Text(name)]
    table = _table("field", "value", "confidence", "as of", "source")
    group = ""
    for leaf in leaves(entry):
        found, (holder, _, last) = leaf.value, leaf.path.rpartition(".")
        if found is None and not holder:
            parts.append(Padding(Text(f"{leaf.path}: {leaf.text}"), (0, 0, 0, 2)))
            continue
        if holder and holder != group:
            table.add_row(holder)
        group = holder
        as_of = found.as_of.strftime("%Y-%m") if found is not None and found.as_of else ""
        confidence, source = (found.confidence, found.source) if found is not None else ("", "")
        table.add_row(f"  {last}" if holder else last, leaf.text, confidence, as_of, source)
    if table.row_count:
        parts += [Text(f"numbers: {trust(entry)}"), table]
    return Group(*parts)
