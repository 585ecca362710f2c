#!/usr/bin/env python3
"""Rewrite the default types of Compress from mime-db: .ci/compressible.py path/to/mime-db/db.json.

Reads that file, and HISTORY.md beside it for version and date; downloads nothing. The list has the types that mime-db
marks as compressible, without those that a range or suffix covers and those of LEFT_OUT.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

MODULE = Path(__file__).parents[1] / "middleware" / "layers" / "compress" / "content_types.py"
TEMPLATE = """# Text, and the types that mime-db {version} of {date} marks as compressible, without disk images and
# application/octet-stream, whose content can be anything.
DEFAULT: Final[frozenset[str]] = frozenset(
    (
{entries}    )
)
"""
# Text compresses well, and so do the types with these suffixes (RFC 6839, RFC 7303, RFC 8091, RFC 9512). Not +cbor: it
# is short, and often signed or encrypted. Not +zip, +gzip and +zstd. The registry has no +text.
COVERING = ("text/*", "+json", "+json-seq", "+xml", "+yaml")
# Types of text that mime-db does not mark.
ADDED = ("application/json-seq", "application/jsonl", "application/x-ndjson", "application/yaml")
# application/octet-stream can be anything, and is mostly a download that is compressed already. Disk images are large,
# requested in ranges, and compressed if that was wanted.
LEFT_OUT = (
    "application/octet-stream",
    "application/x-virtualbox-hdd",
    "application/x-virtualbox-ova",
    "application/x-virtualbox-vdi",
    "application/x-virtualbox-vhd",
    "application/x-virtualbox-vmdk",
)


def covering(name: str) -> str | None:
    """Return the range or suffix that covers a type, if any."""
    forms = f"{name.partition('/')[0]}/*", f"+{name.rpartition('+')[2]}"
    return next((form for form in forms if form in COVERING), None)


def entries(database: dict[str, dict[str, object]]) -> list[str]:
    """Return the sorted entries; SystemExit if a range or suffix covers a type that mime-db marks as incompressible."""
    wrong = [name for name, of in database.items() if of.get("compressible") is False and covering(name)]
    if wrong:
        raise SystemExit(f"covered, but not compressible: {', '.join(wrong)}")
    marked = {name for name, of in database.items() if of.get("compressible")}
    return sorted({*COVERING, *ADDED, *(name for name in marked if not covering(name))}.difference(LEFT_OUT))


def default_list(path: Path) -> str:
    """Return the source of the list; SystemExit if HISTORY.md does not begin with a release."""
    release = re.match(r"(\d+\.\d+\.\d+) / (\d{4}-\d{2}-\d{2})\n", path.with_name("HISTORY.md").read_text("utf-8"))
    if release is None:
        raise SystemExit("HISTORY.md does not begin with a release and its date")
    names = entries(json.loads(path.read_text("utf-8")))
    listed = "".join(f'        "{name}",\n' for name in names)
    return TEMPLATE.format(version=release[1], date=release[2], entries=listed)


def rewritten(source: str, listed: str) -> str:
    """Return the source of the module with another list, which is the last thing in it."""
    kept, found, _ = source.partition(TEMPLATE.partition(" mime-db")[0])
    if not found:
        raise SystemExit(f"{MODULE} has no list that begins as TEMPLATE does")
    return kept + listed


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    MODULE.write_text(rewritten(MODULE.read_text("utf-8"), default_list(Path(sys.argv[1]))), "utf-8")
