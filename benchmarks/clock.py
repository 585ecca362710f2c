"""Clock: what a request costs, measured so that neighbours on the machine and rows of the table do not count.

Every case has a process of its own, as an application has, because the interpreter specializes its code for what runs
in the process. The processes take turns, batch by batch, so that a slow moment of the machine meets all of them. Of the
batches of one process the fastest counts, because a disturbance only adds. Hash seeds and the layout of memory move
figures by some per cent: several generations of processes are measured, each forked from a fresh interpreter, and the
median of their ratios is reported (`results.Results`).
"""

from __future__ import annotations

import gc
from itertools import repeat
from multiprocessing import get_context
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from benchmarks.apart import apart
from benchmarks.case import ENVIRON
from benchmarks.table import CASES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection

    from benchmarks.case import Application, Case

GENERATIONS: Final = 7
BATCH: Final = 0.0005  # seconds, about: short enough to find a quiet moment
WARM: Final = 2000  # requests, before any counts
WARM_AGAIN: Final = 20  # at least, before each batch: two would do for a small function, but not for a framework
MORE: Final = "more"
ENOUGH: Final = "enough"


def fastest(cases: Sequence[Case], rounds: int) -> dict[str, list[float]]:
    """The microseconds of one request to each case in each generation, by key."""
    keys = [case.key for case in cases]
    found = [apart(_generation, keys, max(rounds // GENERATIONS, 1)) for _ in range(GENERATIONS)]
    return {key: [seconds[key] * 1e6 for seconds in found] for key in keys}


def _generation(keys: Sequence[str], rounds: int) -> dict[str, float]:
    """The parent of a generation: has imported all, has run nothing, and forks a process for each case."""
    context = get_context("fork")
    workers: dict[str, Connection] = {}
    for key in keys:
        here, there = context.Pipe()
        inherited = [*workers.values(), here]
        context.Process(target=_work, args=(key, there, inherited), daemon=True).start()
        there.close()
        workers[key] = here
    best = dict.fromkeys(workers, float("inf"))
    for here in workers.values():
        here.recv()  # it is warm
    for _ in range(rounds):
        for key, here in workers.items():
            here.send(MORE)
            best[key] = min(best[key], here.recv())
    for here in workers.values():
        here.send(ENOUGH)
    return best


def _work(key: str, parent: Connection, inherited: Sequence[Connection]) -> None:
    """The process of one case: runs a batch whenever asked, and answers with the seconds of one request."""
    for connection in inherited:
        connection.close()  # otherwise the end of the parent goes unnoticed
    [case] = [case for case in CASES if case.key == key]
    app, environ = case.make(case.app), {**ENVIRON, **case.asks}
    check(case, app)
    gc.collect()
    gc.freeze()
    gc.disable()
    run(app, environ, WARM)
    count = max(int(BATCH / (run(app, environ, 100) / 100)), 1)
    parent.send(MORE)
    while parent.recv() == MORE:
        run(app, environ, max(count // 10 + 1, WARM_AGAIN))  # another process was on the processor
        parent.send(run(app, environ, count) / count)
        gc.collect()


def run(app: Application, environ: dict[str, Any], requests: int) -> float:
    """The seconds of so many requests, each with an environ of its own, its body read and closed as by a server."""
    begun = perf_counter()
    for _ in repeat(None, requests):
        body = app(environ.copy(), start_response)
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
    """Assert that the response is right before it is measured."""
    heads: list[tuple[str, list[tuple[str, str]]]] = []

    def start(status: str, lines: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], object]:
        heads.append((status, lines))
        return write

    found = app({**ENVIRON, **case.asks}, start)
    body = b"".join(found)
    getattr(found, "close", lambda: None)()
    [(status, lines)] = heads
    sent = sorted(_name(name) for name, _ in lines)
    wanted = sorted(map(_name, (*case.own, *case.sends)))
    assert (status, body) == (case.status, case.body), f"{case.key}: {status}, {len(body)} bytes"
    assert sent == wanted, f"{case.key}: {sent}"


def _name(name: str | bytes) -> str:
    """The name of a field in lower case, as some frameworks send it: ASGI in bytes."""
    return (name if isinstance(name, str) else name.decode("latin-1")).lower()
