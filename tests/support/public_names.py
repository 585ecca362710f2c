"""What a user may rely on, as data: names, parameters with their defaults, identifiers of rules, filters.

`python tests/support/public_names.py` adds to tests/conformance/public.json what is new, and removes nothing.
"""

from __future__ import annotations

import configparser
import importlib
import inspect
import json
from pathlib import Path
from typing import Any

from middleware.stack.rules import RULES

ROOT = Path(__file__).parents[2]
FILE = ROOT / "tests" / "conformance" / "public.json"
MODULES = (
    "middleware",
    "middleware.match",
    "middleware.by",
    "middleware.logs",
    "middleware.hooks",
    "middleware.testing",
)


def parameters(value: Any) -> dict[str, str]:
    """The parameters of a callable, each with its kind and default; none for what is no callable of ours."""
    if not callable(value) or not str(getattr(value, "__module__", "")).startswith("middleware"):
        return {}
    try:
        found = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return {}
    return {each.name: f"{each.kind.description}, {default(each.default)}" for each in found}


def default(value: Any) -> str:
    """The default as text, which is the same in every process and every version of Python."""
    if value is inspect.Parameter.empty:
        return "required"
    plain = isinstance(value, (str, int, float, bool, bytes, type(None), type(...)))
    if plain or (isinstance(value, tuple) and len(value) < 10 and all(isinstance(each, str) for each in value)):
        return repr(value)
    return f"a {type(value).__name__}"


def public() -> dict[str, dict[str, str]]:
    """Everything that is public, by where it is."""
    found = {}
    for module in map(importlib.import_module, MODULES):
        defined = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        for name in getattr(module, "__all__", [name for name in defined if not name.startswith("_")]):
            found[f"{module.__name__}.{name}"] = parameters(getattr(module, name))
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    filters = setup["options.entry_points"]["paste.filter_app_factory"].split("\n")
    found["order rules"] = {rule.id: rule.severity for rule in RULES}
    found["filters"] = dict(line.split(" = ") for line in filters if line)
    return found


if __name__ == "__main__":
    known = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    for place, names in public().items():
        known[place] = {**names, **known.get(place, {})}
    FILE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")
