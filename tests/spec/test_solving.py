"""Chips and terms solved from value and price, by hand."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from capsim.spec.offers import Offer
from capsim.units import DAY_MS


def offer(**fields: Any) -> Offer:
    base: dict[str, Any] = {
        "provider": "p",
        "kind": "cloud",
        "status": "signed",
        "chips": {"a": "100%"},
        "price": {"per_chip_hour": "$2.91/h"},
    }
    return Offer.model_validate(base | fields)


def test_chips_from_value_and_price() -> None:
    found = offer(term="5y", solve={"unknown": "chips", "value": "$9.7B", "lot": 72})
    # $9.7B / (43,830 h x $2.91) = 76,051 chips, in racks of 72: 76,032 (1,056 racks)
    assert found.default == 76_032 and found.quantity is not None
    assert (found.quantity.min, found.quantity.max, found.quantity.lot) == (1, 76_032, 72)
    assert found.default.confidence == "derived"
    # a study written out states what was solved, and loads again
    assert Offer.model_validate(found.model_dump(mode="json", by_alias=True, exclude_none=True)) == found


def test_chips_over_a_ramp_to_a_common_end() -> None:
    tranches = [{"at": "2026-01-01", "share": "50%"}, {"at": "2027-01-01", "share": "50%"}]
    found = offer(
        ends="2028-01-01",
        tranches=tranches,
        price={"per_chip_hour": "$1/h"},
        solve={"unknown": "chips", "value": "$13.14M"},
    )
    # a chip costs (730 + 365) / 2 x 24 = 13,140 h x $1
    assert found.default == 1_000


def test_the_term_from_value_and_chips() -> None:
    found = offer(
        default=1_000, price={"per_chip_hour": {"a": "$2/h"}}, solve={"unknown": "term", "value": "$4.8M"}
    )
    # $4.8M / (1,000 x $2) = 2,400 h = 100 days
    assert found.term == 100 * DAY_MS and found.term.confidence == "derived"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"term": "5y", "quantity": {"min": 1, "max": 5, "lot": 1}}, "quantity is stated and solved"),
        ({"term": "5y", "price": {"total": "$1B"}}, "solve without a price per chip-hour"),
        ({}, "solved chips need a length of the contract"),
        ({"term": "5y", "escalator": {"rate": "3%/y"}}, "a price that is not one number"),
    ],
)
def test_what_cannot_be_solved(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        offer(solve={"unknown": "chips", "value": "$1B"}, **fields)
