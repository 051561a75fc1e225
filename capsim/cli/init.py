"""``capsim init``: a starter study to change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add ``capsim init`` to the application."""
    app.command("init")(init)


def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the study; NAME.yaml is written.")],
) -> None:
    """Write a commented starter study that `capsim check` accepts and `capsim compare` runs in seconds."""
    from capsim.errors import InputError
    from capsim.spec.template import starter

    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    try:
        text = starter(path.stem)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(f"{path} exists already and stays as it is; choose another name") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path} cannot be written ({reason}); choose another name") from None
    typer.echo(f"wrote {path}")
    typer.echo(f"next: capsim check {path}   capsim compare {path}")
