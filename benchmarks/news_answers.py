"""What came out of each study of the news: sentences made of its figures, one function a study."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from news_backtest import backtest_2025
from news_figures import (
    BILLION,
    Figures,
    capital,
    change,
    consistent,
    flip_command,
    flip_words,
    gain,
    listed,
    money,
    paired,
    told,
    typical,
)
from news_flips import EFFICIENCY, PORTINGS, TALKS


@dataclass(frozen=True)
class Answer:
    """What came out of a study: in one sentence, and line by line."""

    short: str
    lines: list[str]


#: training efficiency of Trainium in the study, a share of the peak.
STUDIED = 0.35
#: a share of idle chip-hours from which work and not chips is short.
MOSTLY = 0.5


def parts(found: Figures, first: str, second: str, case: str = "base") -> str:
    """What a difference of totals is made of."""
    cash = found.billions("cash_npv", first, case) - found.billions("cash_npv", second, case)
    lost = found.lost(first, case) - found.lost(second, case)
    return f"cash {change(cash)}, work lost and slip {change(lost)}"


def aws_38b(found: Figures) -> Answer:
    """Chips for $38B, and existing capacity against new builds."""
    sizes = ("200k", "230k", "320k", "500k")
    lines, sure = [], []
    for size in sizes:
        old, new = f"existing-{size}", f"new-{size}"
        less = found.less(old, new)
        if told(less) and less[0] > 0:
            sure.append(size)
        lines.append(
            f"**{size} chips**: in all, existing first costs {gain(less)} than new builds: "
            f"{parts(found, old, new)}."
        )
    more = found.less("existing-500k", "existing-230k")
    lines.append(
        f"From 230k to 500k chips for the same money: {gain(more)} "
        f"with existing first, {gain(found.less('new-500k', 'new-230k'))} with new builds."
    )
    beaten = [s for s in sizes if told(less := found.less(f"new-{s}", "existing-230k")) and less[0] > 0]
    lines.append(
        f"The default (230k, existing first) is beaten by new builds of {listed(beaten)}: "
        "enough more chips are worth the wait."
        if beaten
        else "No size of new builds surely beats the default (230k, existing first)."
    )
    idle = found.mean("paid_idle_share", "existing-500k"), found.mean("paid_idle_share", "existing-230k")
    lines.append(
        f"Of the paid chip-hours {100 * idle[0]:.0f} % are idle at 500k and {100 * idle[1]:.0f} % at 230k"
        + (
            ": the work of this lab, not the contract, limits what more chips are worth."
            if idle[0] > MOSTLY
            else "."
        )
    )
    lines += [flip_words("aws-38b", flip) for flip in found.flips]
    exists = (
        f"Capacity that exists is worth more than new builds at {listed(sure)} chips"
        if sure
        else "Existing capacity and new builds cannot be told apart"
    )
    return Answer(f"{exists}; 500k chips for the same money cost {gain(more)} than 230k.", lines)


def first_refusal(found: Figures) -> Answer:
    """The right of first refusal lapsed, kept, and always used; with room to spare and short of chips."""
    lines, dear, cheap = [], 0, 0
    for strategy, what in (("aws", "Everything from AWS"), ("both", "Half from each")):
        for case, base, how in (
            ("kept", "base", "if half of the offers are matched"),
            ("kept-always-matched", "base", "if all are"),
            ("short-kept", "short", "if half are and the lab is short of chips"),
        ):
            saved = found.saved(strategy, case, base)
            sure = consistent(saved)
            dear, cheap = dear + (sure and np.median(saved) < 0), cheap + (sure and np.median(saved) > 0)
            cash = found.runs("cash_npv", strategy, case) - found.runs("cash_npv", strategy, base)
            lines.append(
                f"**{what}**, {how}: with the right in place the plan costs {typical(saved)}, on average "
                f"{gain(found.effect(strategy, case, base))}; cash "
                f"{change(float(np.median(cash)) / BILLION)} in "
                "the median world; supplier concentration (HHI) "
                f"{found.mean('hhi_provider', strategy, base):,.0f} "
                f"without and {found.mean('hhi_provider', strategy, case):,.0f} with it."
            )
    lines.append(
        f"By their signs {dear + cheap} of these {len(lines)} effects are no chance: with the right the plan "
        f"costs more in {dear} and less in {cheap}"
        + (", where a month of rent is worth more than a month of chips." if cheap else ".")
    )
    lines.append(
        f"The freedom to choose AWS at all: {gain(found.less('aws', 'azure'))} than staying with Azure "
        f"({parts(found, 'aws', 'azure')}); short of chips {gain(found.less('aws', 'azure', 'short'))} "
        f"({parts(found, 'aws', 'azure', 'short')})."
    )
    lines += [flip_words("first-refusal", flip) for flip in found.flips]
    hhi = [found.mean("hhi_provider", "both", case) for case in ("base", "kept")]
    return Answer(
        f"The right decides who supplies (HHI {hhi[0]:,.0f} without, {hhi[1]:,.0f} with it, for a lab "
        "that wants "
        f"two). On cost, with it in place: {typical(found.saved('aws', 'kept'))} where there are chips to "
        "spare, "
        f"{typical(found.saved('both', 'short-kept', 'short'))} where two suppliers are short of them.",
        lines,
    )


def neocloud_prepayment(found: Figures) -> Answer:
    """A prepayment of 20 %, and the risk that it is lost."""
    all_in = found.less("neocloud", "hyperscaler")
    late = found.lost("neocloud") - found.lost("hyperscaler")
    early = found.less("neocloud", "neocloud-no-prepayment", metric="cash_npv")
    alone = found.less("neocloud", "neocloud-no-prepayment")
    lines = [
        f"In all the neocloud costs {gain(all_in)} than the hyperscaler: "
        f"{parts(found, 'neocloud', 'hyperscaler')}. Its price is 1 % lower; "
        + (
            "work that waits for late parts costs more than that saves."
            if late > 0
            else "no more work waits for it."
        ),
        f"The prepayment itself: with it the same contract costs {gain(alone)} in all and {gain(early)} "
        "in cash" + (": it is paid years before it is drawn down." if early[0] < 0 else "."),
    ]
    for case, how in (("default", "4 % a year"), ("default-likely", "12 % a year")):
        saved = paired(found.runs("total_npv", "neocloud", case), found.runs("total_npv", "neocloud"))
        lines.append(
            f"If the neocloud may fail ({how}): the contract costs {gain(saved)} than without that risk, and "
            f"{gain(found.less('neocloud', 'neocloud-no-prepayment', case))} than the one without prepayment."
        )
    lines += [flip_words("neocloud-prepayment", flip) for flip in found.flips]
    return Answer(
        f"The neocloud costs {gain(all_in)} than the hyperscaler; the prepayment alone makes its cash cost "
        f"{gain(early)}.",
        lines,
    )


def power_first_300mw(found: Figures) -> Answer:
    """A shell of 300 MW and chips before, with or after it."""
    names = {
        "chips-with-power": "chips for the day power is due",
        "power-first": "Rubin half a year after power",
        "chips-first": "chips half a year before power",
    }
    lines = []
    for name, words in names.items():
        lines.append(
            f"**{capital(words)}**: in all {gain(found.less(name, 'rent'))} than renting: "
            f"{parts(found, name, 'rent')}; owed after 2028 {money(found.billions('stranded', name))} "
            "(renting: "
            f"{money(found.billions('stranded', 'rent'))})."
        )
    best = min(names, key=lambda name: found.billions("total_npv", name))
    lines.append(f"The best order on average is {names[best]}.")
    early = found.less("chips-first", "chips-with-power")
    lines.append(
        f"Buying chips early costs {gain(early)} than buying them for the day power is due"
        + (": paid sooner, and dark until the shell comes." if early[0] < 0 else ".")
    )
    lines += [flip_words("power-first-300mw", flip) for flip in found.flips]
    return Answer(
        f"The best order, {names[best]}, costs {gain(found.less(best, 'rent'))} than renting.", lines
    )


def trainium_for_investment(found: Figures) -> Answer:
    """The boundary over training efficiency and porting delay, with and without the investment."""
    cells = {
        (mfu, port): found.less("trainium", "more-nvidia", case)
        for port in PORTINGS
        for mfu, case in ((20, f"mfu20-{port}"), (35, port), (50, f"mfu50-{port}"))
    }
    equity = found.billions("equity", "trainium", PORTINGS[0])
    lines = [
        "What Trainium saves over more Nvidia, $B in all (negative: it costs more), and the price a "
        "chip-hour at "
        "which both would cost the same. *Wins* and *loses* are outside the noise of the runs, *open* is "
        "inside; *equity decides* loses on its own and wins with the "
        f"investment ({money(equity)} after a haircut) counted as a gain, which the totals never do.",
        "",
        "| training efficiency (MFU) | porting " + " | porting ".join(map(_months, PORTINGS)) + " |",
        "|---" * (len(PORTINGS) + 1) + "|",
    ]
    price = found.flip(TALKS, PORTINGS[0]).value
    for mfu in (20, 35, 50):
        row = []
        for port in PORTINGS:
            value, half = cells[mfu, port]
            even = price * (1 + value / found.billions("commitment", "trainium", _case(mfu, port)))
            at = f"${even:.2f}/h" if even > 0 else "not even free"
            row.append(f"{value:+.2f} ±{half:.2f} ({verdict(value, half, equity)}, {at})")
        lines.append(f"| {mfu} % | " + " | ".join(row) + " |")
    won = [cell for cell, (value, half) in cells.items() if value > half]
    lost = [cell for cell, (value, half) in cells.items() if value < -half]
    lines += [
        "",
        f"On its own Trainium beats more Nvidia in {len(won)} of {len(cells)} cells, loses in {len(lost)} "
        "and "
        f"cannot be told apart in {len(cells) - len(won) - len(lost)}.",
        *(_frontier(found, port) for port in PORTINGS),
        *(flip_words("trainium-for-investment", found.flip(TALKS, port)) for port in PORTINGS),
    ]
    worst = min(cells.values())
    if worst[0] < 0 < equity:
        lines.append(
            f"In the worst cell {-worst[0] / equity:.0%} of the investment, after its haircut, pays for the "
            "loss: that share must be a gain and not the price of shares."
        )
    return Answer(_trainium_short(found, len(won), len(cells)), lines)


def _trainium_short(found: Figures, won: int, cells: int) -> str:
    prices = {port: found.flip(TALKS, port) for port in PORTINGS}
    pays = [
        f"below {flip.root_shown} with {_months(port)} of porting"
        for port, flip in prices.items()
        if flip.root is not None and flip.below == "trainium"
    ]
    never = [_months(port) for port, flip in prices.items() if flip.root is None and flip.below != "trainium"]
    text = (
        f"At {prices[PORTINGS[0]].value_shown} Trainium beats more Nvidia on its own in {won} of {cells} "
        "cells of "
        "efficiency and porting delay"
    )
    needs = [
        f"{flip.root / (flip.value / STUDIED):.0%} with {_months(port)}"
        for port in PORTINGS
        if (flip := found.flip(EFFICIENCY, port)).root is not None and flip.below == "more-nvidia"
    ]
    if needs:
        text += f"; it would have to train at {listed(needs)} of porting"
    if pays:
        text += f"; at {STUDIED:.0%} efficiency it does {listed(pays)}"
    if never:
        text += f"; at no price that was searched with {listed(never)} of porting"
    return f"{text}."


def _months(port: str) -> str:
    return f"{port.removeprefix('port')} months"


def _case(mfu: int, port: str) -> str:
    return port if mfu == 35 else f"mfu{mfu}-{port}"


def _frontier(found: Figures, port: str) -> str:
    """At which training efficiency Trainium and more Nvidia cost the same after this delay."""
    flip = found.flip(EFFICIENCY, port)
    peak = flip.value / STUDIED
    text = f"**Porting of {_months(port)}**: "
    if flip.root is None:
        winner = "Trainium" if flip.below == "trainium" else "more Nvidia"
        ends = " to ".join(f"{end / peak:.0%}" for end in flip.searched)
        text += f"they swap at no training efficiency from {ends}, {winner} stays cheaper"
    else:
        low, high = (
            f"{end / peak:.0%}" if math.isfinite(end) else "not bounded" for end in (flip.low, flip.high)
        )
        side = "above" if flip.below == "more-nvidia" else "below"
        text += (
            f"they cost the same at a training efficiency of {flip.root / peak:.0%} ({low} to {high}), "
            f"Trainium is cheaper {side} it"
        )
    return f"{text} ({flip_command('trainium-for-investment', flip)})."


def verdict(value: float, half: float, equity: float) -> str:
    """wins, loses, open, or decided by the investment."""
    if abs(value) <= half:
        return "open"
    if value > 0:
        return "wins"
    return "equity decides" if value + equity > 0 else "loses"


def headline_or_binding(found: Figures) -> Answer:
    """What was announced, what binds, and what it costs to count on either."""
    slices = 1 / found.shares["headline"]  # headlines are whole, what binds is of the slice
    face, signed = found.billions("headline", "headline"), found.billions("headline", "binding")
    counted, bound = (slices * found.billions("binding", name) for name in ("headline", "binding"))
    lines = [
        f"The offers with public terms add up to {money(face)} of headlines; {money(signed)} of them are "
        f"signed and {money(bound)} bind. Two months after the date of this study the lab told investors "
        "about "
        "$600B.",
        f"Counting on the headlines binds {money(counted)}: {money(counted - bound)} are shells leased for "
        "chips that are only announced.",
    ]
    effects = {}
    for case, how in (("none-converts", "none of it becomes capacity"), ("all-convert", "all of it does")):
        effects[case] = found.less("headline", "binding", case)
        lines.append(
            f"Counting on the headlines when {how}: {gain(effects[case])} than the plan "
            "with signed contracts only."
        )
    cover = found.less("binding-and-overflow", "binding")
    lines.append(
        f"Signed contracts with one-year blocks on top cost {gain(cover)} than without them"
        + (
            ": cover beats hope."
            if cover[0] > cover[1] and cover[0] > found.less("headline", "binding")[0]
            else "."
        )
    )
    lines += [flip_words("headline-or-binding", flip) for flip in found.flips]
    return Answer(
        f"Of {money(face)} with public terms {money(bound)} bind; counting on the rest costs "
        f"{gain(effects['none-converts'])} when none of it comes and {gain(effects['all-convert'])} when "
        "all does.",
        lines,
    )


def three_stacks(found: Figures) -> Answer:
    """Three stacks or one, and what a late supplier costs either."""
    one = {"trainium-only": "Trainium", "tpu-only": "TPU", "nvidia-only": "Nvidia"}
    lines = []
    runs = found.mean("runs_total", "nvidia-only")
    for name, words in (("three-stacks", "Three stacks"), *((n, f"{one[n]} only") for n in list(one)[:2])):
        saved = (found.runs("total_npv", "nvidia-only") - found.runs("total_npv", name)) / BILLION
        lines.append(
            f"**{words}**: against Nvidia only {typical(saved)}, on average "
            f"{gain(found.less(name, 'nvidia-only'))}: "
            f"{parts(found, name, 'nvidia-only')}; {found.mean('runs_on_time', name):.1f} of {runs:.0f} "
            "training "
            f"runs on time (Nvidia only: {found.mean('runs_on_time', 'nvidia-only'):.1f})."
        )
    worst = {name: float(found.runs("total_npv", name).max()) / BILLION for name in ("three-stacks", *one)}
    singles = listed([f"{money(worst[name])} with {words} only" for name, words in one.items()])
    lines.append(
        f"In its worst of {found.count} worlds the plan costs {money(worst['three-stacks'])} with three "
        "stacks, "
        f"{singles}."
    )
    spared = []
    for name, words in one.items():
        case = f"late-{name.removesuffix('-only')}"
        alone, among = found.saved(name, case), found.saved("three-stacks", case)
        spared.append(float(np.median(among - alone)))
        lines.append(
            f"If the supplier of {words} is two quarters late: the plan on it alone costs "
            f"{typical(alone)}, on "
            f"average {gain(found.effect(name, case))}; three stacks cost {typical(among)}, on average "
            f"{gain(found.effect('three-stacks', case))}."
        )
    lines.append(
        "Supplier concentration (HHI, base fleet apart): "
        f"{found.mean('hhi_provider', 'three-stacks'):,.0f} with three, "
        f"{found.mean('hhi_provider', 'nvidia-only'):,.0f} with one. Equity stands apart: "
        f"{money(found.billions('equity', 'three-stacks'))} after haircut with three, "
        f"{money(found.billions('equity', 'nvidia-only'))} with Nvidia only."
    )
    lines += [flip_words("three-stacks", flip) for flip in found.flips]
    safest = min(worst, key=lambda name: worst[name])
    return Answer(
        f"On average three stacks cost {gain(found.less('three-stacks', 'nvidia-only'))} than Nvidia "
        "only; in the "
        f"worst world {money(worst['three-stacks'])} against {singles}"
        + (": what they buy is the bad case." if safest == "three-stacks" else ".")
        + f" A supplier that is two quarters late costs them {money(abs(sum(spared) / len(spared)))} "
        f"{'less' if sum(spared) >= 0 else 'more'} than those who depend on it alone (median, mean of the "
        "three).",
        lines,
    )


def backtest(found: Figures) -> Answer:
    """What the study of December 2025 said, and what came."""
    return Answer(*backtest_2025(found))


ANSWERS: dict[str, Callable[[Figures], Answer]] = {
    "aws-38b": aws_38b,
    "backtest-2025": backtest,
    "first-refusal": first_refusal,
    "headline-or-binding": headline_or_binding,
    "neocloud-prepayment": neocloud_prepayment,
    "power-first-300mw": power_first_300mw,
    "three-stacks": three_stacks,
    "trainium-for-investment": trainium_for_investment,
}
