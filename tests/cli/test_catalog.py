"""``capsim catalog`` from the user's side."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest

from capsim.cli.main import main

Capsim = Callable[..., tuple[int, str, str]]
KINDS = ("chips", "systems", "models", "offers", "prices", "porting")


@pytest.fixture
def capsim(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Capsim:
    """Run the command with arguments at a width; exit code, stdout and stderr."""

    def run(*arguments: str, width: int = 80) -> tuple[int, str, str]:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(sys, "argv", ["capsim", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        output = capsys.readouterr()
        code = ended.value.code
        return code if isinstance(code, int) else 0, output.out, output.err

    return run


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("kind", KINDS)
def test_lists_fit_the_terminal(capsim: Capsim, kind: str, width: int) -> None:
    code, out, err = capsim("catalog", kind, width=width)
    assert (code, err) == (0, "")
    assert max(len(line) for line in out.splitlines()) <= width
    assert "…" not in out


def test_the_overview_names_every_kind(capsim: Capsim) -> None:
    code, out, _ = capsim("catalog")
    assert code == 0
    assert all(kind in out for kind in KINDS)


@pytest.mark.parametrize("width", [80, 120])
def test_an_entry_shows_where_its_numbers_come_from(capsim: Capsim, width: int) -> None:
    code, out, _ = capsim("catalog", "offers", "openai-aws-2025", width=width)
    assert code == 0
    assert "$38B" in out and "assumed" in out and "2025-11" in out and "expand-2027" in out
    assert max(len(line) for line in out.splitlines()) <= width


def test_aliases_and_units(capsim: Capsim) -> None:
    assert "trainium2" in capsim("catalog", "chips", "trn2")[1]
    system = capsim("catalog", "systems", "h100_hgx", width=120)[1]
    assert "0.474" in system and "12 h" in system and "derived" in system
    assert "0.474 (0.29 to 0.81)" in capsim("catalog", "systems", "gb200_nvl72", width=120)[1]
    assert "$148/kW-mo" in capsim("catalog", "offers", "cipher-like-shell", width=120)[1]


def test_what_cannot_be_held_says_why(capsim: Capsim) -> None:
    out = capsim("catalog", "offers", "openai-broadcom-2025", width=120)[1]
    assert "no rate, memory, power or price of the custom chip is public" in out


@pytest.mark.parametrize("kind", KINDS)
def test_json_of_a_kind(capsim: Capsim, kind: str) -> None:
    code, out, _ = capsim("catalog", kind, "--json")
    assert code == 0
    assert len(json.loads(out)) >= 5


def test_json_of_an_entry_carries_provenance(capsim: Capsim) -> None:
    entry = json.loads(capsim("catalog", "chips", "h100", "--json")[1])["h100_sxm"]
    assert entry["tflops"]["fp8"]["value"] == 1979
    assert entry["tflops"]["fp8"]["confidence"] == "vendor"
    row = json.loads(capsim("catalog", "prices", "trn2", "--json")[1])[0]
    assert (row["usd_per_chip_hour"], row["confidence"]) == (2.2351, "recalled")


def test_the_history_of_an_instance(capsim: Capsim) -> None:
    code, out, _ = capsim("catalog", "prices", "inf1", "--history", width=120)
    assert code == 0
    assert "inf1.xlarge" in out and "2023-09-18" in out
    rows = json.loads(capsim("catalog", "prices", "inf1", "--history", "--json")[1])
    assert {row["source"].partition("@")[0] for row in rows} == {
        "github:aws/karpenter-provider-aws pkg/providers/pricing"
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("chips", "h1000"), "did you mean `h100`"),
        (("offers", "openai-aws"), "did you mean `openai-aws-2025`"),
        (("models", "gpt-5"), "there is no model `gpt-5`"),
        (("prices", "awz"), "did you mean `aws`"),
        (("chip",), "No such command 'chip'"),
    ],
)
def test_a_wrong_name_ends_with_2(capsim: Capsim, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = capsim("catalog", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


@pytest.mark.parametrize("width", [80, 120])
def test_words_of_the_serving_table_stay_whole(capsim: Capsim, width: int) -> None:
    code, out, err = capsim("catalog", "serve", "llama-3.1-8b", width=width)
    assert (code, err) == (0, "")
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line.strip()}
    assert rows["gb300_nvl72"][-2:] == ["2.91", "contract"]
    assert rows["h100_hgx"][-1] == "list" and rows["rubin_nvl72"][-2:] == ["none", "public"]
    assert "tok/s" in out and max(len(line) for line in out.splitlines()) <= width


@pytest.mark.parametrize("width", [80, 120])
def test_words_of_the_model_cards_stay_whole(capsim: Capsim, width: int) -> None:
    out = capsim("catalog", "models", width=width)[1]
    line = next(line for line in out.splitlines() if "llama-4-maverick" in line)
    assert "recalled" in line and "1/128" in line and "active" in out
