"""A deal of `naive` in the words of a study: the terms of its offer, and what the strategy does."""

from __future__ import annotations

import datetime
from typing import Any

from tests.engine.billing.naive_deal import AGAIN, CHIPS, DECAY, OPERATION, Deal


def date(day: int) -> str:
    """A day of the horizon."""
    return (datetime.date(2026, 1, 1) + datetime.timedelta(days=day)).isoformat()


def terms(deal: Deal) -> dict[str, Any]:
    """Keys of the offer."""
    length = {"term": None, "ends": date(deal.term)} if deal.fixed else {"term": f"{deal.term} d"}
    found = {"market": "m", **length, **_price(deal), **_life(deal)}
    return {**found, "delivery": _delivery(deal)}


def plan(deals: dict[str, Deal]) -> dict[str, Any]:
    """Keys of the strategy that holds these deals, by name of the offer."""
    return {
        "terminate": {name: date(deal.exit) for name, deal in deals.items() if deal.exit is not None},
        "renew": {name: "always" for name, deal in deals.items() if deal.further is not None},
        "options": [f"{name}.more" for name, deal in deals.items() if deal.option is not None],
        "resell": [
            {"offer": name, "from": date(d.lets[0]), "share": d.lets[1], "discount": d.lets[2], "haircut": d.lets[3]}
            for name, d in deals.items()
            if d.lets is not None
        ],
    }  # fmt: skip


def _price(deal: Deal) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if deal.share is not None:
        found["take_or_pay"] = {
            "share": deal.share,
            "starts": "on_date" if deal.on_date else "on_delivery",
            "scope": "offer" if deal.together else "tranche",
            "ramp": [{"after": f"{after} d", "share": share} for after, share in deal.ramp],
            "period": deal.period,
            "make_up": deal.make_up or None,
            "carry_forward": deal.carry or None,
        }
    if deal.escalator is not None:
        found["escalator"] = {"rate": f"{deal.escalator}/y"}
    if deal.reset_every:
        found["price_reset"] = {"every": f"{deal.reset_every} d", "share": deal.reset_share}
    if deal.review_every:
        found["most_favoured"] = {"every": f"{deal.review_every} d"}
    if deal.collar is not None:
        found["collar"] = {"down": deal.collar, "up": deal.collar}
    if deal.power is not None:
        strike, load, pue, refund = deal.power
        found["power"] = {"site": "here", "pue": pue}
        found["power_pass_through"] = {
            "strike": f"${strike}/MWh",
            "market": "here",
            "load": load,
            "refund": refund,
        }
    if deal.prepaid:
        found["prepay"] = {
            "share": deal.prepaid,
            "before": f"{deal.before} d",
            "credited_after": f"{deal.credited_after} d",
            "credited": "evenly" if deal.evenly else "as_billed",
            "refundable": deal.refundable,
        }
    if deal.least_share:
        found["min_spend"] = {"per_year": f"${deal.least_a_year}", "share": deal.least_share}
    elif deal.least_a_year or deal.least:
        found["min_spend"] = {"per_year": f"${deal.least_a_year}", "total": f"${deal.least}"}
    return found


def _life(deal: Deal) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if deal.exit is not None:
        found["termination"] = {"fee": deal.fee, "notice": f"{deal.notice * 6} h"}
    if deal.further is not None:
        found["renewal"] = {
            "term": f"{deal.further} d",
            "price": "market" if deal.further_market else "same",
            "change": deal.further_change,
            "notice": f"{deal.further_notice} d",
            "times": deal.further_times,
        }
    if deal.buys:
        found |= {
            "kind": "lease",
            "lease_end": {"action": "purchase", "residual": f"${AGAIN}"},
            "operating_share": OPERATION,
            "residual_per_year": DECAY,
        }
    if deal.option is not None:
        decided, come, chips, price, premium = deal.option
        found["options"] = [
            {
                "name": "more",
                **({"kind": "refresh", "replaces": ["gb200_nvl72"]} if deal.exchange else {}),
                "chip": "gb200_nvl72",
                "quantity": chips,
                "decide": date(decided),
                "deliver": date(come),
                "price": {"per_chip_hour": f"${price}/h"},
                "premium": f"${premium}",
            }
        ]
    return found


def _delivery(deal: Deal) -> dict[str, Any]:
    remedy: dict[str, Any] = {"cure": f"{deal.cure} d"}
    if deal.leaves_after is not None:
        remedy["terminate_after"] = f"{deal.leaves_after} d"
    if deal.long_stop is not None:
        remedy["long_stop"] = date(deal.long_stop)
    if deal.credit:
        remedy |= {"credit_per_day": deal.credit, "credit_cap": deal.credit_cap}
    made: dict[str, Any] = {"ratio": deal.ratio}
    if deal.delays_over is not None:
        made["delays_over"] = f"{deal.delays_over} d"
    if deal.outages_over is not None:
        made["outages_over"] = f"{deal.outages_over * 6} h"
    if deal.stand_in is not None:
        chips, after, price = deal.stand_in
        made["substitute"] = {
            "chip": "h100_hgx",
            "share": chips / CHIPS,
            "after": f"{after} d",
            "price": f"${price}/h",
        }
    found: dict[str, Any] = {"remedy": remedy, "make_good": made}
    if deal.test:
        found["acceptance"] = {
            "duration": f"{deal.test} d",
            "failure": 0.5,
            "repeat": f"{deal.repeat or deal.test} d",
        }
    return found
