"""Shadow: a module of the user's own that has the name of this package, so that only one of them can be imported."""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from pathlib import Path

import middleware

NAME = middleware.__name__


def shadow() -> Path | None:
    """Return the file or folder that stands before this package on `sys.path` under its name, if there is one."""
    ours = Path(middleware.__file__).parent.resolve()
    for entry in sys.path:
        spec = PathFinder.find_spec(NAME, [entry])
        if spec is not None:
            found = Path(spec.origin or next(iter(spec.submodule_search_locations or [entry])))
            found = found.parent if found.name == "__init__.py" else found
            return None if found.resolve() == ours else found
    return None
