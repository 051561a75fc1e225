"""A statement as text, JSON and CSV; every form shows the same lines."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re

import pytest

from capsim.engine.statement import Prepaid, Statement, Tranche
from capsim.engine.statement_items import Hours, Item
from capsim.report.statement import entries, statement_csv, statement_json, statement_report

FOUND = Statement(
    offer="quote",
    provider="cloud",
    kind="neocloud",
    status="signed",
    tranches=(
        Tranche("1", "gb300_nvl72", 4608.0, "chip-hour", "delivered", "2026-05-01", "2026-05-15", "2026-05-29", "", 2.55),
    ),
    hours=(Hours("2026-05", 3_428_352.0, 3_428_352.0, 2_390_567.978, 1_037_784.022),),
    prepaid=(Prepaid("2026-02", 1000.0, 0.0, 1000.0),),
    items=(
        Item("2026-05", "1", "commitment", "hours used", 2_390_567.978, "chip-hours", 2.55, 6_095_948.34),
        Item("2026-06", "", "credit", "credit for lateness", 1.0, "", -1_036_800.1, -1_036_800.1),
    ),
    total=5_059_148.24,
)  # fmt: skip


@pytest.mark.parametrize("width", [80, 120])
def test_text_fits_and_shows_each_line(width: int) -> None:
    lines = [line.text for line in statement_report([FOUND], "capsim run lab", width)]
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert "2,390,567.978" in text
    assert re.search(r" 2\.55 +6,095,948\.34", text)
    assert "TOTAL          $5,059,148.24" in text
    assert "commitment $6,095,948.34 | credit -$1,036,800.10" in text
    assert "2026-05-29" in text


def test_csv_can_be_read_back() -> None:
    rows = list(csv.DictReader(io.StringIO(statement_csv([FOUND]))))
    assert [float(row["amount"]) for row in rows] == [item.amount for item in FOUND.items]
    assert float(rows[0]["quantity"]) * float(rows[0]["price"]) == pytest.approx(6_095_948.34, abs=0.005)
    assert rows[-1]["cumulative"] == "5059148.24"


def test_json_has_all_parts() -> None:
    found = json.loads(statement_json([FOUND], {"study": "lab", "run": 0}))
    assert found["schema"] == "capsim.statement/1"
    assert [row["cumulative"] for row in found["items"]] == [e.cumulative for e in entries(FOUND)]
    assert found["by_line"] == {"commitment": 6_095_948.34, "credit": -1_036_800.1}
    assert found["prepaid"][0]["left"] == 1000.0


def test_several_statements_end_in_a_summary_and_name_their_offer() -> None:
    other = dataclasses.replace(FOUND, offer="other", items=FOUND.items[:1], total=6_095_948.34)
    text = "\n".join(line.text for line in statement_report([FOUND, other], "capsim run lab", 80))
    assert "TOTAL          $11,155,096.58 of all contracts" in text
    rows = list(csv.DictReader(io.StringIO(statement_csv([FOUND, other], every=True))))
    assert [row["offer"] for row in rows] == ["quote", "quote", "other"]
    found = json.loads(statement_json([FOUND, other], {"study": "lab"}, every=True))
    assert (found["total"], [one["offer"] for one in found["statements"]]) == (
        11_155_096.58,
        ["quote", "other"],
    )
