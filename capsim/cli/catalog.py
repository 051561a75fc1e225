"""``capsim catalog``: what is built in, with its sources."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from capsim.cli.options import Json

if TYPE_CHECKING:
    from rich.console import RenderableType

Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="One entry, by its name or an alias.")]
History = Annotated[bool, typer.Option("--history", help="List prices of instances by the day first seen.")]

catalog_app = typer.Typer(
    help="What is built in, with source, date and confidence.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def register(app: typer.Typer) -> None:
    """Add ``capsim catalog`` to the application."""
    app.add_typer(catalog_app, name="catalog")


@catalog_app.callback(invoke_without_command=True)
def catalog(context: typer.Context) -> None:
    """What is built in, with source, date and confidence."""
    if context.invoked_subcommand is not None:
        return
    from capsim.catalog.library import load_catalog
    from capsim.catalog.prices import prices
    from capsim.report.catalog import overview

    _print(overview(load_catalog(), len(prices())))
    typer.echo(
        "next: capsim catalog chips | capsim catalog offers openai-aws-2025 | capsim catalog prices h100"
    )


@catalog_app.command("chips")
def chips(name: Name = None, as_json: Json = False) -> None:
    """Accelerators: dense peaks, memory, bandwidths."""
    _show("chips", name, as_json)


@catalog_app.command("systems")
def systems(name: Name = None, as_json: Json = False) -> None:
    """How chips are built into nodes, scale-up domains and blocks; power and failures of a chip."""
    _show("systems", name, as_json)


@catalog_app.command("models")
def models(name: Name = None, as_json: Json = False) -> None:
    """Model cards: parameters, layers, heads, experts, key-value bytes."""
    _show("models", name, as_json)


@catalog_app.command("offers")
def offers(name: Name = None, as_json: Json = False) -> None:
    """Contracts on the menu, with what is published and what is assumed."""
    _show("offers", name, as_json)


@catalog_app.command("porting")
def porting(name: Name = None, as_json: Json = False) -> None:
    """What it takes to run on another software stack."""
    _show("porting", name, as_json)


@catalog_app.command("prices")
def prices(name: Name = None, history: History = False, as_json: Json = False) -> None:
    """Dated prices of a chip-hour; NAME is a chip or a provider."""
    from capsim.catalog.library import load_catalog
    from capsim.catalog.prices import matching, price_history, summarise
    from capsim.catalog.prices import prices as dated_prices
    from capsim.report.catalog import as_json as plain
    from capsim.report.catalog import history_table, prices_table, summaries_table

    if history:
        changes = matching(price_history(), load_catalog(), name)
        rows = [vars(row) | {"source": row.source} for row in changes]
        _print(plain(rows) if as_json else history_table(changes))
        return
    found = matching(dated_prices(), load_catalog(), name)
    if as_json:
        _print(plain(found))
    elif name is None:
        _print(summaries_table(summarise(found)))
    else:
        _print(prices_table(found, _width()))


@catalog_app.command("serve")
def serve(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model card, by its name or an alias.")],
    precision: Annotated[
        str, typer.Option("--precision", help="fp4, fp8 or bf16; wider where a chip lacks it.")
    ] = "fp8",
    input_length: Annotated[
        float, typer.Option("--input", min=1, help="Mean input tokens of a request.")
    ] = 1000,
    output_length: Annotated[
        float, typer.Option("--output", min=1, help="Mean output tokens of a request.")
    ] = 1000,
    ttft: Annotated[
        float, typer.Option("--ttft", min=0.001, help="p95 of the time to the first token, ms.")
    ] = 2000,
    tpot: Annotated[
        float, typer.Option("--tpot", min=0.001, help="p95 of the time per output token, ms.")
    ] = 100,
    disaggregated: Annotated[
        bool, typer.Option("--disaggregated", help="Prompts and decoding on separate chips.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Where a model can be served: tokens/s, per MW and $ per million tokens; and why not elsewhere."""
    from capsim.errors import InputError
    from capsim.report.serving import serving_view
    from capsim.workload.serving_catalog import as_rows, serve_table

    if precision not in ("fp4", "fp8", "bf16"):
        raise InputError(f"--precision is {precision}; write fp4, fp8 or bf16")
    name, found = serve_table(
        model,
        precision=precision,
        input_length=input_length,
        output_length=output_length,
        ttft_ms=ttft,
        tpot_ms=tpot,
        disaggregated=disaggregated,
    )
    if as_json:
        _print({"model": name, "systems": as_rows(found)})
        return
    typer.echo(
        f"{name}: {input_length:g} tokens in, {output_length:g} out, "
        f"p95 TTFT {ttft:g} ms, p95 TPOT {tpot:g} ms"
        + (", prompts and decoding apart" if disaggregated else "")
    )
    for part in serving_view(found, _width()):
        _print(part)


def _show(kind: str, name: str | None, as_json: bool) -> None:
    """All entries of a kind as a table, or one with its sources."""
    from capsim.catalog.library import load_catalog
    from capsim.report import catalog as tables

    library = load_catalog()
    if name is not None:
        key, entry = library.find(kind, name)
        _print(tables.as_json({key: entry}) if as_json else tables.entry_view(key, entry))
    elif as_json:
        _print(tables.as_json(library.entries(kind)))
    else:
        _print(tables.table(kind, library, _width()))


def _width() -> int:
    from rich.console import Console

    return Console().width


def _print(output: RenderableType | dict[str, Any] | list[Any]) -> None:
    """A table, or data as JSON, on stdout."""
    if isinstance(output, dict | list):
        typer.echo(json.dumps(output, indent=2))
        return
    from rich.console import Console

    Console(highlight=False).print(output)
