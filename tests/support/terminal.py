"""A terminal in a folder of its own, in which a test types what a page says, and reads what a reader would see.

Commands run as they are printed, but for three things. A server listens on a port that is free, and 127.0.0.1:8080
means that port, in what is typed and in what is shown. It goes on in the background, until the next one takes its
place.
What only a machine of one's own can do is left out: NOT_TYPED says what, and why.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from needed import needs
from serving import PATIENCE, Server, environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pages import Typed

ADDRESS = "127.0.0.1:8080"
ANY_ADDRESS = re.compile(r"127\.0\.0\.1:80[0-9]{2}\b")  # on which a page lets something listen
SERVES = re.compile(r"(?:waitress-serve|python -m middleware (?:serve|demo))\b")
PROGRAMS = re.compile(r"(?:^|[|&;(])\s*(curl|git|openssl)\b")  # which a bare system lacks
# What differs from run to run, and what stands for it in the comparison.
VOLATILE = (
    (re.compile(r"dur=[0-9]+\.[0-9]+"), "dur=0.000"),
    (re.compile(r"^Date: .*$", re.MULTILINE), "Date: now"),
    (re.compile(r"nonce-[A-Za-z0-9+/]{22}=="), "nonce-one"),
    (re.compile(r'nonce="[A-Za-z0-9+/]{22}=="'), 'nonce="one"'),
    (re.compile(r"[0-9]+\.[0-9]+ ms\b"), "0.0 ms"),
    (re.compile(r"\bin [0-9.]+s\b"), "in 0.00s"),
)


class Terminal:
    """What a reader has open: a folder, an environment, and a server if one was started."""

    def __init__(self, folder: Path, not_typed: Mapping[str, str]) -> None:
        self.folder = self.here = folder
        self.not_typed = not_typed
        self.server: Server | None = None
        self.status = 0  # of the last command
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        settings = {"HOME": str(folder), "CURL_HOME": str(folder), "PATH": path, "COLUMNS": "80", "TERM": "dumb"}
        self.env = {**environment(), **settings, "PYTHONDONTWRITEBYTECODE": "1"}
        # At a terminal curl draws no progress where it shows what it got; here it cannot know that it is at one.
        (folder / ".curlrc").write_text("silent\nshow-error\n", "utf-8")

    def write(self, name: str, text: str) -> None:
        """Save a file."""
        file = self.here / name
        assert self.folder in file.resolve().parents
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")

    def type(self, command: str) -> str | None:
        """Type a command; return what it shows, or None if it is not for here."""
        shown = None
        for part in command.split(" && "):
            if not any(part.lstrip().startswith(words) for words in self.not_typed):
                shown = (shown or "") + (self._serve(part) if SERVES.match(part) else self._run(part))
        return shown

    def _serve(self, command: str) -> str:
        self.close()
        words = shlex.split(ANY_ADDRESS.sub("127.0.0.1:0", command), comments=True)
        if words[0] == "python" and "--listen" not in words:
            words += ["--listen", "127.0.0.1:0"]  # 8080 is the default
        self.server = Server(*words, cwd=self.here, env=self.env)
        return self._as_printed("".join(f"{line}\n" for line in self.server.lines))

    def _run(self, command: str) -> str:
        for program in PROGRAMS.findall(command):
            needs(program)
        if self.server is not None:
            command = command.replace(ADDRESS, f"127.0.0.1:{self.server.port}")
        state = self.folder / ".state"
        keeping = f'{command}\nstatus=$?; pwd >"{state}"; env -0 >>"{state}"; exit $status'
        done = subprocess.run(  # what a reader has: bash
            ["bash", "-c", keeping],  # noqa: S607
            cwd=self.here,
            env=self.env,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE * 10,
        )
        where, _, kept = state.read_text("utf-8").partition("\n")
        self.here = Path(where)
        self.env = dict(line.split("=", 1) for line in kept.split("\0") if "=" in line)
        self.status = done.returncode
        return self._as_printed(done.stdout)

    def _as_printed(self, text: str) -> str:
        text = text.replace("\r", "")
        return text if self.server is None else text.replace(f"127.0.0.1:{self.server.port}", ADDRESS)

    def close(self) -> None:
        """End the server, as Ctrl-C does."""
        if self.server is not None:
            self.server.close()
            self.server = None


def agrees(typed: Typed, said: str) -> bool:
    """Whether the page shows what was said, up to what is volatile; a line `...` stands for any lines."""
    shown = steady(typed.shown or "").splitlines()
    wanted = "".join(r"(?:.*\n)*?" if line == "..." else f"{re.escape(line)}\n" for line in shown)
    return re.fullmatch(wanted, f"{steady(said)}\n" if said else "") is not None


def steady(text: str) -> str:
    """Text without what differs from run to run, and without blanks at the ends of lines and of all."""
    for pattern, instead in VOLATILE:
        text = pattern.sub(instead, text)
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).rstrip("\n")
