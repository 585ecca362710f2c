"""The command `wsgi-middleware-stack`: `python -m middleware`, also where another `middleware` comes first on the path.

A project's own middleware.py is what Python finds for that name in the project's folder, or on its PYTHONPATH. So the
command has a module of another name, and takes the package that is installed beside it.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any


def main(program: str = "wsgi-middleware-stack") -> int:
    """Run the command with the arguments of the process, under this name; return its exit status."""
    if "middleware" not in sys.modules:
        spec: Any = PathFinder.find_spec("middleware", [str(Path(__file__).resolve().parent)])
        sys.modules["middleware"] = package = module_from_spec(spec)
        spec.loader.exec_module(package)
    from middleware.cli.command import main as run

    return run(program=program)
