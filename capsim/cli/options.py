"""Arguments and options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from typing import Annotated

import typer

StudyFile = Annotated[
    str, typer.Argument(metavar="STUDY", help="A study's YAML file, or the name of a shipped one.")
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="""Change a value, e.g. 'offers."my-offer".term=5y'."""),
]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of", metavar="DATE", help="Move the decision date; what was announced later is hidden."
    ),
]
Case = Annotated[str | None, typer.Option("--case", metavar="NAME", help="One of the study's cases.")]
Json = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing on stderr but errors.")]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Seed of all draws.")]
Workers = Annotated[int | None, typer.Option("--workers", metavar="N", help="Processes that simulate.")]
