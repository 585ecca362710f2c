"""Shadow: a module of the user's own that has the name of this package, so that only one of them can be imported."""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, Final

import middleware

NAME: Final = middleware.__name__


def shadow() -> Path | None:
    """Return the file or folder that stands before this package on `sys.path` under its name, if there is one."""
    ours = Path(middleware.__file__).parent.resolve()
    specs = (PathFinder.find_spec(NAME, [entry]) for entry in sys.path)
    spec: Any = next(filter(None, specs), middleware.__spec__)
    found = Path(spec.origin or next(iter(spec.submodule_search_locations)))  # a folder may have no __init__.py
    found = found.parent if found.name == "__init__.py" else found
    return None if found.resolve() == ours else found
