"""Loading studies: every problem at once with its place, includes, cases, options and the decision date."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest

from capsim.errors import StudyError
from capsim.spec.loader import load_study, read_study
from tests.spec.golden_problems import GOLDEN

RICH = Path(__file__).parent / "data" / "rich.yaml"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the rich study with replacements (old, new) to a file."""

    def make(*changes: tuple[str, str], name: str = "study.yaml") -> Path:
        text = RICH.read_text()
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new, 1)
        path = tmp_path / name
        path.write_text(text)
        return path

    return make


def problems(path: Path | str, **options: object) -> list[str]:
    """What loading says, with the folder taken off."""
    with pytest.raises(StudyError) as caught:
        load_study(path, **options)  # type: ignore[arg-type]
    return [str(problem).replace(f"{Path(path).parent}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize(("old", "new", "expected"), GOLDEN, ids=[new[:24] for _, new, _ in GOLDEN])
def test_every_problem_has_its_place_and_its_remedy(
    write: Write, old: str, new: str, expected: list[tuple[str, str]]
) -> None:
    path = write((old, new))
    text = path.read_text()
    changed = RICH.read_text().index(old)
    lines = []
    for mark, message in expected:
        start = text.rindex("\n", 0, changed) if "\n" in new else max(text.rfind("\n", 0, changed), 0)
        index = text.index(mark, start if mark in text[start:] and mark != "capsim:" else 0)
        line = text.count("\n", 0, index) + 1
        column = index - text.rfind("\n", 0, index)
        lines.append(f"study.yaml:{line}:{column}: {message}")
    assert problems(path) == lines


def test_all_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("offers: {x: {term: 5\n")
    (tmp_path / "b.yaml").write_text("offers: {y: 1, y: 2}\n")
    (tmp_path / "main.yaml").write_text(
        "include: [a.yaml, b.yaml, nothing.yaml, 'builtin:catalogue']\ncapsim: 1\n\tx: 1\n"
    )
    (tmp_path / "main2.yaml").write_text(
        "include: [a.yaml, b.yaml, nothing.yaml, 'builtin:catalogue']\ncapsim: 1\n"
    )
    found = problems(tmp_path / "main2.yaml")
    assert [line.split(": ")[0] for line in found] == [
        "a.yaml:2:1",
        "b.yaml:1:16",
        "main2.yaml:1:27",
        "main2.yaml:1:41",
    ]
    assert "did you mean `catalog`?" in found[-1]
    assert problems(tmp_path / "main.yaml")[0].startswith("main.yaml:3:1: a tab")


def test_problems_are_limited(tmp_path: Path) -> None:
    path = tmp_path / "many.yaml"
    path.write_text("\n".join(f"key{i}: 1" for i in range(5000)))
    found = problems(path)
    assert len(found) == 200 and found[-1].endswith("more problems")


def test_includes_are_merged_in_order_and_the_including_file_wins(tmp_path: Path) -> None:
    (tmp_path / "offers").mkdir()
    (tmp_path / "offers" / "a.yaml").write_text("offers: {cloud.v1: {term: 6y, region: a}}")
    (tmp_path / "offers" / "b.yaml").write_text("offers: {cloud.v1: {region: b}}")
    (tmp_path / "rich.yaml").write_text(RICH.read_text())
    (tmp_path / "main.yaml").write_text(
        "include: [rich.yaml, offers/*.yaml]\nname: main\noffers: {cloud.v1: {note: own}}"
    )
    loaded = load_study(tmp_path / "main.yaml")
    offer = loaded.study.offers["cloud.v1"]
    assert (loaded.study.name, offer.term, offer.region, offer.note) == (
        "main",
        6 * 31_557_600_000,
        "b",
        "own",
    )
    assert [Path(source.file).name for source in loaded.sources] == [
        "main.yaml",
        "rich.yaml",
        "a.yaml",
        "b.yaml",
    ]
    assert Path(loaded.place("offers", "cloud.v1", "region").file).name == "b.yaml"


def test_files_that_include_each_other(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("include: b.yaml\n")
    (tmp_path / "b.yaml").write_text("include: [a.yaml]\n")
    assert problems(tmp_path / "a.yaml")[0] == (
        "b.yaml:1:11: the files include each other: a.yaml -> b.yaml -> a.yaml; remove one of the includes"
    )


@pytest.mark.parametrize(
    "include",
    [
        "{a: 1}",
        "[[x]]",
        "[5.yaml]",
        "['*.nothing']",
        "['\\0']",
        "[/dev/zero]",
        "['']",
        "[..]",
        "['**/*.yaml']",
        "[" + "x" * 5000 + "]",
    ],
)
def test_odd_includes(tmp_path: Path, include: str) -> None:
    path = tmp_path / "main.yaml"
    path.write_text(f"include: {include}\n")
    assert all("main.yaml:1:" in problem for problem in problems(path))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert problems(tmp_path / "none.yaml") == [
        "none.yaml: there is no such file; write the path of a YAML file"
    ]
    assert problems(tmp_path)[0].endswith("is a folder; write the path of a YAML file")
    with pytest.raises(StudyError, match="there is no such study; did you mean `quickstart`"):
        load_study("quickstrat")


@pytest.mark.parametrize("name", ["", "x" * 5000, "a\0b", "a\0b.yaml", "/dev/zero", "x/y" * 2000])
def test_odd_names_of_studies(name: str) -> None:
    with pytest.raises(StudyError) as caught:
        load_study(name)
    assert len(caught.value.problems) == 1


def test_shipped_studies_load_by_name(root: Path) -> None:
    assert load_study("quickstart").study == load_study(root / "configs" / "quickstart.yaml").study


def test_cases_are_merged_over_the_study() -> None:
    draft = read_study(RICH)
    assert draft.cases == ("base", "late", "cheap", "informed")
    base, late, cheap = (draft.resolve(case).study for case in ("base", "late", "cheap"))
    quarter = 31_557_600_000 // 4
    assert base.offers["cloud.v1"].delivery.shift == -14 * 86_400_000
    assert {offer.delivery.shift for offer in late.offers.values()} == {2 * quarter}
    assert late.uncertainty.factors["grid"].correlation == 0.8
    assert cheap.offers["cloud.v1"].price.per_chip_hour == 2.10
    assert cheap.offers["cloud.v1"].price.total is None and cheap.offers["cloud.v1"].headline is None
    assert cheap.demand.training_runs[0].flops == 1e25


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("offers: {claud: {term: 5y}}", "there is no `claud` in `offers`; did you mean"),
        ("offers: {cloud.v1: {trm: 5y}}", 'unknown key `trm` in `offers."cloud.v1"`; did you mean `term`?'),
        (
            "demand: {training_runs: {frist: {flops: 1}}}",
            "`demand.training_runs` has no `frist`; did you mean `first`?",
        ),
        ("cases: {}", "a case cannot change `cases`"),
        ("strategies: {clod: {share: 1}}", ""),
    ],
)
def test_what_a_case_cannot_mean(write: Write, case: str, message: str) -> None:
    path = write(("  informed: {as_of", f"  odd: {{{case}}}\n  informed: {{as_of"))
    line = path.read_text().split("  odd: ")[0].count("\n") + 1
    if message:
        found = problems(path, case="odd")[0]
        assert message in found and found.startswith(f"study.yaml:{line}:")
    else:
        assert "clod" in load_study(path, case="odd").study.strategies


def test_an_unknown_case() -> None:
    assert problems(RICH, case="latte") == ["--case:1:1: there is no case `latte`; did you mean `late`?"]


def test_options_win_over_cases_and_files() -> None:
    study = load_study(
        RICH,
        case="cheap",
        sets=[
            'offers."cloud.v1".term=4y',
            "demand.training_runs.first.flops=3e25",
            "scheduler.preempt=false",
        ],
    ).study
    assert study.offers["cloud.v1"].term == 4 * 31_557_600_000
    assert study.demand.training_runs[0].flops == 3e25
    assert study.scheduler.preempt is False


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("offers.cloud.v1.term=5y", "--set:1:1: there is no `cloud` in `offers`; did you mean `cloud.v1`?"),
        ("ofers.x=1", "--set:1:1: unknown key `ofers`; did you mean `offers`?"),
        ("horizon.start.day=1", "--set:1:19: unknown key `day` in a date"),
        ("as_of=soon", "--set:1:7: `soon` is not a date; write a date such as 2026-04-01"),
        ("money.discount_rate=8%", "--set:1:21: `8%` has the unit `%`; write a change per year such as 8%/y"),
    ],
)
def test_wrong_options_point_at_the_option(argument: str, message: str) -> None:
    assert message in problems(RICH, sets=[argument])[0]


def test_the_decision_date_hides_offers_and_prices() -> None:
    early, late = load_study(RICH), load_study(RICH, as_of="2026-12")
    assert "later" not in early.study.offers and early.hidden == {"later": datetime.date(2026, 6, 1)}
    assert [price.kind for price in early.study.prices] == ["on_demand"]
    assert "later" in late.study.offers and not late.hidden
    assert [price.kind for price in late.study.prices] == ["on_demand", "spot"]
    assert any("physical facts read later than 2026-02-01: " in item.text for item in early.findings)


def test_the_decision_date_hides_published_means_of_a_market(write: Write) -> None:
    """The one dated 2026-03 is not known on 2026-02-01; the one without a date is the study's own."""
    mean = "mean: {2026-03: {value: $2/h, as_of: 2026-03}, 2026-06: {value: $3/h, as_of: 2025-11}, 2026-09: $4/h}"
    path = write(("one-year: {start", f"one-year: {{{mean}, start"))
    early, late = load_study(path), load_study(path, as_of="2026-12")
    assert [str(day) for day in early.study.markets["one-year"].mean] == ["2026-06-01", "2026-09-01"]
    assert len(late.study.markets["one-year"].mean) == 3
    told = "1 published prices of `one-year` dated after 2026-02-01 are not used"
    assert told in [item.text for item in early.findings]
    assert told not in [item.text for item in late.findings]


def test_a_fact_dated_later_is_a_named_warning(write: Write) -> None:
    path = write(
        (
            "headline: {value: $1.0B, source: press release, as_of: 2025-11-03",
            "headline: {value: $1.0B, as_of: 2026-03",
        )
    )
    warnings = [item for item in load_study(path).findings if item.level == "warning"]
    assert [(item.check, item.where.line) for item in warnings] == [("as-of", 53)]
    assert "headline (2026-03-01)" in warnings[0].text


def test_numbers_of_the_study_itself_that_are_dated_later_are_listed(write: Write) -> None:
    path = write(("slip_cost: {low: 0", "slip_cost: {as_of: 2026-03, low: 0"))
    texts = [item.text for item in load_study(path).findings if item.level == "info"]
    wanted = "1 numbers of the study itself have a source dated after 2026-02-01: "
    assert wanted + "demand.training_runs.first.slip_cost (2026-03-01)" in texts


def test_a_wrong_decision_date() -> None:
    assert problems(RICH, as_of="soon")[0].startswith("--as-of:1:1: `soon` is not a date")
    assert "was announced on 2025-11-03" in problems(RICH, as_of="2025-01-01")[0]


def test_the_digest_is_of_the_content() -> None:
    plain, same, other = (
        load_study(RICH),
        load_study(RICH, case="base"),
        load_study(RICH, sets=["uncertainty.seed=8"]),
    )
    assert plain.digest == same.digest != other.digest
    assert len(plain.digest) == 64
