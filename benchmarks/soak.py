"""Many requests of every kind, each answer checked, and what they leave behind: `python -m benchmarks.soak`.

The server is waitress, in a process of its own, with all layers and the application of soak_site.py; what is asked, and
what has to come back, is in soak_kinds.py. Threads ask on connections that they keep; after a warm-up, for some
seconds or so many requests. Whatever is wrong is counted, and is exit status 1. How the process grows is shown, and is
no fault: what the allocator of C keeps is luck, and `--site benchmarks.soak_site:bare` shows how much of it the server
has by itself. Blocks of memory that grow with the requests are one.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import re
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, IncompleteRead

from benchmarks.soak_kinds import KINDS, faults
from benchmarks.soak_site import ORIGIN

SITE = "benchmarks.soak_site:application"
PATIENCE = 30  # seconds until a step gives up; nothing waits for as long as that
SHOWN = 10  # faults
TICK, TICKS = 0.05, 200  # how often, and how often at most, it is looked whether the server is through
SLACK, PER_REQUEST = 1500, 0.1  # blocks that may be more: what is made once, and what the server keeps
MEMORY = {
    "resident": "KiB that the process has",
    "given out": "KiB that malloc has given out",
    "blocks": "blocks that Python has allocated",
    "objects": "objects that the collector knows",
}
ROWS = [(kind, site) for kind in KINDS for site in kind.sites]


@contextmanager
def started(site, threads):
    """The port of the server, which ends with the block."""
    command = sys.executable, "-m", "middleware", "serve", site, "--listen", "127.0.0.1:0", "--threads", str(threads)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield next(int(found[1]) for line in process.stdout if (found := re.match(r"Serving on .*:(\d+)$", line)))
    finally:
        process.terminate()
        process.wait(PATIENCE)
        process.stdout.close()


# -- asking ------------------------------------------------------------------------------------------------------------


class Load:
    """Threads that ask rows of every kind in an order of chance, and what they found.

    Attributes:
        asked: the rows, each with how often it was.
        wrong: what was wrong, each with how often it was.
    """

    def __init__(self, port, threads):
        self.port, self.threads = port, threads
        self.asked, self.wrong = Counter(), Counter()
        self._numbers = itertools.count()

    def run(self, requests=None, seconds=None):
        """Ask so many requests, or for so long; return the seconds that it took."""
        begun = time.monotonic()
        ends = None if seconds is None else begun + seconds
        shares = itertools.count() if requests is None else iter(range(requests))
        with ThreadPoolExecutor(self.threads) as threads:
            for asked, wrong in threads.map(lambda _: self._ask_on(shares, ends), range(self.threads)):
                self.asked += asked
                self.wrong += wrong
        return time.monotonic() - begun

    def _ask_on(self, shares, ends):
        """Be one thread."""
        asked, wrong = Counter(), Counter()
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        for row, _ in zip(self._rows(), shares, strict=False):
            if ends is not None and time.monotonic() >= ends:
                break
            asked[row] += 1
            wrong.update(f"{row[0].name}: {fault}" for fault in self._faults(connection, *row))
        connection.close()
        return asked, wrong

    def _rows(self):
        """All rows in an order of chance, again and again."""
        chance = random.Random(next(self._numbers))  # noqa: S311 - the same orders each time
        while True:
            yield from chance.sample(ROWS, len(ROWS))

    def _faults(self, connection, kind, site):
        path = f"/{site}/{kind.route}/{next(self._numbers)}"
        try:
            return [*_ask(connection, kind, path)] if not kind.leaves else [*_leave(self.port, kind, path)]
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no answer
            connection.close()
            return [repr(error)]


def _fields(kind):
    return {"Host": "localhost", "Origin": ORIGIN, **kind.asks}


def _ask(connection, kind, path):
    """Ask, read the answer to its end, and say what is wrong with it."""
    body = iter([kind.sends[:999], kind.sends[999:]]) if kind.chunked else kind.sends
    connection.request(kind.method, path, body, _fields(kind), encode_chunked=kind.chunked)
    response = connection.getresponse()
    cut = False
    try:
        received = response.read()
    except IncompleteRead as error:
        received, cut = error.partial, True
        connection.close()
    return faults(kind, path, response, received, cut=cut)


def _leave(port, kind, path):
    """Go away without a goodbye when the head is there: the server is told by a reset."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in _fields(kind).items())
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as wire:
        wire.sendall(f"{kind.method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1"))
        received = b""
        while b"\r\n\r\n" not in received and (data := wire.recv(1 << 16)):
            received += data
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if not received.startswith(b"HTTP/1.1 200 "):
        yield f"answered by {received[:40]!r}"


# -- what the server says ----------------------------------------------------------------------------------------------


def figures(port):
    """What the process of the server holds."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", "/figures")
    found = json.loads(connection.getresponse().read())
    connection.close()
    counts = found["counts"]
    found["open"] = counts.get("opened", 0) - counts.get("closed", 0)
    found["ends"] = {what.removeprefix("end "): n for what, n in sorted(counts.items()) if what.startswith("end ")}
    return found


def settled(port, asked):
    """The same once everything is over that was asked; whoever went away is noticed a moment later."""
    for _ in range(TICKS):
        found = figures(port)
        if found["open"] <= 0 and sum(found["ends"].values()) >= asked.total():
            break
        time.sleep(TICK)
    return found


def expected(asked):
    """How the responses have to end, and how many passed the hooks."""
    ends, torn_down = Counter(), 0
    for (kind, site), count in asked.items():
        ends[(site == "hooked" and kind.hooked) or kind.ends] += count
        torn_down += count if site == "hooked" and kind.answers else 0
    return dict(sorted(ends.items())), torn_down


def failures(load, before, after, measured):
    """What must not be, each with how much of it there was."""
    ends, torn_down = expected(load.asked)
    counts = after["counts"]
    yield "wrong answers", load.wrong.total()
    yield "open iterables", after["open"]
    yield "iterables closed twice", counts.get("closed again", 0)
    yield "ends not reported", load.asked.total() - sum(after["ends"].values())
    yield "ends reported with another error", (Counter(ends) - Counter(after["ends"])).total()
    yield "teardowns missed", torn_down - counts.get("torn down", 0)
    yield "uncollectable objects", after["uncollectable"]
    yield "threads more than before", after["threads"] - before["threads"]
    yield "blocks too many", max(int(after["blocks"] - before["blocks"] - SLACK - measured * PER_REQUEST), 0)


# -- the command -------------------------------------------------------------------------------------------------------


def main():
    """Ask, and print what came of it."""
    options = _options()
    with started(options.site, options.threads) as port:
        load = Load(port, options.threads)
        load.run(options.warm)
        before, warm = settled(port, load.asked), load.asked.total()
        took = load.run(options.requests, None if options.requests else options.seconds)
        after = settled(port, load.asked)
    measured = load.asked.total() - warm
    found = [*failures(load, before, after, measured)]
    print(*_asked(load), *_figures(load, before, after, measured, took), sep="\n")
    print(*(f"{count:9}  {what}" for what, count in [*found, *load.wrong.most_common(SHOWN)]), sep="\n")
    return 1 if any(count for _, count in found) else 0


def _asked(load):
    """Requests by kind."""
    for kind in KINDS:
        yield f"{sum(load.asked[kind, site] for site in kind.sites):9}  {kind.name}"


def _figures(load, before, after, measured, took):
    """What was measured."""
    left = sum(count for (kind, _), count in load.asked.items() if kind.leaves)
    total = load.asked.total()
    yield f"{total:9}  requests, {total - measured} of them before it is measured"
    yield f"{total - left:9}  responses read to their end; {left} clients went away"
    yield f"{measured / took:9.0f}  requests/s, both sides on {os.cpu_count()} cores"
    for what, unit in MEMORY.items():
        grown = after[what] - before[what]
        yield f"{grown:+9}  {unit}, from {before[what]}: {grown / measured * 1000:+.1f} in 1000 requests"
    yield f"{sum(after['ends'].values()):9}  ends reported: {_told(after['ends'])}"
    yield f"{after['counts'].get('torn down', 0):9}  teardowns of hooks"
    yield f"{after['threads']:9}  threads, {before['threads']} before"


def _told(ends):
    return ", ".join(f"{count} by {name if name != 'NoneType' else 'no error'}" for name, count in ends.items())


def _options():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__.partition(":")[0])
    parser.add_argument("--seconds", type=float, default=60, help="how long (default: 60)")
    parser.add_argument("--requests", type=int, help="so many requests instead")
    parser.add_argument("--warm", type=int, default=5000, help="requests before it is measured (default: 5000)")
    parser.add_argument("--site", default=SITE, metavar="MODULE:APP", help=f"what is served (default: {SITE})")
    parser.add_argument("--threads", type=int, default=8, help="of the server, and who ask (default: 8)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
