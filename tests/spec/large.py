"""A study with as many offers as wanted, for tests and benchmarks of loading."""

from __future__ import annotations

from pathlib import Path


def write_large(path: Path, entries: int) -> None:
    """Write a file that includes the rich study and adds ``entries`` offers."""
    rich = Path(__file__).parent / "data" / "rich.yaml"
    lines = [f'include: ["{rich}"]', "name: large", "offers:"]
    for number in range(entries):
        lines += [
            f"  offer-{number}:",
            "    provider: cloud-a",
            "    kind: cloud",
            "    status: signed",
            "    announced: 2025-11-03",
            "    chips: {rack: 60%, box: 40%}",
            "    quantity: {min: 72, max: 500400, lot: 72}",
            "    tranches: [{at: 2026-04-01, share: 60%}, {at: 2026-10-01, share: 40%, delivery: existing}]",
            "    term: 7y",
            "    price:",
            f"      per_chip_hour: {{value: $2.{number % 90 + 10}/h, source: list, as_of: 2025-11-03}}",
            "    take_or_pay: {share: 100%, starts: on_delivery}",
        ]
    path.write_text("\n".join(lines) + "\n")
