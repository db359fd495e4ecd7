"""The runs of several plans, their notebooks in one pool of workers.

Each plan's run is what it is alone: its own lock, ledger, folder and `latest`, put in place as soon as its last
notebook has ended. Runs are opened one after the other, as workers become free, so that few are open at a time. One
that fails, or that another process holds, stops no other.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from planlib.core.errors import InputError
from planlib.workbook import lock
from planlib.workbook.failures import LockHeld, RunError
from planlib.workbook.graph import read_graph
from planlib.workbook.memory import ASSUMED_PEAK_BYTES, Memory
from planlib.workbook.outcome import Event, RunOutcome, Waiting
from planlib.workbook.remains import end_processes
from planlib.workbook.runner import PlanRun, RunnablePlan, check, cores, make_plan_dir, telling
from planlib.workbook.schedule import Lane, Schedule

PORTFOLIO = "portfolio"  # a folder beside the plans' own
_POOLS = ".pool-*"
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A run that is wanted of a plan; most fields are arguments of `runner.run`.

    Attributes:
        prepare: called with the plan's lock held, returns the order that is run in place of this one, of the same id.
        ended: called with the lock held when the run has ended, well or not.
    """

    plan: RunnablePlan
    only: tuple[str, ...] = ()
    fresh: bool = False
    alone: bool = False
    review: Mapping[str, Any] | None = None
    complete: Callable[[Path], None] = lambda folder: None
    prepare: Callable[[], Order] | None = None
    ended: Callable[[RunOutcome], None] = lambda outcome: None


Ending = RunOutcome | Exception


def run_many(
    orders: Sequence[Order],
    *,
    project_root: str | Path,
    out_root: str | Path,
    jobs: int | None = None,
    memory_bytes: float | None = None,
    locale: str = "zh",
    timeout: float | None = None,
    wait_seconds: float = 0.0,
    progress: Callable[[str, Event], None] = lambda plan_id, event: None,
    settled: Callable[[int, int, float], None] = lambda jobs, peak_bytes, total_bytes: None,
) -> dict[str, Ending]:
    """Run several plans; their ids differ.

    Args:
        orders: in which order they begin.
        jobs, memory_bytes, timeout, wait_seconds: as of `runner.run`, over all of them together; a plan that
            another process runs is left for later, and waited for so long.
        progress: called with a plan's id and every event of its run.
        settled: called when memory allows fewer notebooks at once than there are cores: how many, what a worker has
            held at most, what there is for all.

    Returns:
        plan id -> how its run ended, or the error for which there is none.

    Raises:
        InputError: workbook.yaml or the arguments are wrong; nothing has been written.
        KeyboardInterrupt: after everything has been ended and partial notebooks kept.
    """
    root, out = Path(project_root).resolve(), Path(out_root).absolute()
    graph = read_graph(root)
    for order in orders:
        check(order.plan, locale=locale, jobs=jobs, timeout=timeout, out=out)

    def opened(order: Order, stack: contextlib.ExitStack) -> PlanRun:
        plan_dir, held = out / order.plan.id, order.prepare is not None
        if order.prepare is not None:
            make_plan_dir(plan_dir)
            stack.enter_context(lock.hold(plan_dir))
            order = order.prepare()
        of_order = graph.alone(graph.named(order.only)) if order.alone else graph
        return PlanRun.open(
            order.plan, stack, root=root, plan_dir=plan_dir, held=held, graph=of_order,
            wanted=of_order.subset(order.only), locale=locale, fresh=order.fresh, jobs=jobs or cores(),
            timeout=timeout, wait_seconds=0.0, progress=partial(progress, order.plan.id), review=order.review,
            complete=order.complete,
        )  # fmt: skip

    workers = {"jobs": jobs or cores(), "memory": Memory(memory_bytes)}
    cap = _Cap(**workers, settled=settled)
    with (
        _pool_folder(out) as folder,
        _Queue(orders, opened, out, progress, wait_seconds, cap) as queue,
        Schedule(queue, folder=folder, project_root=root, **workers) as schedule,
    ):
        schedule.work()
    return {order.plan.id: queue.endings[order.plan.id] for order in orders}


class _Cap:
    """Says it once when memory allows fewer workers than the cores."""

    def __init__(self, *, jobs: int, memory: Memory, settled: Callable[[int, int, float], None]):
        self.memory = memory
        self.settled = settled
        self.told = jobs

    def look(self) -> None:
        fit = self.memory.workers()
        if fit < self.told:
            self.told = fit
            self.settled(fit, self.memory.peak_bytes or ASSUMED_PEAK_BYTES, self.memory.total_bytes)


class _Queue:
    """The runs that wait, those whose notebooks are at work, and those that are being completed beside them."""

    def __init__(
        self,
        orders: Sequence[Order],
        opened: Callable[[Order, contextlib.ExitStack], PlanRun],
        out: Path,
        progress: Callable[[str, Event], None],
        wait_seconds: float,
        cap: _Cap,
    ):
        self.cap = cap
        self.opened = opened
        self.out = out
        self.progress = progress
        self.wait_seconds = wait_seconds
        self.pending = deque(orders)
        self.held_until: dict[str, float] = {}
        self.open: dict[Lane, tuple[PlanRun, contextlib.ExitStack]] = {}
        self.completing: list[tuple[Future, PlanRun, contextlib.ExitStack]] = []
        self.endings: dict[str, Ending] = {}
        self.heard = {order.plan.id: order.ended for order in orders}
        self.beside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="complete")

    def __enter__(self) -> _Queue:
        return self

    def __exit__(self, kind: object, error: BaseException | None, *_: object) -> None:
        """Leave no run open: what could not end is kept for reading."""
        self.beside.shutdown(wait=True, cancel_futures=True)
        self.look()
        for run, stack in [*self.open.values(), *((run, stack) for _, run, stack in self.completing)]:
            with stack:
                run.give_up(error or RuntimeError("the schedule ended"))

    def next(self, *, idle: bool) -> Lane | None:
        """Open another run; one whose plan somebody else runs goes to the end."""
        for _ in range(len(self.pending)):
            order = self.pending.popleft()
            lane = self._begin(order)
            if lane is not None:
                return lane
        if idle and (self.pending or self.completing):
            time.sleep(_LOOK_SECONDS)
        return None

    def waiting(self) -> bool:
        return bool(self.pending or self.completing)

    def ended(self, lane: Lane) -> None:
        self._end(*self.open.pop(lane))

    def broke(self, lane: Lane, error: Exception) -> None:
        self._break(*self.open.pop(lane), error)

    def look(self) -> None:
        """Put runs in place that are complete."""
        self.cap.look()
        for entry in [entry for entry in self.completing if entry[0].done()]:
            self.completing.remove(entry)
            future, run, stack = entry
            error = None if future.cancelled() else future.exception()
            if future.cancelled() or error is not None:
                self._break(run, stack, error or RuntimeError("cancelled"))
            else:
                self._close(run, stack, run.put_in_place)

    def _begin(self, order: Order) -> Lane | None:
        """Return the lane of a run that has begun; None when it waits, has ended already or cannot begin."""
        plan_id = order.plan.id
        stack = contextlib.ExitStack()
        try:
            with telling(self.out / plan_id):
                run = self.opened(order, stack)
                outcome = run.begin()
                lane = run.lane() if outcome is None else None
                if outcome is not None:
                    self.heard[plan_id](outcome)
        except LockHeld as error:
            stack.close()
            self._later(order, error)
            return None
        except Exception as error:
            stack.close()
            self.endings[plan_id] = error
            return None
        if lane is None:
            stack.close()
            self.endings[plan_id] = outcome
            return None
        if not run.todo():
            self._end(run, stack)
            return None
        self.open[lane] = (run, stack)
        return lane

    def _later(self, order: Order, error: LockHeld) -> None:
        plan_id = order.plan.id
        if plan_id not in self.held_until:
            self.held_until[plan_id] = time.monotonic() + self.wait_seconds
            self.progress(plan_id, Waiting(lock.read_holder(self.out / plan_id)))
        if time.monotonic() < self.held_until[plan_id]:
            self.pending.append(order)
        else:
            self.endings[plan_id] = error

    def _end(self, run: PlanRun, stack: contextlib.ExitStack) -> None:
        """Let a whole run be completed beside the others, and tell a failed one."""
        try:
            whole = run.settle()
        except Exception as error:
            self._break(run, stack, error)
            return
        if whole:
            self.completing.append((self.beside.submit(run.complete, run.folder), run, stack))
        else:
            self._close(run, stack, run.fail)

    def _close(self, run: PlanRun, stack: contextlib.ExitStack, last: Callable[[], RunOutcome]) -> None:
        try:
            with telling(run.plan_dir):
                outcome = last()
        except Exception as error:
            self._break(run, stack, error)
            return
        with stack:
            self.heard[run.plan.id](outcome)
        self.endings[run.plan.id] = outcome

    def _break(self, run: PlanRun, stack: contextlib.ExitStack, error: BaseException) -> None:
        with stack:
            run.give_up(error)
        try:
            with telling(run.plan_dir):
                raise error
        except Exception as told:
            self.endings[run.plan.id] = told


@contextlib.contextmanager
def _pool_folder(out: Path) -> Iterator[Path]:
    """Make the folder of the workers' notes and logs; end what a killed run's workers left."""
    home = out / PORTFOLIO
    with telling(home):
        home.mkdir(parents=True, exist_ok=True)
        for left in home.glob(_POOLS):
            if (left / lock.LOCK).is_file() and not lock.is_held(left):
                end_processes(left / "workers")
                shutil.rmtree(left, ignore_errors=True)
        own = home / _POOLS.replace("*", f"{os.getpid()}-{time.time_ns()}")
        own.mkdir()
    try:
        with lock.hold(own):
            yield own / "workers"
    finally:
        shutil.rmtree(own, ignore_errors=True)


def failed(ending: Ending) -> bool:
    """Return whether a plan has no good run for it."""
    return not (isinstance(ending, RunOutcome) and ending.ok)


def reason(ending: Ending, locale: str) -> str:
    """Return why there is no run, in the given language."""
    if isinstance(ending, InputError | RunError):
        return ending.render(locale)
    return f"{type(ending).__name__}: {ending}"
