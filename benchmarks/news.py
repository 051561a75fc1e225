"""Rewrite what came out in the READMEs of the news: ``python benchmarks/news.py [--check [--sample]]``.

Each study under ``configs/news`` is simulated with its own runs, and the flips that its README prints are
searched. The figures go to ``figures.json`` beside the README, which takes the ranked table, and the
sentences that ``news_answers`` makes of the figures, between its markers; ``configs/news/README.md`` lists
the short answers. All of it takes about seven minutes on two quiet cores.

With ``--check`` nothing is written: the studies are simulated again, and what is said otherwise is an error.
With ``--sample`` too, only the first world of each study's first and last case and of each flip is simulated
and compared with what was recorded, and the sentences are made again of the record. That takes seconds.
"""

from __future__ import annotations

import argparse
import difflib
import functools
import io
import re
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from news_answers import ANSWERS, Answer
from news_figures import Figures, read_figures, write_figures
from news_flips import FLIPS, difference_now, search
from news_record import differences, figures_of

from capsim.report.comparison import comparison_report
from capsim.report.progress import progress_bar
from capsim.report.terminal import write
from capsim.results.reading import Results
from capsim.spec.loader import load_study
from capsim.study.context import Context
from capsim.study.session import default_workers, perform
from capsim.study.setup import Request, set_up

NEWS = Path(__file__).resolve().parents[1] / "configs" / "news"
NAMES = tuple(sorted(file.parent.name for file in NEWS.glob("*/study.yaml")))
WIDTH = 100
QUIET = functools.partial(progress_bar, quiet=True)


def simulated(name: str, folder: Path, workers: int, runs: int | None = None) -> tuple[Results, Context]:
    """The study's own comparison in `folder`; with `runs`, so many of its first and its last case."""
    request = Request(f"news/{name}")
    if runs is not None:
        cases = load_study(request.study).study.compare.cases
        request = replace(request, cases=tuple(dict.fromkeys((cases[0], cases[-1]))), runs=runs)
    setup = set_up(request)
    progress = functools.partial(progress_bar, quiet=runs is not None)
    done = perform(
        setup, command=f"news {name}", progress=progress, out=folder, resume=False, workers=workers
    )
    return done.results, setup.context


def ranked(results: Results, context: Context) -> str:
    """The ranked table of the report, without the head, whose seconds differ from run to run."""
    text = io.StringIO()
    write(comparison_report(results, context, WIDTH, True), text)
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    first = next(i for i, line in enumerate(lines) if line.lstrip().startswith("RANKED BY"))
    last = next(i for i, line in enumerate(lines) if "capacity and risk" in line)
    return "\n".join(lines[first:last]).strip("\n")


def bullet(sentence: str) -> str:
    """A sentence as an item of a list; a row of a table and an empty line as they are."""
    if not sentence or sentence.startswith("|"):
        return sentence
    return textwrap.fill(sentence, 118, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)


def put(text: str, name: str, block: str) -> str:
    """The README with one block replaced."""
    pattern = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- /{name} -->)", re.S)
    if not pattern.search(text):
        raise SystemExit(f"no block {name!r}: write <!-- {name}: ... --> and <!-- /{name} -->")
    return pattern.sub(lambda m: f"{m[1]}{block}\n{m[2]}", text)


def answered(text: str, answer: Answer) -> str:
    """The README with the answer that follows from the figures."""
    lines = [f"**{answer.short}**", "", *map(bullet, answer.lines)]
    return put(text, "answer", "\n".join(lines))


def index(text: str) -> str:
    """The README of the folder with the questions and short answers of all studies that are recorded."""
    rows = ["| study | asks | answer |", "|---|---|---|"]
    for name in NAMES:
        short = ANSWERS[name](read_figures(NEWS / name / "figures.json")).short
        asks = (NEWS / name / "study.yaml").read_text().splitlines()[0].removeprefix("# ")
        rows.append(f"| [{name}]({name}/README.md) | {asks} | {short} |")
    return put(text, "index", "\n".join(rows))


def regenerated(name: str, workers: int) -> tuple[str, str, Figures]:
    """The README of a study as it is and as it should be, and the figures behind it."""
    before = (NEWS / name / "README.md").read_text()
    with tempfile.TemporaryDirectory() as folder:
        results, context = simulated(name, Path(folder) / "run", workers)
        progress = functools.partial(progress_bar, quiet=False)
        flips = [
            search(name, asked, workers, progress, Path(folder) / "trials") for asked in FLIPS.get(name, ())
        ]
        figures = figures_of(name, results, tuple(flips))
        after = put(before, "result", f"```\n{ranked(results, context)}\n```")
    return before, answered(after, ANSWERS[name](figures)), figures


def sampled(name: str, workers: int) -> Iterator[str]:
    """What the record, its README and a simulation of a few worlds say otherwise, one line each."""
    path = f"configs/news/{name}"
    recorded = read_figures(NEWS / name / "figures.json")
    text = (NEWS / name / "README.md").read_text()
    yield from changed(f"{path}/README.md", text, answered(text, ANSWERS[name](recorded)))
    with tempfile.TemporaryDirectory() as folder:
        results, _ = simulated(name, Path(folder) / "run", workers, runs=1)
        for difference in differences(recorded, figures_of(name, results)):
            yield f"{path}: {difference}"
        for flip in recorded.flips:
            now = difference_now(name, flip, workers, QUIET, Path(folder))
            if abs(now - flip.first_world) > 1e-4 * max(abs(flip.first_world), 1e6):
                yield (
                    f"{path}: {flip.path}, case {flip.case}: the first world was {flip.first_world:.7g} at "
                    f"the flip and is {now:.7g}"
                )
    if {(f.path, f.case) for f in recorded.flips} != {(a.path, a.case) for a in FLIPS.get(name, ())}:
        yield f"{path}: the flips that are asked are not those that were recorded"


def changed(path: str, before: str, after: str) -> Iterator[str]:
    """Lines of a text that are otherwise now."""
    yield from difflib.unified_diff(before.splitlines(), after.splitlines(), path, "now", "", "", 0)


def main() -> int:
    """Regenerate, or check; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"studies (default: all of {', '.join(NAMES)})"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a README differs")
    parser.add_argument("--sample", action="store_true", help="check by a few worlds of each study")
    parser.add_argument("--workers", type=int, help="processes that simulate (default: one a core)")
    asked = parser.parse_args()
    if wrong := sorted(set(asked.names) - set(NAMES)):
        parser.error(f"no such study: {', '.join(wrong)}")
    if asked.sample and not asked.check:
        parser.error("--sample goes with --check")
    workers = asked.workers or default_workers()
    found: list[str] = []
    for name in asked.names or NAMES:
        if asked.sample:
            found += sampled(name, workers)
            continue
        before, after, figures = regenerated(name, workers)
        if asked.check:
            found += changed(f"configs/news/{name}/README.md", before, after)
            continue
        write_figures(NEWS / name / "figures.json", figures)
        if before != after:
            (NEWS / name / "README.md").write_text(after)
            print(f"rewrote configs/news/{name}/README.md")
    listing = NEWS / "README.md"
    if all((NEWS / name / "figures.json").exists() for name in NAMES):
        text = listing.read_text()
        if asked.check:
            found += changed("configs/news/README.md", text, index(text))
        else:
            listing.write_text(index(text))
    print("\n".join(found), end="\n" if found else "")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
