"""Results of one run: what was measured, where, and what follows from it."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

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
    """One run.

    Attributes:
        microseconds: of a request, by the key of the case.
        over_key: the key of the case that each is measured over.
        imports: milliseconds, by what is imported.
        encoding: what the layers add to each codec.
        encoders: what other packages add to gzip.
        served: microseconds of processor time of a request behind waitress, by the key of the application.
        correctness: what others get wrong, by family.
        where: the machine, the versions, the day.
    """

    microseconds: dict[str, float]
    over_key: dict[str, str]
    imports: dict[str, float]
    encoding: Encoding
    encoders: tuple[Taken, ...] = ()
    served: dict[str, float] = field(default_factory=dict)
    correctness: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    where: dict[str, Any] = field(default_factory=dict)

    def has(self, *keys: str) -> bool:
        """Whether all of these cases were measured."""
        return all(key in self.microseconds for key in keys)

    def over(self, key: str) -> float:
        """The microseconds that a case adds to the application that it is put around."""
        return self.microseconds[key] - self.microseconds[self.over_key.get(key, "bare")]

    def ratio(self, key: str, other: str) -> float:
        """What a case adds, in units of what another adds."""
        return self.over(key) / self.over(other)

    def step(self, family: str) -> float:
        """The microseconds of one further layer: of the sixteen from 4 to 20."""
        return (self.over(f"{family}20") - self.over(f"{family}4")) / 16

    def plain(self) -> dict[str, Any]:
        """The same for JSON, and what each case adds."""
        return {
            "where": self.where,
            "microseconds": self.microseconds,
            "over": {key: self.over(key) for key in self.microseconds},
            "over_key": self.over_key,
            "imports": self.imports,
            "encoding": self.encoding.plain(),
            "encoders": [asdict(taken) for taken in self.encoders],
            "served": self.served,
            "correctness": self.correctness,
        }


def read(plain: dict[str, Any]) -> Results:
    """The results of a run that was written down."""
    return Results(
        plain["microseconds"],
        plain["over_key"],
        plain["imports"],
        Encoding.read(plain["encoding"]),
        tuple(Taken(**taken) for taken in plain["encoders"]),
        plain["served"],
        plain["correctness"],
        plain["where"],
    )


def here(rounds: int) -> dict[str, Any]:
    """The machine, the versions of what is installed, the day."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
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
