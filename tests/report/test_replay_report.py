"""The report of policies side by side: text of 80 and 120 columns, the chart."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from capsim.engine.replay import measure, replay_trace
from capsim.report.replays import replay_report
from capsim.report.wait_svg import wait_svg
from capsim.study.replays import compare_schedules
from tests.traces import busy_trace


@pytest.mark.parametrize("width", [80, 120])
def test_report_fits_its_width_and_names_every_policy(width: int) -> None:
    trace = busy_trace(200)
    schedules = [replay_trace(trace, policy=name) for name in ("easy", "conservative", "sjf+easy")]
    lines = replay_report(compare_schedules(schedules), ["3 dropped"], width)
    assert max(len(line.text) for line in lines) <= width
    text = "\n".join(line.text for line in lines)
    for word in (
        "easy",
        "conservative",
        "sjf+easy",
        "3 dropped",
        "Bounded slowdown",
        "vs easy",
        "Intervals: 95 %",
    ):
        assert word in text


def test_chart_is_wellformed_and_has_a_bar_for_each_policy_and_class() -> None:
    trace = busy_trace(200)
    rows = [measure(replay_trace(trace, policy=name)) for name in ("fcfs", "easy")]
    root = ElementTree.fromstring(wait_svg(rows))
    titles = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == 2 * 5
    assert any(title.startswith("easy, 16–31 chips: ") for title in titles)


def test_the_legend_of_many_policies_stays_inside_and_each_has_its_own_look() -> None:
    sizes = [{"size": "1", "jobs": 3, "mean": 250_000.0, "p95": 1.0}]
    rows = [
        {"policy": f"a-rather-long-name-{k}+easy", "file": "x.swf", "chips": 8, "wait_by_size": sizes}
        for k in range(11)
    ]
    root = ElementTree.fromstring(wait_svg(rows))
    space = "{http://www.w3.org/2000/svg}"
    names = [text for text in root.iter(f"{space}text") if (text.text or "").startswith("a-rather")]
    assert len(names) == 11
    assert all(float(name.get("x", "0")) + 6 * len(name.text or "") < 840 for name in names)
    bars = [bar for bar in root.iter(f"{space}rect") if bar.find(f"{space}title") is not None]
    assert len({(bar.get("fill"), bar.get("fill-opacity")) for bar in bars}) == 11
    assert max(float(name.get("y", "0")) for name in names) < min(float(bar.get("y", "0")) for bar in bars)
