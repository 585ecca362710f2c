"""How much more two processes of a site answer than one: `python -m benchmarks.processes`.

Each request is some milliseconds of Python, which only one thread of a process runs at a time, and 64 KiB to encode,
which any number of threads do. Eight threads ask all processes in turn, as a proxy would; there is none here. The two
take turns, and the best of three counts. Two processes need two cores, and a bit of a third for who asks: what that
leaves is what the figure says.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from itertools import cycle, islice
from time import perf_counter

from middleware import Compress, Headers, SecurityHeaders, Stack, Timing

REQUESTS, THREADS, ROUNDS = 400, 8, 3
TARGET = "benchmarks.processes:application"


def work(_environ, start_response):
    body = b"".join(b"line %d of a text that is made for this response\n" % n for n in range(20_000))[:65536]
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


application = Stack(Timing(), SecurityHeaders(), Headers(set={"X-App": "demo"}), Compress()).wrap(work)


def started(ending):
    """The port of one more process, which ends with `ending`."""
    command = sys.executable, "-m", "middleware", "serve", TARGET, "--listen", "127.0.0.1:0"
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    ending.callback(process.wait)
    ending.callback(process.terminate)
    return next(int(found[1]) for line in process.stdout if (found := re.match(r"Serving on .*:(\d+)$", line)))


def ask(ports):
    """Ask each of them in turn, each on one connection."""
    connections = [HTTPConnection("127.0.0.1", port) for port in dict.fromkeys(ports)]
    for connection, _ in zip(cycle(connections), ports, strict=False):
        connection.request("GET", "/", headers={"Accept-Encoding": "gzip"})
        response = connection.getresponse()
        assert (response.status, response.headers["Content-Encoding"]) == (200, "gzip")
        response.read()
    for connection in connections:
        connection.close()


def rate(ports):
    """Requests a second."""
    each = REQUESTS // THREADS
    shares = [list(islice(cycle(ports), number, number + each)) for number in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as threads:
        begun = perf_counter()
        list(threads.map(ask, shares))
        return REQUESTS / (perf_counter() - begun)


def main():
    """Measure, and print three lines."""
    with ExitStack() as ending:
        ports = [started(ending) for _ in range(2)]
        rates = [(rate(ports[:1]), rate(ports)) for _ in range(ROUNDS)]
    one, two = map(max, zip(*rates, strict=True))
    print(f"{os.cpu_count()} cores")
    print(f"1 process     {one:7.0f} requests/s")
    print(f"2 processes   {two:7.0f} requests/s, x {two / one:.2f}")


if __name__ == "__main__":
    main()
