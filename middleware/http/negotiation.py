"""Accept-Encoding: the content coding that a client prefers, and whether it accepts identity (RFC 9110 12.5.3).

The client's weights decide; where they are equal, the server's order does. A malformed member is ignored, so that no
client can cause an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from middleware.http.remembered import Remembered

# RFC 9110 12.4.2, without whitespace around it and in lower case: codings [ OWS ";" OWS "q=" qvalue ]. A name that is
# not a token need not be rejected, because no coding has it.
_MEMBER: Final = re.compile(r"([^ \t;]+)(?:[ \t]*;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?")
_SAME: Final = {"x-gzip": "gzip"}  # RFC 9110 8.4.1.3


@dataclass(frozen=True, slots=True)
class Choice:
    """The content coding for a client.

    Attributes:
        coding: str or None. The coding to apply; None is identity, which is the content as it is.
        identity: bool. Whether the client accepts identity: not after "identity;q=0", nor after "*;q=0" unless identity
            is named. With no coding and no identity, nothing is acceptable.
    """

    coding: str | None
    identity: bool


def choose(accept_encoding: str | None, codings: tuple[str, ...]) -> Choice:
    """The coding of the highest weight; of equal ones the first in `codings`, whose names are in lower case.

    A coding or identity that is named has its own weight, 1 if none is written, and otherwise that of `*`. Identity
    wins only with a higher weight than every coding: `*` alone asks for compression, and so does "gzip;q=0.001", which
    does not mention identity. A coding named twice has the lower weight, so that a refusal stands. None, a missing
    field, means identity.
    """
    return choices(codings)[accept_encoding or ""]


@Remembered
def choices(codings: tuple[str, ...]) -> Remembered[str, Choice]:
    """`choose` for these codings, as a mapping from Accept-Encoding, which is "" if the field is missing."""

    def chosen(accept_encoding: str) -> Choice:
        weights: dict[str, float] = {}
        for member in accept_encoding.lower().split(","):
            found = _MEMBER.fullmatch(member.strip(" \t"))
            if found is not None:
                name, weight = found.groups("1")
                name = _SAME.get(name, name)
                weights[name] = min(float(weight), weights.get(name, 1))
        rest = weights.get("*")
        offered = {coding: weights.get(coding, rest or 0) for coding in codings}
        best = max(offered, key=offered.__getitem__, default="")
        identity = weights.get("identity", rest)
        wanted = 0 < offered.get(best, 0) >= (identity or 0)
        return Choice(best if wanted else None, identity != 0)

    return Remembered(chosen)
