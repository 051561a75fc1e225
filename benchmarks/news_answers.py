"""What came out of each study of the news: sentences made of its figures, one function a study."""

from __future__ import annotations

from collections.abc import Callable

from news_backtest import backtest_2025
from news_figures import Found, change, gain, listed, money, paired

Answer = Callable[[Found], list[str]]


def aws_38b(found: Found) -> list[str]:
    """Chips for $38B, and existing capacity against new builds."""
    sizes = ("200k", "230k", "320k", "500k")
    lines = []
    for size in sizes:
        old, new = f"existing-{size}", f"new-{size}"
        lines.append(
            f"**{size} chips**: in all, existing first costs {gain(found.less(old, new))} than new builds: "
            f"cash {change(found.billions('cash_npv', old) - found.billions('cash_npv', new))}, "
            f"work lost and slip {change(_lost(found, old) - _lost(found, new))}."
        )
    lines.append(
        f"From 230k to 500k chips for the same money: {gain(found.less('existing-500k', 'existing-230k'))} "
        f"with existing first, {gain(found.less('new-500k', 'new-230k'))} with new builds."
    )
    beaten = [
        s
        for s in sizes
        if found.billions("total_npv", f"new-{s}") < found.billions("total_npv", "existing-230k")
    ]
    lines.append(
        f"The default (230k, existing first) is beaten on average by new builds of {listed(beaten)}: "
        "enough more chips are worth the wait."
        if beaten
        else "No size of new builds beats the default (230k, existing first) on average."
    )
    idle = found.mean("paid_idle_share", "existing-500k"), found.mean("paid_idle_share", "existing-230k")
    lines.append(
        f"Of the paid chip-hours {100 * idle[0]:.0f} % are idle at 500k and {100 * idle[1]:.0f} % at 230k: "
        "the work of this lab, not the contract, limits what more chips are worth."
    )
    return lines


def first_refusal(found: Found) -> list[str]:
    """The right of first refusal lapsed, kept, and always used."""
    lines, told = [], 0
    for strategy, what in (("aws", "Everything from AWS"), ("both", "Half from each")):
        for case, how in (
            ("kept", "if half of the offers are matched"),
            ("kept-always-matched", "if all are"),
        ):
            saved = paired(found.runs("total_npv", strategy, case), found.runs("total_npv", strategy))
            told += abs(saved[0]) > saved[1]
            lines.append(
                f"**{what}**, {how}: with the right in place the plan would cost {gain(saved)}; supplier "
                f"concentration (HHI) {found.mean('hhi_provider', strategy):,.0f} without and "
                f"{found.mean('hhi_provider', strategy, case):,.0f} with it."
            )
    lines.append(
        f"{told} of these {len(lines)} effects on cost stand out of the noise."
        + (" What the right decides here is who the supplier is, not what it costs." if not told else "")
    )
    cash = found.billions("cash_npv", "aws") - found.billions("cash_npv", "azure")
    lines.append(
        f"The freedom to choose AWS at all: {gain(found.less('aws', 'azure'))} than staying with Azure, "
        "made of "
        f"cash {change(cash)} and work lost and slip {change(_lost(found, 'aws') - _lost(found, 'azure'))}."
    )
    return lines


def neocloud_prepayment(found: Found) -> list[str]:
    """A prepayment of 20 %, and the risk that it is lost."""
    late = _lost(found, "neocloud") - _lost(found, "hyperscaler")
    cash = found.billions("cash_npv", "neocloud") - found.billions("cash_npv", "hyperscaler")
    early = found.less("neocloud", "neocloud-no-prepayment", metric="cash_npv")
    lines = [
        f"In all the neocloud costs {gain(found.less('neocloud', 'hyperscaler'))} than the hyperscaler: cash "
        f"{change(cash)}, work lost and slip {change(late)}. Its price is 1 % lower; "
        + (
            "work that waits for late parts costs more than that saves."
            if late > 0
            else "no more work waits for it."
        ),
        f"The prepayment itself: with it the same contract costs "
        f"{gain(found.less('neocloud', 'neocloud-no-prepayment'))} in all and {gain(early)} in cash"
        + (": it is paid years before it is drawn down." if early[0] < 0 else "."),
    ]
    for case, how in (("default", "4 % a year"), ("default-likely", "12 % a year")):
        saved = paired(found.runs("total_npv", "neocloud", case), found.runs("total_npv", "neocloud"))
        lines.append(
            f"If the neocloud may fail ({how}): the contract costs {gain(saved)} than without that risk, and "
            f"{gain(found.less('neocloud', 'neocloud-no-prepayment', case))} than the one without prepayment."
        )
    return lines


def power_first_300mw(found: Found) -> list[str]:
    """A shell of 300 MW and chips before, with or after it."""
    names = {
        "chips-with-power": "chips for the day power is due",
        "power-first": "Rubin half a year after power",
        "chips-first": "chips half a year before power",
    }
    lines = []
    for name, words in names.items():
        cash = found.billions("cash_npv", name) - found.billions("cash_npv", "rent")
        lines.append(
            f"**{words[0].upper()}{words[1:]}**: in all {gain(found.less(name, 'rent'))} than renting: cash "
            f"{change(cash)}, work lost and slip {change(_lost(found, name) - _lost(found, 'rent'))}; "
            f"owed after 2028 {money(found.billions('stranded', name))} (renting: "
            f"{money(found.billions('stranded', 'rent'))})."
        )
    order = min(names, key=lambda name: found.billions("total_npv", name))
    lines.append(f"The best order on average is {names[order]}.")
    early = found.less("chips-first", "chips-with-power")
    lines.append(
        f"Buying chips early costs {gain(early)} than buying them for the day power is due"
        + (": paid sooner, and dark until the shell comes." if early[0] < 0 else ".")
    )
    return lines


def trainium_for_investment(found: Found) -> list[str]:
    """The boundary over training efficiency and porting delay, with and without the investment."""
    efficiencies, delays = (20, 35, 50), (6, 15, 24)
    equity = found.billions("equity", "trainium", found.results.plan.cases[0])
    cells = {
        (e, d): found.less("trainium", "more-nvidia", f"mfu{e}-port{d}") for e in efficiencies for d in delays
    }
    table = ["", "| training efficiency (MFU) | " + " | ".join(f"porting {d} months" for d in delays) + " |"]
    table.append("|---" * (len(delays) + 1) + "|")
    for e in efficiencies:
        shown = [f"{v:+.1f} ±{h:.1f} ({_verdict(v, h, equity)})" for v, h in (cells[e, d] for d in delays)]
        table.append(f"| {e} % | " + " | ".join(shown) + " |")
    won = [cell for cell, (value, half) in cells.items() if value > half]
    close = [cell for cell, (value, half) in cells.items() if abs(value) <= half]
    lines = [
        "What Trainium saves over more Nvidia, $B in all (negative: it costs more). *Wins* and *loses* are "
        "outside the noise of the runs, *open* is inside; *equity decides* loses on its own and wins with "
        "the "
        f"investment ({money(equity)} after a haircut) counted as a gain, which the totals never do."
    ]
    lines += [*table, ""]
    lines.append(
        f"On its own Trainium beats more Nvidia in {len(won)} of {len(cells)} cells; {len(close)} cannot be "
        "told "
        "apart, in the others it loses."
    )
    best, worst = cells[efficiencies[-1], delays[0]], cells[efficiencies[0], delays[-1]]
    lines.append(
        f"At its best (50 %, 6 months) it costs {gain(best)}, at its worst (20 %, 24 months) {gain(worst)}."
    )
    if worst[0] < 0:
        lines.append(
            f"In the worst cell {-worst[0] / equity:.0%} of the investment, after its haircut, pays for the "
            "loss: that share must be a gain and not the price of shares."
        )
    return lines


def headline_or_binding(found: Found) -> list[str]:
    """What was announced, what binds, and what it costs to count on either."""
    slices = 10.0  # a tenth of every holding is simulated, headlines are whole
    face, signed = found.billions("headline", "headline"), found.billions("headline", "binding")
    counted, bound = (slices * found.billions("binding", name) for name in ("headline", "binding"))
    lines = [
        f"The offers with public terms add up to {money(face)} of headlines; {money(signed)} of them are "
        "signed "
        f"and {money(bound)} bind. Two months after the date of this study the lab told investors about "
        "$600B.",
        f"Counting on the headlines binds {money(counted)}: {money(counted - bound)} are shells leased for "
        "chips "
        "that are only announced.",
    ]
    for case, how in (("none-converts", "none of it becomes capacity"), ("all-convert", "all of it does")):
        lines.append(
            f"Counting on the headlines when {how}: {gain(found.less('headline', 'binding', case))} than "
            "the plan "
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
    return lines


def three_stacks(found: Found) -> list[str]:
    """Three stacks or one, and what a late supplier costs either."""
    names = {"three-stacks": "three stacks", "tpu-only": "TPU only", "trainium-only": "Trainium only"}
    lines = []
    for name, words in names.items():
        cash = found.billions("cash_npv", name) - found.billions("cash_npv", "nvidia-only")
        lines.append(
            f"**{words[0].upper()}{words[1:]}**: in all {gain(found.less(name, 'nvidia-only'))} than Nvidia "
            "only: cash "
            f"{change(cash)}, work lost and slip {change(_lost(found, name) - _lost(found, 'nvidia-only'))}; "
            f"{found.mean('runs_on_time', name):.1f} of 4 training runs on time "
            f"(Nvidia only: {found.mean('runs_on_time', 'nvidia-only'):.1f})."
        )
    late = {
        "trainium-only": "late-trainium", "tpu-only": "late-tpu", "nvidia-only": "late-nvidia"
    }  # fmt: skip
    for name, case in late.items():
        alone = _effect(found, name, case)
        among = _effect(found, "three-stacks", case)
        lines.append(
            f"If the supplier of {name.removesuffix('-only')} is two quarters late: the plan on it alone "
            "costs "
            f"{gain(alone)}, three stacks cost {gain(among)}."
        )
    lines.append(
        f"Supplier concentration (HHI, base fleet apart): {found.mean('hhi_provider', 'three-stacks'):,.0f} "
        "with three, "
        f"{found.mean('hhi_provider', 'nvidia-only'):,.0f} with one. Equity stands apart: "
        f"{money(found.billions('equity', 'three-stacks'))} after haircut with three, "
        f"{money(found.billions('equity', 'nvidia-only'))} with Nvidia only."
    )
    return lines


def _effect(found: Found, strategy: str, case: str) -> tuple[float, float]:
    """What a case saves a strategy (negative: costs), $B, paired."""
    return paired(found.runs("total_npv", strategy, case), found.runs("total_npv", strategy))


def _verdict(value: float, half: float, equity: float) -> str:
    if abs(value) <= half:
        return "open"
    if value > 0:
        return "wins"
    return "equity decides" if value + equity > 0 else "loses"


def _lost(found: Found, strategy: str, case: str = "base") -> float:
    """Work lost and slip, $B."""
    parts = ("lost_tokens_npv", "lost_research_npv", "slip_npv")
    return sum(found.billions(part, strategy, case) for part in parts)


ANSWERS: dict[str, Answer] = {
    "aws-38b": aws_38b,
    "backtest-2025": backtest_2025,
    "first-refusal": first_refusal,
    "headline-or-binding": headline_or_binding,
    "neocloud-prepayment": neocloud_prepayment,
    "power-first-300mw": power_first_300mw,
    "three-stacks": three_stacks,
    "trainium-for-investment": trainium_for_investment,
}
