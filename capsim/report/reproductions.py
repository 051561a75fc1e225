"""docs/reproductions.md: published results of scheduling, what capsim gives, and why they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from capsim.report.validation import truth_folder
from capsim.study import reproductions
from capsim.study.reproductions import Table


@dataclass(frozen=True)
class Section:
    """One result: what is expected and by whom, what came out, and why where they differ."""

    title: str
    setting: str
    expected: str
    found: str
    table: Callable[[Path], Table]


SECTIONS = (
    Section(
        "Exact starts",
        """Jobs of each trace whose start equals the one in the exact schedules (truth/scheduling).""",
        """All of them: three independent implementations agree on every start, FCFS also with AccaSim 1.1.3
        and pyss.""",
        """All of them.""",
        lambda base: reproductions.exact_starts(base / "truth" / "scheduling"),
    ),
    Section(
        "Inflated estimates",
        """`lublin_10k` on 256 chips; the requested time of every job is a multiple of its run time.""",
        """Overestimates do not hurt backfilling and often help: Zotkin & Keleher (HPDC 1999), Mu'alem &
        Feitelson (TPDS 2001: doubled estimates). Tsafrir & Feitelson (IISWC 2006) explain it:
        early ends open holes into which short jobs slip, so the schedule comes nearer to shortest
        job first, at the expense of wide jobs. (Recalled, not from a file of this project.)""",
        """As expected for the mean wait over jobs and the median slowdown, which fall under EASY, and for
        the price: waits weighted by chip-time rise. Both gain more under conservative, whose mean slowdown
        goes up and down without a trend. Different: the *mean* slowdown under EASY does not fall, or hardly.
        Jobs under a minute are 40 % of all and make 93 % of its sum, and their mean wait is 5.8 h with exact
        estimates and 5.6 to 7.1 h with others; a likely reason is that they fitted almost any hole before,
        and look longer now.""",
        lambda base: reproductions.estimates(base / "truth" / "scheduling"),
    ),
    Section(
        "EASY against conservative",
        """`lublin_10k` on 256 chips, exact estimates; intervals over blocks of days of submissions.""",
        """The ranking depends on the metric: Feitelson (TPDS 2005, recalled) finds EASY ahead in response
        time and conservative in slowdown on such workloads. The truth tables give the means: wait
        97,155.995 and 131,567.509 s, slowdown 590.05 and 489.20.""",
        """As expected, for the slowdown with an interval that just leaves out 0; and the means are equal to
        all digits. Weighted by chip-time the order of the waits turns round: EASY protects only the head of
        the queue, conservative every wide job.""",
        lambda base: reproductions.by_metric(base / "truth" / "scheduling"),
    ),
    Section(
        "The order of one instant",
        """EASY with the other orders of docs/traces.md (`--same-instant`) against capsim's own: share of the
        jobs whose start moved, change of the mean wait. The second clock ticks every 10 minutes:
        submissions rounded down, durations up.""",
        """The project's design reports that another order moved the mean wait of one synthetic trace by 10 %
        and the start of half its jobs. It names neither the trace nor the order.""",
        """On the traces' own clock of seconds few events coincide: up to 5 % of the starts move, mean waits
        by under half a percent. On the coarse clock the effect is as large as reported on `lublin_10k`
        (synthetic: 89 % of the starts, 10 % of the mean wait, one by one 20 %); on the other traces 11 to 64
        % of the starts move, the mean wait by 0.4 to 27 %. It falls with all of them. Ends first never
        differs from capsim's order: its second pass only adds jobs at the end of the queue. Submissions
        first lets new jobs be backfilled onto chips that the ends of the same instant would have given to
        the head; one by one does so too, and gives the chips of each end away before the next end.""",
        lambda base: reproductions.same_instant(base / "truth" / "scheduling"),
    ),
    Section(
        "Philly: the order of the queue",
        """Microsoft's Philly jobs (82,247, most of one GPU; run times without queueing and failures) on 512
        and 640 chips, exact estimates; intervals over blocks of days of submissions.""",
        """Gu et al. (Tiresias, NSDI 2019): FIFO is worst by a multiple (mean completion time up to 5.5 times
        that of Tiresias on their testbed, under YARN as used in production), least attained service, which
        knows no run times, close to shortest first. (Recalled; their jobs are another cut of the same
        cluster.)""",
        """As expected: FIFO is worst by a multiple, which depends on the load. That is 0.73 and 0.58 at the
        mean, but on 30 and 21 of the 109 days more work is submitted than a day can do, and in the queues of
        these weeks short jobs wait behind long ones. EASY fills holes and keeps the order: 11 and 15 % less.
        Least attained service with its default thresholds, the median and 90 % of the jobs' service (0.33
        and 3.5 chip-hours), beats shortest job first, which does not preempt here, at 640 chips; at 512 it
        falls behind by its long jobs. Thresholds of 1, 10 and 100 chip-hours bring it close again (jobs
        above 100 are 2 % of all and 82 % of the work). Its median is 40 to 60 % of that of shortest job
        first: short jobs do not wait for one that has run for hours. Stops are free here, so the figures
        flatter it.""",
        lambda base: reproductions.philly(base / "traces"),
    ),
    Section(
        "Philly on two chip types: Sia against Gavel",
        """The 11,514 Philly jobs of two weeks (days 56 to 70) on fast and slow chips, rounds of 6 minutes,
        30 s for a restart (`las` stops at no cost). Assumed, as the trace says neither: three equally
        frequent classes run on slow chips at 0.25, 0.5 and 0.8 of their speed; elastic jobs have 1 to 64
        chips, and 5 or 20 % of the work of one chip does not scale. Differences are to `gavel-throughput`,
        the policy of Gavel that the authors' artifact compares with by default.""",
        """Jayaram Subramanya et al. (Sia, SOSP 2023, abstract): on 44 to 64 GPUs of three types the mean
        completion time is 30 to 93 % below that of other schedulers, the 99th percentile and the makespan 28
        to 95 %, the GPU-hours 12 to 55 %. Their jobs adapt batch sizes and are measured as they run; here
        neither is modelled, and for jobs of fixed size we know no figure of theirs.""",
        """As expected for elastic jobs: the mean completion time and its 99th percentile are half those of
        Gavel's throughput policy; where a fifth of the work does not scale, 37 and 41 % less. Rigid jobs
        gain 8 %, an interval that just leaves out 0, with a fourteenth of the stops: r keeps jobs where they
        are. Different: the makespan is only 18 and 9 % shorter. Jobs come for 14 of Gavel's 23.6 days, so no
        policy could save more than 41 %. And the chip-hours do not fall. Until its last job ends Gavel's
        throughput policy uses 59 % of the machine, elastic jobs 87 %: they stretch onto chips that nobody
        waits for, at less work a chip, slow ones too. `las` and `fcfs` hold a job on the type where it
        began, so that the last long jobs end on slow chips.""",
        lambda base: reproductions.elastic_jobs(base / "traces"),
    ),
    Section(
        "Gangs of 64 in racks of 72",
        """64 racks of 72 chips; nine jobs in ten small, four fifths of the work in gangs of 64 to 1,024;
        EASY. *No segments*: a gang takes whole racks and a part of one more. *64 of 72*: 64 of
        each rack, the other 8 held as spares; *locality off*: all racks alike; *on*: blocks of 8
        racks, and 0.85 of the speed (assumed) for each doubling of the blocks that a gang spans.""",
        """By arithmetic, spares are an eighth of the work of gangs above a rack (in brackets), so the fleet
        is full at a load of 0.91. Jeon et al. (ATC 2019, recalled) saw in Philly that asking for
        locality makes gangs wait, and that giving it up costs speed.""",
        """With locality off spares are as computed, to the digits shown, and waits begin to run away near
        the computed load. With locality on, gangs that span blocks hold their chips longer: more
        spares than computed, waits two to eight times as long, and the fleet is full at a load of 0.8.
        Free chips while jobs wait are a few percent; they fall where the queue is long enough to
        fill every hole.""",
        lambda base: reproductions.fragmentation(),
    ),
)


def reproductions_text(shared: Path | None) -> str:
    """All results as one Markdown document."""
    base = truth_folder(shared).parent
    return "\n".join(line for line in _lines(base)).rstrip() + "\n"


def _lines(base: Path) -> Iterator[str]:
    yield "# Reproductions"
    yield ""
    yield "Written by `capsim validate --reproductions`; do not edit. Figures are defined in docs/traces.md."
    for section in SECTIONS:
        yield ""
        yield f"## {section.title}"
        yield " ".join(section.setting.split())
        yield ""
        yield "**Expected.** " + " ".join(section.expected.split())
        yield ""
        yield "**Found.** " + " ".join(section.found.split())
        yield ""
        yield from markdown(section.table(base))


def markdown(table: Table) -> Iterator[str]:
    """A table of Markdown; columns of numbers are aligned right."""
    yield "| " + " | ".join(table.heading) + " |"
    numbers = [cell.replace(",", "").lstrip("+-")[:1].isdigit() for cell in table.rows[0]]
    yield "|" + "|".join("--:" if number else "---" for number in numbers) + "|"
    for row in table.rows:
        yield "| " + " | ".join(row) + " |"
