"""Builds: of which kind an interpreter is, and the same measurements on another one.

A distribution's Python is faster than one that pyenv compiles, but not evenly: gates are measured on both, and the
worse figure counts.
"""

from __future__ import annotations

import configparser
import json
import os
import platform
import subprocess
import sys
import sysconfig
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).parents[1]
PLAIN: Final = "plain"
DISTRIBUTION: Final = "distribution's"
OPTIMIZED: Final = "optimized"
# Of the extras, the codecs: the gates are about them.
EXTRAS: Final = ("brotli", "isal", "zstd", "limits", "redis")
NEEDED: Final = "import multipart, waitress, webob"


@dataclass(frozen=True)
class Build:
    """How an interpreter was built.

    Attributes:
        python: implementation and version.
        kind: "plain", "optimized" (PGO or LTO, by its configuration), or "distribution's".
        vendor: the distribution, or "".
        optimizations: what its configuration tells: "PGO", "LTO". A distribution's rules may add both and tell neither.
    """

    python: str
    kind: str
    vendor: str
    optimizations: tuple[str, ...]

    def __str__(self) -> str:
        more = ", ".join(filter(None, (self.vendor, *self.optimizations)))
        return f"{self.python}, {self.kind} build" + (f" ({more})" if more else "")

    @classmethod
    def read(cls, plain: dict[str, Any]) -> Build:
        """The build that was written down."""
        return cls(**{**plain, "optimizations": tuple(plain["optimizations"])})

    def plain(self) -> dict[str, Any]:
        """The build for JSON."""
        return {**asdict(self), "optimizations": list(self.optimizations)}


def here() -> Build:
    """The build that runs this."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    optimizations = _optimizations(sysconfig.get_config_vars())
    vendor = _vendor() if sys.base_prefix == "/usr" else ""
    kind = DISTRIBUTION if vendor else OPTIMIZED if optimizations else PLAIN
    return Build(python, kind, vendor, optimizations)


def _vendor() -> str:
    """The distribution that owns /usr."""
    try:
        return platform.freedesktop_os_release()["NAME"]
    except OSError:
        return platform.system()


def _optimizations(configured: dict[str, Any]) -> tuple[str, ...]:
    """The optimizations that the configuration of an interpreter names."""
    arguments = configured.get("CONFIG_ARGS") or ""
    flags = " ".join(str(configured.get(name) or "") for name in ("CFLAGS", "PY_CFLAGS", "PY_CFLAGS_NODIST"))
    profiled = "--enable-optimizations" in arguments or "-fprofile-use" in flags
    linked = "--with-lto" in arguments or "-flto" in flags
    return (*(("PGO",) if profiled else ()), *(("LTO",) if linked else ()))


def measured(interpreter: str, options: Sequence[str]) -> dict[str, Any]:
    """The figures of another interpreter, as `python -m benchmarks --own --json` writes them."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with TemporaryDirectory() as folder:
        file = Path(folder) / "results.json"
        command = _prepared(interpreter), "-m", "benchmarks", "--own", "--json", str(file), *options
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def _prepared(interpreter: str) -> str:
    """The interpreter itself if it has what the package needs; else that of a virtual environment, which is kept."""
    if _succeeds(interpreter, "-c", NEEDED):
        return interpreter
    program = "import platform, sys; print(platform.python_version(), sys.implementation.name, sys.base_prefix)"
    told = subprocess.run([interpreter, "-c", program], check=True, capture_output=True, text=True).stdout
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "wsgi-middleware-stack-benchmarks" / "-".join(told.replace("/", " ").split())
    python = str(folder / "bin" / "python")
    if not _succeeds(python, "-c", NEEDED):
        subprocess.run([interpreter, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *_requirements()], check=True)
    return python


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _requirements() -> list[str]:
    """What the package needs, and the codecs."""
    configured = configparser.ConfigParser()
    configured.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = configured["options.extras_require"]
    lists = [configured["options"]["install_requires"], *(extras[name] for name in EXTRAS if name in extras), "zlib-ng"]
    return [line for text in lists for line in text.strip().splitlines()]
