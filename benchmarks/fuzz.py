"""Requests that are made up to reach what no request has reached yet: `python -m benchmarks.fuzz`.

atheris makes them, guided by the branches of the package that they take; what has to hold of each answer is in
tests/support/invariants.py, as for the tests. An input is a request as one writes it down: the site and the
application as two letters and the method, the path, the fields, an empty line and the content. One that breaks a law
is printed, and is exit status 1.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

SUPPORT = Path(__file__).parents[1] / "tests" / "support"
LONGEST = 1024  # bytes of an input
GRACE = 60  # seconds beyond those asked for, until it counts as stuck
# What chance would take long to find.
WORDS = (
    *("Accept-Encoding: ", "gzip", "br", "zstd", "x-gzip", "identity", "*", ";q=0", ";q=0.5", "deflate", ", "),
    *("Origin: ", "https://app.example", "https://a.app.example", "null", "file://", "OPTIONS", "HEAD", "GET", "PUT"),
    *("Access-Control-Request-Method: ", "Access-Control-Request-Headers: ", "x-a", "content-type"),
    *(
        "Access-Control-Request-Private-Network: true",
        "If-None-Match: ",
        "If-Match: ",
        "If-Range: ",
        "Range: bytes=0-9",
    ),
    *('"v1"', 'W/"v1"', '"v1-gzip"', '"v1-br"', '"v1-zstd"', "Thu, 26 Nov 2026 08:00:00 GMT", "Cookie: ", "Host: "),
    *("X-Echo: ", "Authorization: Basic YTpi", "Content-Type: application/json", "X-Forwarded-For: ", "\r\n"),
    *("Content-Type: multipart/form-data; boundary=x", "Content-Type: application/x-www-form-urlencoded"),
)
SEEDS = (
    "GET\n/?a=1\nAccept-Encoding: gzip, br;q=0.5, identity;q=0\nOrigin: https://app.example",
    "OPTIONS\n/\nOrigin: https://a.app.example\nAccess-Control-Request-Method: PUT",
    'GET\n/\nAccept-Encoding: zstd\nIf-None-Match: W/"v0", "v1-zstd"\nIf-Range: "v1"\nRange: bytes=0-9',
    'HEAD\n//a/../b?c\nIf-Match: "v1-gzip"\nAccept-Encoding: *;q=0\nX-Echo: echoed\nCookie: a="\\303"; b=2',
    'POST\n/p\nContent-Type: application/json\nAuthorization: Basic YTpi\nX-Forwarded-For: a, b\n\n{"a": 1}',
)
COUNTS = {
    "executions": r"stat::number_of_executed_units: *(\d+)",
    "executions/s": r"stat::average_exec_per_sec: *(\d+)",
    "edges": r"\bcov: (\d+)",
    "features": r"\bft: (\d+)",
    "inputs that reached something new": r"\bcorp: (\d+)",
    "MiB at most": r"stat::peak_rss_mb: *(\d+)",
}


def request(data, asked):
    """The request that an input stands for, made by `asked`."""
    head, _, body = data.partition(b"\n\n")
    first, path, *lines = [*head.decode("latin-1").split("\n"), ""]
    site, app = (*map(ord, first[:2]), 0, 0)[:2]
    path, _, query = path.partition("?")
    fields = tuple((name, value.removeprefix(" ")) for name, _, value in (line.partition(":") for line in lines))
    return asked(site, app, first[2:], path, query, fields, body)


def work(arguments):
    """Be the process that is fuzzed; libFuzzer ends it."""
    import atheris

    sys.path.append(str(SUPPORT))
    with atheris.instrument_imports(include=["middleware"]):
        from fuzzed_sites import APPS, SITES, Asked
        from invariants import faults

    def asked(site, app, *rest):
        return Asked(site % len(SITES), app % len(APPS), *rest)

    def once(data):
        made = request(data, asked)
        found = faults(made)
        if found:
            raise AssertionError(f"{made}: {found}")

    atheris.Setup([sys.argv[0], *arguments], once)
    atheris.Fuzz()


def quoted(word):
    """A line of a libFuzzer dictionary."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in word.encode()) + '"\n'


def fuzzed(seconds, folder, corpus):
    """What the process said, and its exit status."""
    for number, seed in enumerate(SEEDS):
        for site in range(4):
            (folder / "seeds").mkdir(exist_ok=True)
            (folder / "seeds" / f"{number}-{site}").write_bytes(f"{site}{5 - number}{seed}".encode("latin-1"))
    (folder / "words").write_text("".join(map(quoted, WORDS)))
    command = [sys.executable, "-m", "benchmarks.fuzz", "--work", str(corpus or folder / "seeds")]
    command += [str(folder / "seeds")] if corpus else []
    command += [f"-dict={folder / 'words'}", f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-len_control=0"]
    command += ["-print_final_stats=1", f"-artifact_prefix={folder}/", "-timeout=20"]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds + GRACE, check=False
    )
    return done.stdout.decode("utf-8", "replace"), done.returncode


def main():
    """Fuzz, and print what came of it."""
    if sys.argv[1:2] == ["--work"]:
        return work(sys.argv[2:])
    options = _options()
    if find_spec("atheris") is None:
        print("atheris is not installed: pip install '.[all,fuzz]'", file=sys.stderr)
        return 2
    with TemporaryDirectory() as folder:
        said, status = fuzzed(options.seconds, Path(folder), options.corpus)
        crashes = [path for path in Path(folder).iterdir() if path.name.startswith(("crash-", "timeout-", "oom-"))]
        inputs = [path.read_bytes() for path in crashes]
    for what, pattern in COUNTS.items():
        found = re.findall(pattern, said)
        print(f"{found[-1] if found else '?':>9}  {what}")
    print(f"{len(crashes):9}  crashes")
    if status or crashes:
        print(*inputs, *[line for line in said.splitlines() if "Error" in line or "faults" in line][-5:], sep="\n")
    return 1 if status or crashes else 0


def _options():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__.partition(":")[0])
    parser.add_argument("--seconds", type=int, default=60, help="how long (default: 60)")
    parser.add_argument("--corpus", type=Path, metavar="FOLDER", help="keeps the inputs that reached something new")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
