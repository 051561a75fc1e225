"""Rewrite what came out in the READMEs of the news: ``python benchmarks/news.py [--check] [NAME...]``.

Each study under ``configs/news`` is simulated with its own runs; its README takes the ranked table and the
sentences that ``news_answers`` makes of the figures between its markers. With ``--check`` nothing is written
and a README that says something else is an error. All of them take about a minute on two cores.
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
from pathlib import Path

from news_answers import ANSWERS
from news_figures import Found

from capsim.report.comparison import comparison_report
from capsim.report.progress import progress_bar
from capsim.report.terminal import write
from capsim.study.session import perform
from capsim.study.setup import Request, set_up

NEWS = Path(__file__).resolve().parents[1] / "configs" / "news"
WIDTH = 100


def simulated(name: str, folder: Path, workers: int | None) -> Found:
    """The study's own comparison, simulated into `folder`."""
    setup = set_up(Request(str(NEWS / name / "study.yaml")))
    progress = functools.partial(progress_bar, quiet=False)
    done = perform(
        setup, command=f"news {name}", progress=progress, out=folder, resume=False, workers=workers
    )
    return Found(done.results, setup.context)


def ranked(found: Found) -> str:
    """The ranked table of the report, without the head, whose seconds differ from run to run."""
    text = io.StringIO()
    write(comparison_report(found.results, found.context, WIDTH, True), text)
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


def regenerated(name: str, workers: int | None) -> tuple[str, str]:
    """The README of a study as it is and as it should be."""
    before = (NEWS / name / "README.md").read_text()
    with tempfile.TemporaryDirectory() as folder:
        found = simulated(name, Path(folder) / "run", workers)
        after = put(before, "result", f"```\n{ranked(found)}\n```")
        after = put(after, "answer", "\n".join(bullet(line) for line in ANSWERS[name](found)))
    return before, after


def main() -> int:
    """Regenerate, or check; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = sorted(file.parent.name for file in NEWS.glob("*/study.yaml"))
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"studies (default: all of {', '.join(names)})"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a README differs")
    parser.add_argument("--workers", type=int, help="processes that simulate (default: one a core)")
    asked = parser.parse_args()
    if wrong := sorted(set(asked.names) - set(names)):
        parser.error(f"no such study: {', '.join(wrong)}")
    drifted = False
    for name in asked.names or names:
        before, after = regenerated(name, asked.workers)
        path = f"configs/news/{name}/README.md"
        if asked.check:
            diff = difflib.unified_diff(
                before.splitlines(), after.splitlines(), path, "simulated now", "", "", 0
            )
            for line in diff:
                drifted = True
                print(line)
        elif before != after:
            (NEWS / name / "README.md").write_text(after)
            print(f"rewrote {path}")
    return int(drifted)


if __name__ == "__main__":
    sys.exit(main())
