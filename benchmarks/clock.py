"""Clock: what a request costs, measured so that neighbours on the machine and rows of the table do not count.

Every case has a process of its own, as an application has: Python fits its code to what runs in the process. The
processes take turns, batch by batch, so that a slow moment of the machine meets all of them. The fastest batch counts:
whatever disturbs only adds. Several generations of processes: where things lie in memory is luck too.
"""

from __future__ import annotations

import gc
from itertools import repeat
from multiprocessing import get_context
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from benchmarks.case import ENVIRON, PAGE, STATUS, page
from benchmarks.table import CASES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection

    from benchmarks.case import Application, Case

GENERATIONS: Final = 5
BATCH: Final = 0.0005  # seconds, about: short enough to find a quiet moment
WARM: Final = 2000  # requests, before any counts
WARM_AGAIN: Final = 20  # at least, before each batch: two would do for a small function, but not for a framework
MORE: Final = "more"
ENOUGH: Final = "enough"


def fastest(cases: Sequence[Case], rounds: int) -> dict[str, float]:
    """The microseconds of one request to each case, by key."""
    best = {case.key: float("inf") for case in cases}
    for _ in range(GENERATIONS):
        for key, seconds in _generation(cases, max(rounds // GENERATIONS, 1)).items():
            best[key] = min(best[key], seconds * 1e6)
    return best


def _generation(cases: Sequence[Case], rounds: int) -> dict[str, float]:
    context = get_context("spawn")
    workers = []
    for case in cases:
        here, there = context.Pipe()
        process = context.Process(target=_work, args=(case.key, there), daemon=True)
        process.start()
        there.close()
        workers.append((case.key, here, process))
    best = {key: float("inf") for key, _, _ in workers}
    for _, here, _ in workers:
        here.recv()  # it is warm
    for _ in range(rounds):
        for key, here, _ in workers:
            here.send(MORE)
            best[key] = min(best[key], here.recv())
    for _, here, process in workers:
        here.send(ENOUGH)
        process.join()
    return best


def _work(key: str, parent: Connection) -> None:
    """Be the process of one case: run a batch whenever asked, answer with the seconds of one request."""
    [case] = [case for case in CASES if case.key == key]
    app = case.make(page)
    check(case, app)
    gc.collect()
    gc.freeze()
    gc.disable()
    run(app, WARM)
    count = max(int(BATCH / (run(app, 100) / 100)), 1)
    parent.send(MORE)
    while parent.recv() == MORE:
        run(app, max(count // 10 + 1, WARM_AGAIN))  # the processor was somewhere else
        parent.send(run(app, count) / count)
        gc.collect()


def run(app: Application, requests: int) -> float:
    """The seconds of so many requests, each with an environ of its own, its body read and closed as by a server."""
    begun = perf_counter()
    for _ in repeat(None, requests):
        body = app(ENVIRON.copy(), start_response)
        for _chunk in body:
            pass
        close = getattr(body, "close", None)
        if close is not None:
            close()
    return perf_counter() - begun


def start_response(_status: str, _lines: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], object]:
    """Do nothing with the head, as a server that costs nothing."""
    return write


def write(_data: bytes) -> None:
    """Do nothing with a chunk."""


def check(case: Case, app: Application) -> None:
    """See that the response is right before it is measured."""
    heads: list[tuple[str, list[tuple[str, str]]]] = []

    def start(status: str, lines: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], object]:
        heads.append((status, lines))
        return write

    body = b"".join(app(ENVIRON.copy(), start))
    [(status, lines)] = heads
    sent = sorted(_name(name) for name, _ in lines)
    wanted = sorted(map(_name, ("Content-Type", "Content-Length", *case.sends)))
    assert (status, body) == (STATUS, PAGE), f"{case.key}: {status}, {len(body)} bytes"
    assert sent == wanted, f"{case.key}: {sent}"


def _name(name: str | bytes) -> str:
    """The name of a field in lower case, as some frameworks send it: ASGI in bytes."""
    return (name if isinstance(name, str) else name.decode("latin-1")).lower()
