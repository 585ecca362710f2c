"""The rows, in the order of the table. Another layer, or another peer, is one more Case in its file."""

from __future__ import annotations

from benchmarks import limit, ours, peers
from benchmarks.case import Case

BARE = Case("bare", "application", lambda app: app)
GROUPS: dict[str, tuple[Case, ...]] = {
    "bare": (BARE,),
    "written by hand": limit.CASES,
    "this project": ours.CASES,
    "peers": peers.CASES,
}
CASES = tuple(case for cases in GROUPS.values() for case in cases)
