#!/usr/bin/env python3
"""Rewrite middleware/layers/compress/compressible.py from mime-db: .ci/compressible.py path/to/mime-db/db.json.

Reads that file, and HISTORY.md beside it for version and date; downloads nothing. Of the types that mime-db marks as
compressible, those are left out that a range or suffix covers, and those of LEFT_OUT.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

DATA = Path(__file__).parents[1] / "middleware" / "layers" / "compress" / "compressible.py"
TEMPLATE = '''"""Media types that are worth compressing: data only, which .ci/compressible.py writes. It says why, too.

Text, and what mime-db {version} of {date} marks as compressible, less images of disks and application/octet-stream,
which says nothing of its content. A range stands for its types, and a suffix for those that end in it.
"""

from __future__ import annotations

from typing import Final

TYPES: Final = frozenset(
    (
{entries}    )
)
'''
# All text is worth it, and so is what is read as one of these (RFC 6839, RFC 7303, RFC 8091, RFC 9512). Not +cbor:
# it is short as it is, and often signed or encrypted. Not +zip, +gzip and +zstd. There is no +text in the registry.
COVERING = ("text/*", "+json", "+json-seq", "+xml", "+yaml")
# Text that mime-db does not mark.
ADDED = ("application/json-seq", "application/jsonl", "application/x-ndjson", "application/yaml")
# What says nothing of its content, which mostly is a download that is compressed already; and images of disks: large,
# asked for in ranges, and compressed if that was wanted.
LEFT_OUT = (
    "application/octet-stream",
    "application/x-virtualbox-hdd",
    "application/x-virtualbox-ova",
    "application/x-virtualbox-vdi",
    "application/x-virtualbox-vhd",
    "application/x-virtualbox-vmdk",
)


def covering(name: str) -> str | None:
    """The range or suffix that a type falls under, if any."""
    forms = f"{name.partition('/')[0]}/*", f"+{name.rpartition('+')[2]}"
    return next((form for form in forms if form in COVERING), None)


def entries(database: dict[str, dict[str, object]]) -> list[str]:
    """What the module lists, in order; SystemExit if a range or suffix covers what mime-db says not to compress."""
    wrong = [name for name, of in database.items() if of.get("compressible") is False and covering(name)]
    if wrong:
        raise SystemExit(f"covered, but not compressible: {', '.join(wrong)}")
    marked = {name for name, of in database.items() if of.get("compressible")}
    return sorted({*COVERING, *ADDED, *(name for name in marked if not covering(name))}.difference(LEFT_OUT))


def module(path: Path) -> str:
    """The text of the data module; SystemExit if HISTORY.md does not begin with a release."""
    release = re.match(r"(\d+\.\d+\.\d+) / (\d{4}-\d{2}-\d{2})\n", path.with_name("HISTORY.md").read_text("utf-8"))
    if release is None:
        raise SystemExit("HISTORY.md does not begin with a release and its date")
    names = entries(json.loads(path.read_text("utf-8")))
    listed = "".join(f'        "{name}",\n' for name in names)
    return TEMPLATE.format(version=release[1], date=release[2], entries=listed)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    DATA.write_text(module(Path(sys.argv[1])), "utf-8")
