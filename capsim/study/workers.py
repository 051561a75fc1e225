"""Worlds simulated in this process or over worker processes.

A *world* is one (case, run). All strategies of a world are simulated back to back in the same process,
because the draws of a world are made once and kept there; only the last worlds are handed out strategy by
strategy, so that the workers end together. Worlds are handed out in the plan's order; a worker that is killed
is noticed at once, and workers end by themselves when the parent is gone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from capsim.errors import CapsimError, InputError
from capsim.results.columns import canonical
from capsim.results.digest import run_digest
from capsim.results.schema import RunResult

#: seconds between two looks of a worker at whether its parent still lives.
PARENT_WATCH = 0.5

Prepared = Mapping[tuple[str, str], Any]
"""What `prepare` made for each (strategy, case)."""

Simulate = Callable[[Any, int], RunResult]
"""One run of a prepared strategy; for more than one worker under `spawn` it must be importable."""


@dataclass(frozen=True)
class Task:
    """A world and the strategies still to be simulated in it."""

    case: str
    run: int
    strategies: tuple[str, ...]


@dataclass(frozen=True)
class Finished:
    """A finished run, canonical, with its digest."""

    result: RunResult
    digest: str


def default_start_method() -> str:
    """`CAPSIM_START_METHOD` where set; else `fork` where there is one (workers inherit the kernel)."""
    chosen = os.environ.get("CAPSIM_START_METHOD")
    available = multiprocessing.get_all_start_methods()
    return chosen if chosen in available else ("fork" if "fork" in available else "spawn")


def simulate_all(
    tasks: Sequence[Task],
    prepared: Prepared,
    simulate: Simulate,
    workers: int,
    start_method: str | None = None,
) -> Generator[Finished, None, None]:
    """Yield every run of `tasks` as it finishes; closing the iterator ends the workers.

    With one worker everything happens in this process. Raises CapsimError when a worker is killed or a
    simulation fails; what was yielded before stays good.
    """
    count = min(workers, len(tasks))
    if count <= 1:
        for task in tasks:
            for strategy in task.strategies:
                yield _simulate_one(prepared, simulate, task, strategy)
        return
    context = multiprocessing.get_context(start_method or default_start_method())
    pool = [_Worker(context, prepared, simulate) for _ in range(count)]
    try:
        yield from _drive(pool, _end_together(tasks, count))
    finally:
        for worker in pool:
            worker.end()


def _end_together(tasks: Sequence[Task], workers: int) -> list[Task]:
    """The same tasks, of which the last, one a worker, are split by strategy."""
    last = [Task(t.case, t.run, (s,)) for t in tasks[-workers:] for s in t.strategies]
    return [*tasks[:-workers], *last]


def _simulate_one(prepared: Prepared, simulate: Simulate, task: Task, strategy: str) -> Finished:
    try:
        result = canonical(simulate(prepared[strategy, task.case], task.run))
    except CapsimError as error:
        kind = InputError if isinstance(error, InputError) else CapsimError
        raise kind(f"run {task.run} of {strategy}, case {task.case}: {error}") from error
    return Finished(result, run_digest(result))


def _drive(pool: list[_Worker], waiting: list[Task]) -> Iterator[Finished]:
    waiting.reverse()
    for worker in pool:
        worker.start(waiting.pop())
    busy = list(pool)
    while busy:
        ready = wait([worker.connection for worker in busy])
        for worker in [w for w in busy if w.connection in ready]:
            finished = worker.receive()
            if worker.idle and waiting:
                worker.start(waiting.pop())  # before what finished is stored: that takes a while
            elif worker.idle:
                busy.remove(worker)
            yield finished


class _Worker:
    """The parent's end of one worker process."""

    def __init__(self, context: Any, prepared: Prepared, simulate: Simulate) -> None:
        self.connection: Connection
        self.connection, theirs = context.Pipe()
        self._task: Task | None = None
        self._left = 0  # runs of the task that are not received yet
        self._process = context.Process(
            target=_work,
            args=(theirs, self.connection, prepared, simulate),
            name="capsim-worker",
            daemon=True,
        )
        self._process.start()
        theirs.close()

    def start(self, task: Task) -> None:
        """Hand a world to the worker."""
        self._task, self._left = task, len(task.strategies)
        with suppress(BrokenPipeError):  # noticed as the end of the worker when its answer is awaited
            self.connection.send(task)

    @property
    def idle(self) -> bool:
        """Whether every run of its world was received."""
        return self._left == 0

    def receive(self) -> Finished:
        """The next finished run."""
        task = self._task
        assert task is not None
        try:
            message = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self._process.join(timeout=5)
            raise CapsimError(
                f"a worker process ended ({_exit_text(self._process.exitcode)}) "
                f"in run {task.run} of case {task.case}; "
                "finished runs are kept: repeat with --resume, with fewer --workers if memory was short"
            ) from None
        if isinstance(message, CapsimError):
            raise message
        if isinstance(message, str):
            raise RuntimeError(f"run {task.run} of case {task.case} failed in a worker:\n{message}")
        assert isinstance(message, Finished)
        self._left -= 1
        return message

    def end(self) -> None:
        """Stop the worker, whatever it does."""
        self.connection.close()
        if self._process.is_alive():
            self._process.terminate()
        self._process.join(timeout=2)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _exit_text(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit {code}"


def _work(connection: Connection, parents_end: Connection, prepared: Prepared, simulate: Simulate) -> None:
    """Main function of a worker."""
    parents_end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            task = connection.recv()
            try:
                for strategy in task.strategies:
                    connection.send(_simulate_one(prepared, simulate, task, strategy))
            except CapsimError as error:
                connection.send(error)
            except (EOFError, BrokenPipeError, ConnectionResetError):
                raise
            except Exception:
                connection.send(traceback.format_exc())


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_WATCH)
    os._exit(1)
