"""Results of one run: what was measured, where, and what follows from it."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from operator import sub, truediv
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.builds import Build
from benchmarks.encoders import Taken
from benchmarks.encoding import Encoding

# What is measured beside this project, and what it stands on.
PACKAGES: Final = (
    "bottle",
    "brotli",
    "django",
    "django-cors-headers",
    "falcon",
    "flask",
    "flask-compress",
    "flask-cors",
    "flask-talisman",
    "isal",
    "paste",
    "pyramid",
    "starlette",
    "waitress",
    "webob",
    "werkzeug",
    "zlib-ng",
    "zstandard",
)


@dataclass(frozen=True)
class Results:
    """The run of one build of Python, and the runs of others beside it.

    Attributes:
        microseconds: of a request in each generation of processes, by the key of the case.
        over_key: the key of the case that each is measured over.
        imports: milliseconds, by what is imported.
        wraps: milliseconds of `Stack.wrap`, first and later.
        encoding: what the layers add to each codec.
        encoders: what other packages add to gzip.
        content: figures of layers that work on the content, by key.
        served: microseconds of processor time of a request behind waitress, by the key of the application.
        correctness: what others get wrong, by family.
        build: the interpreter.
        where: the machine, the versions, the day.
        own: True if nothing of others was measured.
        others: the runs of other builds.
    """

    microseconds: dict[str, list[float]]
    over_key: dict[str, str]
    imports: dict[str, float]
    encoding: Encoding
    build: Build
    wraps: dict[str, float] = field(default_factory=dict)
    encoders: tuple[Taken, ...] = ()
    content: dict[str, float] = field(default_factory=dict)
    served: dict[str, float] = field(default_factory=dict)
    correctness: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    where: dict[str, Any] = field(default_factory=dict)
    own: bool = False
    others: tuple[Results, ...] = ()

    @property
    def builds(self) -> tuple[Results, ...]:
        """The run itself, and those of other builds."""
        return (self, *self.others)

    def has(self, *keys: str) -> bool:
        """True if all of these cases were measured."""
        return all(key in self.microseconds for key in keys)

    def took(self, key: str) -> float:
        """The microseconds of a request."""
        return median(self.microseconds[key])

    def over(self, key: str) -> float:
        """The microseconds that a case adds to the application that it is put around."""
        return median(self._over(key))

    def ratio(self, key: str, other: str) -> float:
        """What a case adds, in units of what another adds."""
        return median(map(truediv, self._over(key), self._over(other)))

    def difference(self, key: str, other: str) -> float:
        """The microseconds that a case takes more than another."""
        return median(map(sub, self.microseconds[key], self.microseconds[other]))

    def step(self, family: str) -> float:
        """The microseconds of one further layer: of the sixteen from 4 to 20."""
        return self.difference(f"{family}20", f"{family}4") / 16

    def _over(self, key: str) -> list[float]:
        """What a case adds in each generation."""
        return [*map(sub, self.microseconds[key], self.microseconds[self.over_key.get(key, "bare")])]

    def plain(self) -> dict[str, Any]:
        """The run for JSON, and what each case adds."""
        return {
            "build": self.build.plain(),
            "where": self.where,
            "own": self.own,
            "microseconds": self.microseconds,
            "over": {key: self.over(key) for key in self.microseconds},
            "over_key": self.over_key,
            "imports": self.imports,
            "wraps": self.wraps,
            "encoding": self.encoding.plain(),
            "encoders": [asdict(taken) for taken in self.encoders],
            "content": self.content,
            "served": self.served,
            "correctness": self.correctness,
            "others": [other.plain() for other in self.others],
        }


def read(plain: dict[str, Any]) -> Results:
    """The results of a run that was written down."""
    return Results(
        microseconds=plain["microseconds"],
        over_key=plain["over_key"],
        imports=plain["imports"],
        encoding=Encoding.read(plain["encoding"]),
        build=Build.read(plain["build"]),
        wraps=plain["wraps"],
        encoders=tuple(Taken(**taken) for taken in plain["encoders"]),
        content=plain["content"],
        served=plain["served"],
        correctness=plain["correctness"],
        where=plain["where"],
        own=plain["own"],
        others=tuple(map(read, plain["others"])),
    )


def here(rounds: int) -> dict[str, Any]:
    """The machine, the versions of what is installed, the day."""
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "date": date.today().isoformat(),  # noqa: DTZ011 - the day where it was measured
        "batches": rounds,
        "versions": {name: found for name in PACKAGES if (found := _version(name)) is not None},
    }


def _processor() -> str:
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
