"""A contract's statement: for a terminal, as JSON and as CSV; each line is quantity × price = amount."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from capsim import __version__
from capsim.engine.statement import Prepaid, Statement, Tranche
from capsim.engine.statement_items import Hours, Item
from capsim.report.layout import Column, Line, blocks, listed, paragraph, tabulate

SCHEMA = "capsim.statement/1"
HEADINGS = ("month", "tranche", "line", "what", "quantity", "unit", "price", "amount", "cumulative")


class Entry(NamedTuple):
    """An item and the sum of the amounts up to it, USD."""

    item: Item
    cumulative: float


def entries(found: Statement) -> list[Entry]:
    """The items with their cumulative amounts, exact in cents."""
    rows, cents = [], 0
    for item in found.items:
        cents += round(item.amount * 100)
        rows.append(Entry(item, cents / 100))
    return rows


def statement_report(found: Sequence[Statement], heading: str, width: int) -> list[Line]:
    """Statements for a terminal of `width` columns, with a summary of several; `heading` names the run."""
    parts = [_statement(one, width) for one in found]
    if len(found) > 1:
        total = sum(round(one.total * 100) for one in found) / 100
        all_of_it = paragraph("TOTAL", f"{_money(total)} of all contracts", width, "bold")
        parts.append([*_summary(found, width), *all_of_it])
    return blocks(paragraph("", heading, width, "bold"), *parts)


def _statement(found: Statement, width: int) -> list[Line]:
    sums = [f"{line} {_money(usd)}" for line, usd in found.by_line().items()]
    kind = f"{found.kind} of {found.provider}, {found.status}" if found.provider else "one-off costs"
    return blocks(
        paragraph("", f"{found.offer}: {kind}", width, "bold"),
        tabulate(_tranche_columns(), found.tranches, width) if found.tranches else [],
        tabulate(_hour_columns(), found.hours, width) if found.hours else [],
        tabulate(_item_columns(), entries(found), width) if found.items else [],
        tabulate(_prepaid_columns(), found.prepaid, width) if found.prepaid else [],
        [
            *listed("By line", sums or ["nothing paid"], width),
            *paragraph("TOTAL", _money(found.total), width, "bold"),
        ],
    )


class _Sum(NamedTuple):
    """A line of the ledger of one contract, USD."""

    offer: str
    line: str
    usd: float


def _summary(found: Sequence[Statement], width: int) -> list[Line]:
    """Every line of every contract."""
    rows = [_Sum(one.offer, line, usd) for one in found for line, usd in one.by_line().items()]
    columns = [
        Column[_Sum]("contract", "", lambda s: s.offer, left=True),
        Column[_Sum]("line", "", lambda s: s.line, left=True),
        Column[_Sum]("amount, $", "", lambda s: f"{s.usd:,.2f}"),
    ]
    return tabulate(columns, rows, width) if rows else []


def statement_json(found: Sequence[Statement], head: dict[str, object], *, every: bool = False) -> str:
    """A statement as JSON, `schema: capsim.statement/1`; of `every` contract `statements` and their `total`.

    Args:
        head: names study, strategy and run.
    """
    records = [_record(one) for one in found]
    body = records[0]
    if every:
        total = sum(round(one.total * 100) for one in found) / 100
        body = {"offer": "all", "statements": records, "total": total}
    return json.dumps({"schema": SCHEMA, "capsim": __version__, **head, **body}, indent=1, allow_nan=False)


def _record(found: Statement) -> dict[str, object]:
    record = dataclasses.asdict(found)
    for row, entry in zip(record["items"], entries(found), strict=True):
        row["cumulative"] = entry.cumulative
    return {**record, "by_line": found.by_line()}


def statement_csv(found: Sequence[Statement], *, every: bool = False) -> str:
    """The items as CSV with one heading line, amounts in cents; of `every` contract with its name."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(["offer", *HEADINGS] if every else HEADINGS)
    for one in found:
        for item, cumulative in entries(one):
            row = [item.month, item.tranche, item.line, item.what, _number(item.quantity), item.unit,
                   _number(item.price), f"{item.amount:.2f}", f"{cumulative:.2f}"]  # fmt: skip
            writer.writerow([one.offer, *row] if every else row)
    return sink.getvalue()


def _money(usd: float) -> str:
    return f"{'-' if usd < 0 else ''}${abs(usd):,.2f}"


def _number(value: float) -> str:
    """A number with all its decimals and no more, never with an exponent."""
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _grouped(value: float) -> str:
    return format(Decimal(_number(value)), ",f")


def _price(item: Item) -> str:
    return "" if not item.unit else _grouped(item.price)


def _quantity(item: Item) -> str:
    return "" if not item.unit else _grouped(item.quantity)


def _tranche_columns() -> Sequence[Column[Tranche]]:
    return [
        Column("tranche", "#", lambda t: t.tranche, left=True),
        Column("system", "", lambda t: t.system, 1, left=True, name="system"),
        Column("chips", "or kW", lambda t: f"{t.quantity:,.0f}"),
        Column("planned", "", lambda t: t.planned),
        Column("delivered", "", lambda t: t.delivered),
        Column("accepted,", "rent starts", lambda t: t.accepted),
        Column("ended", "", lambda t: t.ended, 3, name="ended"),
        Column("price, $", "a unit", lambda t: _grouped(round(t.price, 6))),
        Column("unit", "", lambda t: t.unit, 2, left=True, name="unit"),
        Column("status", "", lambda t: t.status, left=True),
    ]


def _hour_columns() -> Sequence[Column[Hours]]:
    return [
        Column("month", "", lambda h: h.month, left=True),
        Column("chip-hours of", "the contract", lambda h: f"{h.contract:,.0f}"),
        Column("", "committed", lambda h: f"{h.committed:,.0f}"),
        Column("", "used", lambda h: f"{h.used:,.0f}"),
        Column("paid,", "not used", lambda h: f"{h.beside:,.0f}"),
    ]


def _item_columns() -> Sequence[Column[Entry]]:
    return [
        Column("month", "", lambda e: e.item.month, left=True),
        Column("#", "", lambda e: e.item.tranche, 1, left=True, name="# (tranche)"),
        Column("line", "", lambda e: e.item.line, 4, left=True, name="line"),
        Column("what", "", lambda e: e.item.what, left=True),
        Column("quantity", "", lambda e: _quantity(e.item)),
        Column("unit", "", lambda e: e.item.unit, 5, left=True, name="unit"),
        Column("x price, $", "", lambda e: _price(e.item)),
        Column("= amount, $", "", lambda e: f"{e.item.amount:,.2f}"),
        Column("cumulative, $", "", lambda e: f"{e.cumulative:,.2f}", 2, name="cumulative"),
    ]


def _prepaid_columns() -> Sequence[Column[Prepaid]]:
    return [
        Column("prepayment", "", lambda p: p.month, left=True),
        Column("paid, $", "", lambda p: f"{p.paid:,.2f}"),
        Column("drawn down, $", "", lambda p: f"{p.drawn + 0.0:,.2f}"),
        Column("left, $", "", lambda p: f"{p.left:,.2f}"),
    ]
