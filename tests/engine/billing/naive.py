"""A slow, obvious account of a contract: time passes six hours at a time, everything is counted as it happens."""

from __future__ import annotations

from tests.engine.billing.naive_deal import (
    AGAIN,
    CHIPS,
    DECAY,
    KW_STAND_IN,
    LAST,
    MONTHS,
    OPERATION,
    PER_DAY,
    PRICE,
    YEAR,
    Account,
    Deal,
    Tranche,
    committed,
    ends,
    market_at,
    month_of,
    period_of,
    prices,
)


def account(deal: Deal, used: list[float]) -> Account:
    """Everything that the contract pays within the horizon, by line and month."""
    book = Account()
    tranches = [Tranche(0, CHIPS, PRICE)]
    if deal.option is not None and not _over(deal, deal.option[0] * PER_DAY):
        _, come, chips, price, premium = deal.option
        tranches.append(Tranche(come * PER_DAY, chips, price))
        book.pay("premium", deal.option[0] * PER_DAY, premium)
    for tranche in reversed(tranches):
        _live(deal, tranche, tranches[-1] if deal.exchange and tranche is not tranches[-1] else None)
        _credit(book, deal, tranche)
    stand_in = _stand_in(deal, tranches[0])
    everything = [*tranches, *([] if stand_in is None else [stand_in])]
    groups = [everything] if deal.together else [[tranche] for tranche in everything]
    rents = {id(t): usd for group in groups for t, usd in zip(group, _rent(deal, used, group), strict=True)}
    for tranche in everything:
        for month, usd in enumerate(rents[id(tranche)]):
            if usd:
                book.lines.setdefault("commitment", [0.0] * MONTHS)[month] += usd
        _letting(book, tranche)
        _bought(book, tranche)
        _power(book, deal, tranche)
    for tranche in tranches:
        _prepayment(book, deal, tranche, rents[id(tranche)])
        if tranche.status == "left":
            book.pay("termination", tranche.stop, deal.fee * _remaining(deal, tranche, tranche.stop))
    if not any(tranche.status == "defaulted" for tranche in tranches):
        _minimum(book, deal, tranches)
    return book


def _leaves(deal: Deal) -> int | None:
    return None if deal.exit is None else deal.exit * PER_DAY + deal.notice


def _over(deal: Deal, tick: int) -> bool:
    """Whether nothing can be exercised any more at a tick."""
    leaves = _leaves(deal)
    return (leaves is not None and leaves <= tick) or (deal.default is not None and deal.default <= tick)


def _given_up_for_lateness(deal: Deal, planned: int) -> int | None:
    days = []
    if deal.leaves_after is not None:
        days.append(planned + (deal.cure + deal.leaves_after) * PER_DAY)
    if deal.long_stop is not None:
        days.append(max(deal.long_stop * PER_DAY, planned))
    return min(days, default=None)


def _live(deal: Deal, tranche: Tranche, newer: Tranche | None) -> None:
    """What happens to the chips, tick by tick; they leave when newer ones come for them."""
    arrives = tranche.planned + deal.late * PER_DAY
    test = (deal.test + deal.failures * (deal.repeat or deal.test)) * PER_DAY if deal.test else 0
    too_late = _given_up_for_lateness(deal, tranche.planned)
    times = 0
    for tick in range(LAST):
        there = tranche.status in ("there", "free")
        if newer is not None and tick == newer.begin and (there or tranche.status == "bought"):
            tranche.status, tranche.stop, tranche.exchanged = "ended", tick, True
        elif tick == deal.default and (there or tranche.status == "awaited"):
            tranche.status, tranche.stop = "defaulted", tick
        elif tick == _leaves(deal) and (there or tranche.status == "awaited"):
            tranche.status, tranche.stop = "left", tick
        elif tranche.status == "awaited" and tick == too_late and arrives > tick:
            tranche.status, tranche.stop = "terminated", tick
        elif tranche.status == "awaited" and tick == arrives + test:
            tranche.status, tranche.begin = "there", tick
            tranche.end = ends(deal, tranche.planned, tick)
            tranche.price = prices(deal, tick, tranche.first_price, moved=True, ticks=tranche.end - tick)
        elif tranche.status in ("there", "free", "bought"):
            if deal.lets is not None and tick == deal.lets[0] * PER_DAY:
                _lets(deal, tranche, tick)
            if (
                tranche.status == "there"
                and deal.further is not None
                and times < deal.further_times
                and tick == tranche.end - deal.further_notice * PER_DAY
            ):
                times += 1
                _renew(deal, tranche, tick)
            if tranche.status == "there" and tick == tranche.end:
                _ends(deal, tranche, tick)
            elif tranche.status == "free" and tick == tranche.free:
                tranche.status, tranche.stop = "ended", tick


def _lets(deal: Deal, tranche: Tranche, tick: int) -> None:
    """A share of the chips goes to others, in whole racks: sold where they were bought."""
    assert deal.lets is not None
    _, share, discount, haircut = deal.lets
    received = (1 - discount) * (1 - haircut)
    chips = int(tranche.chips // 72 * share + 1e-9) * 72
    if tranche.bought < 0:
        tranche.let = (tick, chips, tranche.first_price * market_at(deal, tick) * received)
        return
    worth = AGAIN * (1 - DECAY) ** ((tick - tranche.bought) / YEAR)
    worth *= market_at(deal, tick) / market_at(deal, tranche.bought)
    tranche.sold = (tick, chips, worth * received)


def _renew(deal: Deal, tranche: Tranche, tick: int) -> None:
    assert deal.further is not None
    price = tranche.price[-1]
    if deal.further_market:
        price = tranche.first_price * market_at(deal, tick)
    price *= 1 + deal.further_change
    tranche.terms.append((tranche.end, tranche.end + deal.further * PER_DAY, price))
    tranche.price += [price] * (deal.further * PER_DAY)
    tranche.end += deal.further * PER_DAY


def _ends(deal: Deal, tranche: Tranche, tick: int) -> None:
    if deal.buys:
        tranche.status, tranche.bought = "bought", tick
        return
    lost = deal.late * PER_DAY if deal.delays_over is not None and deal.late > deal.delays_over else 0
    for begin, ticks in deal.outages:
        length = min(begin + ticks, tick) - max(begin, tranche.begin)
        if deal.outages_over is not None and length > deal.outages_over:
            lost += length
    free = deal.ratio * lost
    assert free == int(free)
    if free:
        tranche.status, tranche.free = "free", tick + int(free)
    else:
        tranche.status, tranche.stop = "ended", tick


def _stops(tranche: Tranche) -> int:
    """When the chips leave, or the horizon ends."""
    return LAST if tranche.stop < 0 else tranche.stop


def _paid_to(tranche: Tranche) -> int:
    """When rent ends."""
    return min(tranche.end, _stops(tranche))


def _stand_in(deal: Deal, tranche: Tranche) -> Tranche | None:
    """The chips that stand in for a late tranche, while it is awaited."""
    if deal.stand_in is None:
        return None
    chips, after, price = deal.stand_in
    come = tranche.planned + after * PER_DAY
    too_late = _given_up_for_lateness(deal, tranche.planned)
    go = tranche.begin if tranche.begin >= 0 else _stops(tranche)
    if deal.late <= after or come >= min(go, LAST) or (too_late is not None and come >= too_late):
        return None
    size = max(round(chips * tranche.chips / CHIPS / 8), 1) * 8
    found = Tranche(
        come, size, price, prepaid=False, kw=KW_STAND_IN, status="ended", begin=come, end=LAST, stop=go
    )
    found.price = prices(deal, come, price, moved=True, ticks=LAST - come)
    return found


def _credit(book: Account, deal: Deal, tranche: Tranche) -> None:
    if tranche.begin < 0 or tranche.begin == tranche.stop:
        return
    daily = tranche.chips * 24 * tranche.first_price
    credit = max(deal.late - deal.cure, 0) * deal.credit * daily
    if deal.credit_cap is not None:
        credit = min(credit, deal.credit_cap * daily * 365.25)
    book.pay("credit", tranche.begin, -credit)


def _rent(deal: Deal, used: list[float], tranches: list[Tranche]) -> list[list[float]]:
    """Rent by month of tranches that are settled together.

    What is used is paid as it is used, the rest in the last month of each period with any hours, shared in
    proportion to the hours of the period.
    """
    rents = [[0.0] * MONTHS for _ in tranches]
    months: list[list[dict[str, float]]] = []
    for tranche, rent in zip(tranches, rents, strict=True):
        months.append(_months(deal, used, tranche))
        for month, sums in enumerate(months[-1]):
            if sums["due"]:
                rent[month] += sums["use"] * sums["cost"] / sums["due"]
    bought: list[list[float]] = []  # [period, hours] paid and not used
    extra: list[list[float]] = []  # [period, hours] used beyond the commitment and paid
    for period in range(period_of(MONTHS - 1, deal.period) + 1):
        span = [month for month in range(MONTHS) if period_of(month, deal.period) == period]
        total = {
            name: sum(each[month][name] for each in months for month in span)
            for name in ("due", "use", "cost", "promise")
        }
        bought = [item for item in bought if item[0] >= period - deal.make_up]
        extra = [item for item in extra if item[0] >= period - deal.carry]
        gap = total["promise"] - total["use"]
        beside = gap if gap > 0 else 0.0
        for bank, wanted in ((extra, max(gap, 0.0)), (bought, max(-gap, 0.0))):
            for item in bank:
                part = min(item[1], wanted)
                item[1] -= part
                wanted -= part
                beside -= part
        if gap > 0 and deal.make_up:
            bought.append([period, beside])
        if gap < 0 and deal.carry:
            extra.append([period, -gap + beside])
        if total["due"]:
            last = max(month for month in span if any(each[month]["due"] for each in months))
            for each, rent in zip(months, rents, strict=True):
                rent[last] += (
                    beside * total["cost"] / total["due"] * sum(each[m]["due"] for m in span) / total["due"]
                )
    return rents


def _months(deal: Deal, used: list[float], tranche: Tranche) -> list[dict[str, float]]:
    """Chip-hours due, used and promised, and the cost of those due, by month."""
    months = [{"due": 0.0, "use": 0.0, "cost": 0.0, "promise": 0.0} for _ in range(MONTHS)]
    begin, stop, price = tranche.begin, _paid_to(tranche), tranche.price
    since = min(tranche.planned, begin) if deal.on_date else begin
    if begin < 0:
        if not deal.on_date or tranche.status not in ("awaited", "defaulted", "left"):
            return months
        since, begin, stop = tranche.planned, LAST, _stops(tranche)
        price = [tranche.first_price]
    elif begin == stop:
        return months
    hours = tranche.chips * 6
    for tick in range(since, min(stop, LAST)):
        sums = months[month_of(tick)]
        share = 1.0 if deal.share is None else used[month_of(tick)]
        sums["due"] += hours
        sums["cost"] += hours * price[max(tick - begin, 0)]
        sums["use"] += hours * share if tick >= begin else 0.0
        sums["promise"] += hours * committed(deal, tick - since)
    return months


def _letting(book: Account, tranche: Tranche) -> None:
    if tranche.let is not None:
        since, chips, price = tranche.let
        for tick in range(since, _stops(tranche)):
            book.pay("resale", tick, -chips * price * 6)


def _bought(book: Account, tranche: Tranche) -> None:
    """Chips that were leased: their price, their operation, and what they are worth at the end."""
    if tranche.bought < 0:
        return
    value = AGAIN * tranche.chips
    book.pay("purchase", tranche.bought, value)
    for tick in range(tranche.bought, _stops(tranche)):
        if tranche.sold is not None and tick == tranche.sold[0]:
            book.pay("resale", tick, -tranche.sold[1] * tranche.sold[2])
            value -= AGAIN * tranche.sold[1]
        book.pay("operation", tick, value * OPERATION / YEAR)
    age = (_stops(tranche) - tranche.bought) / YEAR
    book.pay("salvage", _stops(tranche) - 1, -value * (1 - DECAY) ** age)


def _power(book: Account, deal: Deal, tranche: Tranche) -> None:
    """Power of the chips that are there and not in others' hands, above the price that the contract includes."""
    if deal.power is None or tranche.begin < 0:
        return
    strike, load, pue, refund = deal.power
    gone = tranche.let or tranche.sold
    for tick in range(tranche.begin, _stops(tranche)):
        chips = tranche.chips - (gone[1] if gone is not None and tick >= gone[0] else 0)
        above = deal.power_price[month_of(tick)] - strike
        mwh = chips * tranche.kw * pue * load * 6 / 1000
        book.pay("power", tick, mwh * (above if refund else max(above, 0.0)))


def _prepayment(book: Account, deal: Deal, tranche: Tranche, rent: list[float]) -> None:
    agreed = sum(
        tranche.chips * 6 * price for price in prices(deal, tranche.planned, tranche.first_price, moved=False)
    )
    paid = left = deal.prepaid * agreed
    signed = 0 if tranche.planned == 0 or deal.option is None else deal.option[0] * PER_DAY
    due = max(tranche.planned - deal.before * PER_DAY, signed)
    over = tranche.stop if tranche.status in ("defaulted", "left") else LAST
    if paid == 0 or due >= min(over, LAST):
        return
    book.pay("prepayment", due, paid)
    if tranche.begin >= 0:
        begin, stop = tranche.begin, min(_paid_to(tranche), LAST)
        first, end = begin + deal.credited_after * PER_DAY, ends(deal, tranche.planned, begin)
        ticks = [0] * MONTHS
        for tick in range(begin, stop):
            ticks[month_of(tick)] += 1
        for tick in range(max(first, begin), stop):
            month = month_of(tick)
            part = min(max(rent[month], 0.0) / ticks[month], left)
            if deal.evenly:
                part = paid / (end - first) if tick < end else 0.0
            book.pay("drawdown", tick, -part)
            left -= part
    if left <= 1e-6:
        return
    if tranche.status == "defaulted":
        book.pay("recovery", tranche.stop + deal.recovery_after * PER_DAY, -deal.recovery * left)
    elif tranche.status == "terminated" or (
        (tranche.status == "left" or tranche.exchanged) and deal.refundable
    ):
        book.pay("drawdown", tranche.stop, -left)
    elif tranche.exchanged:
        return
    elif tranche.status == "ended" and deal.fixed and tranche.begin > tranche.planned:
        book.pay("drawdown", tranche.stop - 1, -left)
    elif tranche.status in ("awaited", "there"):
        book.pay("undrawn", LAST - 1, -left)


def _remaining(deal: Deal, tranche: Tranche, at: int) -> float:
    """What the terms would still have cost from a tick on."""
    begin, price = tranche.begin, tranche.price
    if begin < 0:
        begin = tranche.planned + deal.late * PER_DAY
        last = ends(deal, tranche.planned, begin)
        price = prices(deal, begin, tranche.first_price, moved=True, ticks=last - begin)
    since = min(tranche.planned, begin) if deal.on_date else begin
    hours = tranche.chips * 6
    return sum(
        hours * price[tick - begin] * committed(deal, tick - since)
        for tick in range(max(at, begin), begin + len(price))
    )


def _minimum(book: Account, deal: Deal, tranches: list[Tranche]) -> None:
    spend = [
        sum(
            book.lines.get(line, [0.0] * MONTHS)[m]
            for line in ("commitment", "purchase", "power", "termination")
        )
        for m in range(MONTHS)
    ]
    signed = [_signed(deal, tranche) for tranche in tranches]
    kept = [_kept(deal, tranche) for tranche in tranches]
    part = sum(kept) / sum(signed)
    tranches = [tranche for tranche in tranches if tranche.status != "terminated"]
    if not tranches:
        return
    lasts = []
    for tranche in tranches:
        begin = tranche.begin if tranche.begin >= 0 else tranche.planned + deal.late * PER_DAY
        lasts.append(tranche.end if tranche.begin >= 0 else ends(deal, tranche.planned, begin))
    end = max(lasts)
    for year in range(2):
        tick = next(t for t in range(LAST) if month_of(t) == 12 * year)
        if tick < end:
            missing = part * deal.least_a_year - sum(spend[12 * year : 12 * year + 12])
            if missing > 1e-9 * deal.least_a_year:
                last = max(t for t in range(LAST) if month_of(t) == 12 * year + 11)
                book.pay("min_spend", last, missing)
    after = sum(_remaining(deal, t, LAST) for t in tranches if t.stop < 0)
    spent = sum(spend) + sum(book.lines.get("min_spend", [0.0])) + after
    least = deal.least_share * sum(kept) if deal.least_share else part * deal.least
    if least - spent > 1e-9 * least:
        book.pay("min_spend", min(end, LAST) - 1, least - spent)


def _signed(deal: Deal, tranche: Tranche) -> float:
    """What the chips would cost from the plan on, if they were on time and nothing but the escalator moved it."""
    return sum(
        tranche.chips * 6 * price for price in prices(deal, tranche.planned, tranche.first_price, moved=False)
    )


def _kept(deal: Deal, tranche: Tranche) -> float:
    """The same without what the supplier did not bring: given up as too late, or hours before a fixed end."""
    if tranche.status == "terminated":
        return 0.0
    lacked = 0
    if deal.fixed and not deal.on_date:
        lacked = tranche.begin if tranche.begin >= 0 else deal.late * PER_DAY
        if tranche.begin < 0 and tranche.stop >= 0:
            lacked = min(lacked, tranche.stop)
    agreed = prices(deal, tranche.planned, tranche.first_price, moved=False)
    return sum(tranche.chips * 6 * price for price in agreed[lacked:])
