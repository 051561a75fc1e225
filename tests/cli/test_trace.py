"""``capsim trace`` as a user runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from capsim.cli.main import main
from capsim.cli.trace import quantile_lines
from tests.kernel.queues_of_jobs import crowded
from tests.oracles.conservative import conservative as obvious

JOBS_CSV = "job,submit,size,run,requested\n7,0,4,10.5,20\n8,3,2,5,5\n9,4,99,5,5\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.csv"
    path.write_text(JOBS_CSV)
    return path


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str


Command = Callable[..., Done]


@pytest.fixture
def capsim(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command in this process, as the console script does."""

    def run(*words: str | Path) -> Done:
        monkeypatch.setattr("sys.argv", ["capsim", *(str(word) for word in words)])
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        assert ended.value.code in (0, 2), shown.err
        return Done(int(ended.value.code or 0), shown.out, shown.err)

    return run


def test_info_as_text_and_as_json(table: Path, capsim: Command) -> None:
    text = capsim("trace", "info", table, "--chips", "4").stdout
    assert "3 jobs" in text
    figures = json.loads(capsim("trace", "info", table, "--json").stdout)
    assert figures["jobs"] == 3
    assert figures["load"] is None


def test_info_of_requests(tmp_path: Path, capsim: Command) -> None:
    path = tmp_path / "r.csv"
    path.write_text("arrival,input_tokens,output_tokens\n0,10,20\n2,30,40\n")
    assert "2 requests" in capsim("trace", "info", path).stdout
    assert json.loads(capsim("trace", "info", path, "--json").stdout)["requests_per_s"] == 1.0


def test_convert_writes_what_replay_reads(table: Path, tmp_path: Path, capsim: Command) -> None:
    out = tmp_path / "jobs.parquet"
    assert capsim("trace", "convert", table, out).exit_code == 0
    assert "3 jobs" in capsim("trace", "info", out).stdout


@pytest.mark.parametrize("policy", ["fcfs", "easy", "conservative"])
def test_replay_writes_starts_on_the_traces_own_clock(
    table: Path, tmp_path: Path, policy: str, capsim: Command
) -> None:
    out = tmp_path / "starts.csv"
    words = ("trace", "replay", table, "--chips", "4", "--policy", policy, "--out", out, "--json")
    result = capsim(*words, "--quiet")
    assert out.read_text() == "job,start\n7,0\n8,10.5\n"
    figures = json.loads(result.stdout)
    assert (figures["jobs"], figures["too_large"]) == (2, 1)
    assert figures["wait_s"]["mean"] == pytest.approx(7.5 / 2)
    assert figures["makespan_s"] == 15.5
    assert figures["utilisation"] == pytest.approx((4 * 10.5 + 2 * 5) / (4 * 15.5))
    assert figures["backfilled_share"] == 0.0
    assert "larger than the machine" in capsim(*words[:-1]).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("replay", "TABLE"), "no MaxProcs"),
        (("replay", "TABLE", "--chips", "0"), "--chips is 0"),
        (("replay", "TABLE", "--chips", "4", "--policy", "lifo"), "unknown policy 'lifo'"),
        (("replay", "TABLE", "--chips", "4", "--policy", "easy,lifo,easy"), "'easy' is named twice"),
        (("replay", "TABLE", "--chips", "4", "--policy", "sjf+conservative"), "write sjf+easy"),
        (("replay", "TABLE", "--chips", "4", "--domain", "3"), "not a multiple of --domain 3"),
        (("replay", "TABLE", "--chips", "4", "--segment", "2"), "need --domain"),
        (("replay", "TABLE", "--chips", "4", "--estimate", "half"), "write exact, requested, factor:F"),
        (("replay", "TABLE", "--chips", "4", "--tenants-from", "group"), "is for SWF"),
        (("replay", "TABLE", "--chips", "4", "--same-instant", "never"), "write one of together"),
        (
            ("replay", "TABLE", "--chips", "4", "--policy", "conservative", "--domain", "2"),
            "leave --domain out",
        ),
        (
            ("replay", "TABLE", "--chips", "4", "--order-option", "las.promote=0"),
            "no policy here has the order las",
        ),
        (("replay", "TABLE", "--chips", "9000000000", "--policy", "sjf"), "too many for sjf; write at most"),
        (("replay", "TABLE", "--chips", "4", "--share", "all=2"), "no policy here looks at shares"),
        (("replay", "TABLE", "--chips", "4", "--fates"), "does not say how jobs end"),
        (("replay", "TABLE", "--chips", "4", "--retry", "2"), "add --fates"),
        (("replay", "TABLE", "--chips", "4", "--tenants", "none.yaml"), "none.yaml: cannot be read"),
        (
            ("replay", "TABLE", "--chips", "4", "--classes-from", "queue"),
            "a table of jobs has a class column",
        ),
        (("replay", "TABLE", "--chips", "4", "--out", "starts.txt"), "end it in .csv"),
        (("replay", "TABLE", "--chips", "4", "--out", "TABLE"), "would overwrite the trace"),
        (
            ("replay", "TABLE", "--chips", "4", "--out", "a.csv", "--per-job", "a.csv"),
            "would overwrite --out",
        ),
        (("replay", "TABLE", "--chips", "4", "--chart", "wait.png"), "end its name in .svg"),
        (("replay", "TABLE", "--chips", "4", "--per-job", "none/a.csv"), "there is no folder none"),
        (("replay", "none.swf"), "no such file"),
        (("info", "TABLE", "--format", "xls"), "unknown trace format"),
        (("convert", "TABLE", "out.xls"), "end it in .csv"),
    ],
)
def test_wrong_input_exits_2_with_a_reason(
    table: Path, words: tuple[str, ...], said: str, capsim: Command
) -> None:
    result = capsim("trace", *(table if word == "TABLE" else word for word in words))
    assert result.exit_code == 2
    assert said in result.stderr


def test_policies_side_by_side(table: Path, tmp_path: Path, capsim: Command) -> None:
    out, chart = tmp_path / "starts.csv", tmp_path / "wait.svg"
    words = ("trace", "replay", table, "--chips", "4", "--policy", "fcfs, sjf+easy", "--quiet")
    found = json.loads(capsim(*words, "--json", "--out", out, "--chart", chart).stdout)
    assert found["schema"] == "capsim.replay/1"
    assert [row["policy"] for row in found["policies"]] == ["fcfs", "sjf+easy"]
    assert found["days"] is None
    assert out.read_text() == "job,start_fcfs,start_sjf+easy\n7,0,0\n8,10.5,10.5\n"
    assert chart.read_text().startswith("<svg")
    rows = tmp_path / "rows.csv"
    text = capsim(*words, "--domain", "4", "--estimate", "exact", "--per-job", rows).stdout
    assert "fewer than five days" in text and "scat-" in text
    assert [line.split() for line in text.splitlines() if "sjf+easy " in line][-3][:2] == ["sjf+easy", "15.5"]
    assert rows.read_text().splitlines()[1].startswith('"fcfs",7,"all",4,0,0,0,10.5,10.5,0,')


def test_chip_types(table: Path, tmp_path: Path, capsim: Command) -> None:
    """Job 7 (4 chips, 10.5 s) on the fast type; job 8 (2 chips, 5 s) on the slow one takes twice as long."""
    types = tmp_path / "types.yaml"
    types.write_text("types: {a: {chips: 4}, b: {chips: 2}}\nclasses: {all: {speeds: {a: 1, b: 0.5}}}\n")
    words = ("trace", "replay", table, "--policy", "easy", "--types", types, "--quiet")
    found = json.loads(capsim(*words, "--json").stdout)
    assert (found["chips"], found["jobs"], found["makespan_s"]) == (6, 2, 13.0)
    assert found["utilisation"] == pytest.approx((4 * 10.5 + 2 * 10) / (6 * 13))
    assert "leave out --chips" in capsim(*words, "--chips", "4").stderr
    assert "leave it out" in capsim(*words, "--same-instant", "ends-first").stderr
    assert "one type of chips only" in capsim(*words[:4], "conservative", "--types", types).stderr
    assert (
        "needs chip types"
        in capsim("trace", "replay", table, "--chips", "4", "--policy", "gavel-max-min").stderr
    )


def test_gavel(table: Path, tmp_path: Path, capsim: Command) -> None:
    """Rounds of 5 s: job 7 starts at 0; job 8, submitted at 3 s, at 5 s on the other type."""
    pytest.importorskip("highspy", reason="highspy is not installed: make install")
    types, out = tmp_path / "types.yaml", tmp_path / "starts.csv"
    types.write_text(
        "types: {a: {chips: 4}, b: {chips: 2}}\nclasses: {all: {speeds: {a: 1, b: 0.5}}}\nround: 5 s\n"
    )
    words = ("trace", "replay", table, "--types", types, "--out", out, "--quiet")
    text = capsim(*words, "--policy", "gavel-max-min,gavel-throughput").stdout
    assert out.read_text() == "job,start_gavel-max-min,start_gavel-throughput\n7,0,0\n8,5,5\n"
    assert "gavel-max-min" in text


def test_sia(table: Path, tmp_path: Path, capsim: Command) -> None:
    """Rounds of 5 s: job 7 (4 chips) is elastic and begins with one; job 8 starts at 5 s, in the next round."""
    pytest.importorskip("highspy", reason="highspy is not installed: make install")
    types, out = tmp_path / "types.yaml", tmp_path / "starts.csv"
    elastic = "elastic: {least: 1, most: 4, serial: 0}"
    types.write_text(
        f"types: {{a: {{chips: 4}}, b: {{chips: 2}}}}\nclasses: {{all: {{speeds: {{a: 1, b: 0.5}}, {elastic}}}}}\n"
        "round: 5 s\n"
    )
    words = ("trace", "replay", table, "--types", types, "--quiet")
    text = capsim(*words, "--policy", "sia,gavel-max-min", "--out", out).stdout
    assert out.read_text() == "job,start_sia,start_gavel-max-min\n7,0,0\n8,5,5\n"
    assert "sia" in text
    found = json.loads(capsim(*words, "--policy", "sia", "--json").stdout)
    assert found["policy"] == "sia" and found["jobs"] == 2 and found["preemptions"] >= 1
    assert "policy sia needs chip types" in capsim(*words[:3], "--chips", "4", "--policy", "sia").stderr
    assert "gavel-agnostic, sia" in capsim(*words[:3], "--chips", "4", "--policy", "siah").stderr


def test_tenants_of_an_swf_from_its_fields(tmp_path: Path, capsim: Command) -> None:
    path = tmp_path / "t.swf"
    path.write_text(
        "1 0 -1 10 2 -1 -1 2 10 -1 1 7 3 1 5 1 -1 -1\n2 0 -1 10 2 -1 -1 2 10 -1 1 8 3 1 6 1 -1 -1\n"
    )
    for field, tenants in (("user", 2), ("group", 1), ("queue", 2)):
        words = ("trace", "replay", path, "--chips", "4", "--tenants-from", field, "--json", "--quiet")
        assert json.loads(capsim(*words).stdout)["tenants"] == tenants
    assert (
        "not from 'site'" in capsim("trace", "replay", path, "--chips", "4", "--tenants-from", "site").stderr
    )


def test_a_governed_cluster(tmp_path: Path, capsim: Command) -> None:
    """Two queues of one chip each on two chips; user 7's second job waits for its quota, job 3 fails."""
    path, governed = tmp_path / "t.swf", tmp_path / "tenants.yaml"
    row = "{} 0 -1 10 1 -1 -1 1 10 -1 {} {} 3 1 {} 1 {} -1\n"
    path.write_text(
        row.format(1, 1, 7, 1, -1) + row.format(2, 1, 7, 2, -1) + row.format(3, 0, 8, 2, -1)
        + row.format(4, 1, 8, 2, 1)
    )  # fmt: skip
    governed.write_text("tenants: {user 7: {quota: 1, share: 3}}\nclasses: {queue 2: {priority: 5}}\n")
    words = ("trace", "replay", path, "--chips", "2", "--tenants", governed, "--classes-from", "queue")
    more = ("--dependencies", "after", "--fates", "--quiet", "--policy", "fcfs,priority+easy")
    found = json.loads(capsim(*words, *more, "--json").stdout)
    for row_ in found["policies"]:
        assert row_["fates"] == {"completed": 3, "failed": 1, "cancelled": 0}
        rows = {item["tenant"]: item for item in row_["by_tenant"]}
        assert rows["user 7"]["share"] == 0.75 and rows["user 7"]["wait_mean_s"] == 5.0
        assert rows["user 8"]["wait_mean_s"] == 0.0
    text = capsim(*words, *more).stdout
    assert "Tenants with the most work" in text and "3 completed, 1 failed, 0 cancelled" in text
    governed.write_text("reservations: [{at: 0 s, lasts: 36 s, chips: 1}]\n")
    text = capsim(*words, "--domain", "1", "--quiet", "--policy", "fcfs").stdout
    assert "fcfs, reservation 1: 0.010 chip-hours, 0.0 % used, 100.0 % idle" in text
    governed.write_text("tenants: {user 9: {quota: 1}}\n")
    assert "1:11: the trace has no tenant `user 9`" in capsim(*words, *more).stderr


def test_replay_of_an_empty_trace(tmp_path: Path, capsim: Command) -> None:
    path = tmp_path / "e.swf"
    path.write_text("; MaxProcs: 4\n")
    assert "0 jobs scheduled" in capsim("trace", "replay", path).stdout


@pytest.mark.parametrize("depth", [1, 3])
def test_a_reservation_depth_is_the_obvious_schedulers(depth: int, tmp_path: Path, capsim: Command) -> None:
    rows = crowded(depth, 150, 32, 1.5)
    lines = [f"{j},{submit},{size},{run},{asked}" for j, (submit, size, run, asked) in enumerate(rows)]
    path, out = tmp_path / "crowded.csv", tmp_path / "starts.csv"
    path.write_text("\n".join(["job,submit,size,run,requested", *lines]) + "\n")
    words = ["trace", "replay", path, "--chips", "32", "--out", out, "--quiet"]
    done = capsim(*words, "--policy", "conservative", "--depth", str(depth))
    assert done.exit_code == 0, done.stderr
    starts = [float(line.split(",")[1]) for line in out.read_text().splitlines()[1:]]
    clipped = [(submit, size, min(run, asked), asked) for submit, size, run, asked in rows]
    assert starts == obvious(clipped, 32, depth)
    named = capsim(*words, "--policy", f"conservative:{depth},conservative")
    assert named.exit_code == 0, named.stderr
    assert out.read_text().splitlines()[0] == f"job,start_conservative:{depth},start_conservative"


def test_a_wrong_depth_says_what_to_write(table: Path, capsim: Command) -> None:
    for words, said in (
        (["easy", "--depth", "3"], "--policy conservative"),
        (["conservative", "--depth", "0"], "from 1 on"),
        (["conservative:x"], "from 1 on"),
    ):
        done = capsim("trace", "replay", table, "--chips", "8", "--policy", *words)
        assert done.exit_code == 2
        assert said in done.stderr


def test_quantiles_of_long_traces_stand_apart() -> None:
    lines = quantile_lines({"run time, s": {"p99": 254_758.4, "max": 4_628_226.0}})
    assert lines[1].split() == ["run", "time,", "s", "254,758.4", "4,628,226.0"]
