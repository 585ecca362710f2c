"""Content Security Policy as a browser reads it (CSP3 2.2.1), and what public scanners make of a response's headers.

The scanners' rules are those that they publish: the scoring of MDN's HTTP Observatory, and the checks of high severity
of Google's CSP Evaluator.
"""

from __future__ import annotations

BROAD = {"ftp:", "http:", "https:", "*", "http://*", "http://*.*", "https://*", "https://*.*"}
HASHED = ("'sha256-", "'sha384-", "'sha512-", "'nonce-")
SCRIPTS = ("script-src", "script-src-attr", "script-src-elem")
PRIVATE = {"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}
GRADES = {100: "A+", 90: "A", 85: "A-", 80: "B+", 70: "B", 65: "B-", 60: "C+", 50: "C", 45: "C-", 40: "D+", 30: "D"}


def parsed(policy: str) -> dict[str, list[str]]:
    """The directives of one policy: the first of a name counts, names have no case."""
    found: dict[str, list[str]] = {}
    for part in policy.split(";"):
        words = part.split()
        if words:
            found.setdefault(words[0].lower(), words[1:])
    return found


def effective(policy: dict[str, list[str]], name: str) -> list[str]:
    """The sources that count for a directive, less what others of them disable."""
    fallback = "script-src" if name in SCRIPTS else "default-src"
    sources = policy.get(name, policy.get(fallback, policy.get("default-src", ["*"])))
    if any(source.startswith(HASHED) for source in sources):
        sources = [source for source in sources if source != "'unsafe-inline'"]
        if "'strict-dynamic'" in sources:
            sources = [source for source in sources if source not in BROAD and source != "'self'"]
    return sources


# -- MDN HTTP Observatory ----------------------------------------------------------------------------------------------


def csp_modifier(text: str | None) -> int:
    """The first row that holds."""
    policy = parsed(text or "")
    script, style, plugin = ({*effective(policy, name)} for name in ("script-src", "style-src", "object-src"))
    passive = [*effective(policy, "img-src"), *effective(policy, "media-src")]
    active = [source for name, sources in policy.items() if name not in ("img-src", "media-src") for source in sources]
    rows = (
        (not policy, -25),
        ("'strict-dynamic'" in script and not any(source.startswith(HASHED) for source in script), -25),
        (script & {*BROAD, "'unsafe-inline'", "data:"} or plugin & BROAD, -20),
        (any(source.startswith(("http:", "ftp:")) for source in active), -20),
        ("'unsafe-eval'" in script | style, -10),
        (any(source.startswith(("http:", "ftp:")) for source in passive), -10),
        (style & {*BROAD, "'unsafe-inline'", "data:"}, 0),
        (policy.get("default-src") == ["'none'"], 10),
    )
    return next((points for holds, points in rows if holds), 5)


def hsts_modifier(text: str | None) -> int:
    directives = [part.strip().lower() for part in (text or "").split(";")]
    ages = [int(part.removeprefix("max-age=")) for part in directives if part.startswith("max-age=")]
    if not ages:
        return -20
    return 0 if ages[0] >= 15_768_000 else -10


def modifiers(headers: dict[str, str]) -> dict[str, int]:
    """The points of each test that depends on these headers, their names in lower case.

    Cookies, CORS, redirection and subresource integrity are not: a site without cookies, CORS and foreign scripts that
    answers by https, or redirects to it, gets 0 for them.
    """
    policy = headers.get("content-security-policy")
    framed = 5 if policy and "frame-ancestors" in parsed(policy) else None
    options = headers.get("x-frame-options", "").lower()
    referrer = headers.get("referrer-policy", "").split(",")[-1].strip()
    return {
        "csp": csp_modifier(policy),
        "hsts": hsts_modifier(headers.get("strict-transport-security")),
        "framing": framed or (0 if options in ("deny", "sameorigin") else -20),
        "referrer": 5 if referrer in PRIVATE else -5 if referrer else 0,
        "nosniff": 0 if headers.get("x-content-type-options", "").lower() == "nosniff" else -5,
        "corp": 10 if headers.get("cross-origin-resource-policy") in ("same-origin", "same-site") else 0,
    }


def grade(headers: dict[str, str]) -> tuple[int, str]:
    """Score and grade: what is added counts only from 90 on."""
    points = modifiers(headers).values()
    score = 100 + sum(point for point in points if point < 0)
    if score >= 90:
        score += sum(point for point in points if point > 0)
    return score, next((letter for least, letter in GRADES.items() if score >= least), "F")


# -- Google CSP Evaluator ----------------------------------------------------------------------------------------------


def severe(text: str) -> list[str]:
    """What is found of high severity."""
    policy = parsed(text)
    found = [f"{name} is missing" for name in ("script-src", "object-src") if not {name, "default-src"} & {*policy}]
    nonced = any(source.startswith(HASHED) for source in effective(policy, "script-src"))
    found += ["base-uri is missing"] if nonced and "base-uri" not in policy else []
    for name in (*SCRIPTS, "object-src", "base-uri"):
        sources = effective(policy, name) if name != "base-uri" else policy.get(name, [])
        found += [f"{source} in {name}" for source in sources if source in ("data:", "http:", "https:")]
        found += [f"{source} in {name}" for source in sources if source.partition("//")[2] == "*" or source == "*"]
        found += [f"{source} in {name}" for source in sources if source == "'unsafe-inline'" and name in SCRIPTS]
    return found
