"""The arithmetic of offers against figures worked out by hand."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from capsim.compile.books import books, close, held_by_system, held_chips, length_ms, money, option_cost
from capsim.spec.hardware import System
from capsim.spec.offers import Offer
from capsim.spec.strategies import Order

HOURS_A_YEAR = 8766.0
SYSTEMS = {
    name: System.model_validate({"chip": "c", "node": 4, "domain": 72, "block_domains": 8, "kw_per_chip": kw})
    for name, kw in (("a", 2.5), ("b", 2.0))
}


def offer(**fields: Any) -> Offer:
    base: dict[str, Any] = {"provider": "p", "kind": "cloud", "status": "signed", "chips": {"a": "100%"}}
    return Offer.model_validate(base | fields)


def test_a_price_per_hour_gives_the_value() -> None:
    entry = books(offer(term="5y", price={"per_chip_hour": "$2/h"}), SYSTEMS, 1000)
    assert entry is not None
    assert entry.chip_hours == 1000 * 5 * HOURS_A_YEAR
    assert entry.value == 2 * 1000 * 5 * HOURS_A_YEAR
    assert entry.kw == 2500 and entry.years == 5 and not entry.derived
    assert entry.arithmetic() == "1,000 chips x 5.00 y x 8,766 h x $2.00/chip-hour = $87.66M"


def test_a_total_gives_the_price_over_the_ramp() -> None:
    # 38 B over 230,040 chips that arrive 20/40/40 % and all end on 2032-11-03: 6.47 years on average, $2.91.
    entry = books(
        offer(
            ends="2032-11-03",
            price={"total": "$38B"},
            tranches=[
                {"at": "2025-11-03", "share": "20%"},
                {"at": "2026-04", "share": "40%"},
                {"at": "2026-10", "share": "40%"},
            ],
        ),
        SYSTEMS,
        230_040,
    )
    assert entry is not None and entry.derived and entry.price is not None
    days = [
        (datetime.date(2032, 11, 3) - d).days
        for d in (datetime.date(2025, 11, 3), datetime.date(2026, 4, 1), datetime.date(2026, 10, 1))
    ]
    hours = 24 * 230_040 * (0.2 * days[0] + 0.4 * days[1] + 0.4 * days[2])
    assert entry.price == pytest.approx(38e9 / hours)
    assert "= $2.91/chip-hour (derived)" in entry.arithmetic()


def test_prices_by_system_and_mixed_tranches() -> None:
    mixed = offer(
        chips={"a": "50%", "b": "50%"},
        term="1y",
        price={"per_chip_hour": {"a": "$3/h", "b": "$1/h"}},
        tranches=[{"at": "2026", "share": "50%"}, {"at": "2027", "share": "50%", "chips": {"b": 1.0}}],
    )
    entry = books(mixed, SYSTEMS, 400)
    assert held_by_system(mixed, 400) == {"a": 100, "b": 300}
    assert entry is not None
    assert entry.value == pytest.approx((100 * 3 + 300 * 1) * HOURS_A_YEAR)
    assert entry.kw == 100 * 2.5 + 300 * 2.0


def test_shells_and_bought_chips() -> None:
    shell = offer(
        kind="powered_shell",
        term="15y",
        price={"per_kw_month": "$148/kW-mo"},
        power={"site": "s", "it": "207 MW"},
        tranches=[{"at": "2026-07", "share": "50%"}, {"at": "2026-12", "share": "50%"}],
    )
    entry = books(shell, SYSTEMS, 1)
    assert entry is not None and entry.value == pytest.approx(207e3 * 148 * 180)
    assert money(entry.value) == "$5.514B"
    bought = books(offer(kind="purchase", price={"per_chip": "$50k"}), SYSTEMS, 400_032)
    assert bought is not None and bought.value == 400_032 * 50e3


def test_what_is_not_stated_is_not_invented() -> None:
    assert books(offer(term="5y"), SYSTEMS, 10) is None
    entry = books(offer(price={"per_chip_hour": "$2/h"}), SYSTEMS, 10)
    assert entry is not None and entry.value is None and entry.chip_hours is None
    entry = books(offer(term="1y", price={"per_chip_hour": {"b": "$2/h"}}), SYSTEMS, 10)
    assert entry is not None and entry.value is None
    assert length_ms(offer(ends="2030"), None) is None


@pytest.mark.parametrize(
    ("held", "chips"),
    [("min", 144), ("max", 720), (145, 216), (144, 144), (0, 0), ([("a", 72), ("a", 144)], 216)],
)
def test_holdings_in_lots(held: Any, chips: float) -> None:
    if isinstance(held, list):
        held = [Order.model_validate({"chip": c, "quantity": q, "at": "2026"}) for c, q in held]
    assert held_chips(offer(quantity={"min": 144, "max": 720, "lot": 72}), held) == chips


def test_an_option_costs_its_premium_and_its_hours() -> None:
    option = {
        "name": "more",
        "chip": "a",
        "quantity": 100,
        "decide": "2026",
        "deliver": "2027",
        "premium": "$1M",
    }
    hourly = offer(term="2y", options=[option | {"price": {"per_chip_hour": "$3/h"}}])
    assert option_cost(hourly, hourly.options[0]) == pytest.approx(1e6 + 100 * 3 * 2 * HOURS_A_YEAR)
    total = offer(options=[option | {"price": {"total": "$5M"}}])
    assert option_cost(total, total.options[0]) == 6e6
    unknown = offer(options=[option | {"price": {"per_chip_hour": "$3/h"}}])
    assert option_cost(unknown, unknown.options[0]) is None


def test_figures_agree_within_two_per_cent() -> None:
    assert close(100, 98.1) and not close(100, 97.9)


def test_an_escalator_is_in_the_value() -> None:
    entry = books(
        offer(term="5y", price={"per_chip_hour": "$2/h"}, escalator={"rate": "3%/y"}), SYSTEMS, 1000
    )
    # five years at 2.00 x (1, 1.03, 1.0609, 1.092727, 1.12550881): 5.30913581 years at $2.00
    assert entry is not None and entry.value == pytest.approx(1000 * HOURS_A_YEAR * 2 * 5.30913581)
    assert entry.price == pytest.approx(2 * 5.30913581 / 5)
    shell = offer(
        kind="powered_shell",
        chips={},
        term="2y",
        price={"per_kw_month": "$100/kW-mo"},
        power={"site": "x", "it": "10 MW"},
        tranches=[{"at": "2026-01-01", "share": "100%"}],
        escalator={"rate": "10%/y"},
    )
    found = books(shell, SYSTEMS, 1)
    # 10,000 kW x 12 months x ($100 + $110)
    assert found is not None and found.value == pytest.approx(10_000 * 12 * 210)
    assert found.price == pytest.approx(105.0)


def test_a_price_table_is_in_the_value() -> None:
    table = {
        "volume": {"steps": [{"from": 600, "discount": "10%"}]},
        "term": [{"from": "3y", "discount": "5%"}],
    }
    entry = books(offer(term="5y", price={"per_chip_hour": "$2/h"}, price_table=table), SYSTEMS, 1000)
    # 600 chips at $2.00 and 400 at $1.80, less 5 %
    hourly = (600 * 2.00 + 400 * 1.80) * 0.95
    assert entry is not None and entry.value == pytest.approx(hourly * 5 * HOURS_A_YEAR)
    bought = books(offer(kind="purchase", price={"per_chip": "$50k"}, price_table=table), SYSTEMS, 1000)
    # 600 at $50,000 and 400 at $45,000; a purchase has no term
    assert bought is not None and bought.value == pytest.approx(600 * 50e3 + 400 * 45e3)
