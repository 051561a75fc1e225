"""Bridges between any two strategies, from results and from a run folder."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
import synthetic
from comparing import compare_in

from capsim.errors import InputError
from capsim.report.between import between_json, between_report
from capsim.results.reading import Results
from capsim.study.between import between, read_comparison

CONTEXT = synthetic.context()
NAMES = [strategy.strategy for strategy in synthetic.MENU]


def totals(results: Results, *names: str) -> tuple[float, float]:
    first, second = (float(results.metric("total_npv", name, "base").mean()) for name in names)
    return first, second


def numbers(text: str) -> list[float]:
    cells = [cell.replace(",", "") for cell in text.split()]
    return [float(cell) for cell in cells if cell.lstrip("+-").replace(".", "").isdigit()]


@pytest.mark.parametrize("pair", list(itertools.permutations(NAMES, 2)))
def test_chip_time_closes_exactly(results: Results, pair: tuple[str, str]) -> None:
    found = between(results, CONTEXT, *pair, "base")
    assert found.productive[0] + sum(found.chip_time.values()) == found.productive[1]
    assert found.cost.difference == pytest.approx(totals(results, *pair)[1] - totals(results, *pair)[0])


@pytest.mark.parametrize("width", [80, 120])
def test_printed_steps_sum_as_printed(results: Results, width: int) -> None:
    pair = ("azure", "neocloud")
    lines = between_report(between(results, CONTEXT, *pair, "base"), totals(results, *pair), CONTEXT, width)
    texts = [line.text for line in lines]
    assert max(map(len, texts)) <= width
    for heading in ("TOTAL cost", "productive k chip-hours"):
        first = next(i for i, text in enumerate(texts) if text.strip().startswith(heading))
        last = next(i for i, text in enumerate(texts) if i > first and text.strip().startswith("neocloud"))
        start = numbers(texts[first + 1])[0]
        steps = [numbers(text)[-2:] for text in texts[first + 2 : last]]
        added, end = numbers(texts[last])
        assert steps
        assert sum(adds for adds, _ in steps) == pytest.approx(added)
        assert start + added == pytest.approx(end)
        assert steps[-1][1] == pytest.approx(end)


def test_a_line_moves_when_its_input_does(tmp_path: Path) -> None:
    dear = compare_in(tmp_path / "dear", runs=3, extra_cash={"egress": 5e9})
    found = between(dear, CONTEXT, "azure", "multi", "base")
    assert next(line.usd for line in found.cost.lines if line.name == "egress") == 0.0
    changed = compare_in(tmp_path / "more", runs=3, lost=9e9)
    lines = {line.name: line.usd for line in between(changed, CONTEXT, "azure", "multi", "base").cost.lines}
    assert abs(lines["lost tokens"]) < 1e9
    plain = {line.name: line.usd for line in found.cost.lines}
    assert plain["lost tokens"] < -1e9


def test_json(results: Results) -> None:
    found = between(results, CONTEXT, "azure", "multi", "base")
    record = json.loads(between_json(found, totals(results, "azure", "multi"), CONTEXT))
    steps = record["chip_time"]["steps"]
    assert sum(steps.values()) == record["chip_time"]["productive"][1] - record["chip_time"]["productive"][0]
    assert {line["workload"] for line in record["work"]} >= {"research", "chat", "R1"}


def test_a_folder_that_is_not_finished_or_lacks_a_strategy_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "done"
    compare_in(folder, runs=2)
    with pytest.raises(InputError, match="has no 'nobody'"):
        read_comparison(folder, ("azure", "nobody"), None)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"status": "interrupted"}))
    with pytest.raises(InputError, match="not a finished comparison"):
        read_comparison(folder, ("azure", "multi"), None)


def test_a_real_run_folder_is_enough(tmp_path: Path) -> None:
    import contextlib

    from capsim.study.session import perform
    from capsim.study.setup import Request, set_up

    pair = ("big-cloud", "wait")
    setup = set_up(Request("quickstart", strategies=pair, runs=1))
    quiet = lambda count: contextlib.nullcontext(lambda done: None)  # noqa: E731
    done = perform(setup, command="", progress=quiet, out=tmp_path / "run", resume=False, workers=1)
    results, context = read_comparison(tmp_path / "run", pair, None)
    fresh = between(done.results, setup.context, *pair, "base")
    kept = between(results, context, *pair, "base")
    assert kept == fresh
    assert results.digest == done.results.digest
    assert (context.digest, context.name) == (setup.context.digest, "quickstart")
