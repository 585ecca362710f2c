"""Reading and editing fields is linear: twice the input is twice the work, whatever a client or application sends."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
import re
from functools import partial

import pytest

import middleware.hooks
import middleware.http
import middleware.layers
import middleware.sight
from middleware import Gzip, Headers, Stack, Timing
from middleware.hooks import cookies, field_values, request_headers, response_headers, templates
from middleware.http import (
    authorities,
    dates,
    edits,
    entity_tags,
    fields,
    lists,
    locations,
    media_types,
    negotiation,
    origins,
    paths,
    status,
    structured,
)
from middleware.http.fields import Fields
from middleware.layers import access_log
from middleware.layers.compress.content_types import DEFAULT, matches
from middleware.layers.compress.content_types import compressible as is_compressible
from middleware.layers.compress.content_types import content_types as types_listed
from middleware.layers.cors import preflight
from middleware.layers.inject import snippet, tags
from middleware.layers.security import csp, header_values, policies
from middleware.layers.timing import server_timing
from middleware.sight import inspector
from middleware.sight.explanation import Explanation
from steps import counted, instructions, work

CODINGS = ("zstd", "br", "gzip")
GRANT = preflight.Grant(
    ("GET",), frozenset(("x-a",)), credentials=False, exposed=(), max_age=None, private_network=False
)
TEMPLATES = [
    *map(templates.Template, ("/{a}.{b}", "{a}{b}{c}", "/{a:path}/{b:path}a{c}", "/{a:int}{b:int}", "/{a}/{b:path}"))
]


def quietly(parse):
    """A parser that says no by ValueError."""

    def call(text):
        with contextlib.suppress(ValueError):
            parse(text)

    return call


def chosen(text):
    negotiation.choices(CODINGS).clear()  # what was found out about a value costs nothing
    return negotiation.choose(text, CODINGS)


def preferred(text):
    media_types.prefers_json.clear()  # as above
    return media_types.prefers_json(text)


def compressible(text):
    matches(DEFAULT).clear()
    return is_compressible(text, DEFAULT)


def secrets_of(text):
    fields = (("Authorization", text), ("Cookie", text), ("Referer", f"/?token={text}"))
    return [*inspector._secrets(Explanation("GET", "/", fields, (), None, "", ()))]


def encoding_of_a_page(text):
    snippet.page_encoding.clear()
    return snippet.page_encoding(f"text/html{text}")


def authority(text):
    authorities.authority.clear()
    return authorities.authority(text)


def access_lines(text):
    keys = ("REQUEST_METHOD", "REQUEST_URI", "REMOTE_ADDR", "REMOTE_USER", "HTTP_REFERER", "HTTP_USER_AGENT")
    request = access_log._Request(dict.fromkeys(keys, text))
    request.at, request.failed, request.fields = 0, None, [("X-A", text)]
    request.over({}, None)
    return [made(request) for made in access_log._FORMATS.values()]


PARSERS = {
    "authorities.authority": authority,
    "authorities.ipv6": lambda text: authority(f"[{text}]"),
    "authorities.host_name": authorities.host_name,
    "locations.is_target": lambda text: (locations.is_target(text), locations.is_query(text)),
    "locations.origin_form": locations.origin_form,
    "locations.encoded": locations.encoded,
    "locations.with_query": lambda text: locations.with_query(text, text),
    "locations.location_fault": locations.location_fault,
    "lists.has_directive": lambda text: lists.has_directive(text, "no-transform"),
    "content_types.compressible": compressible,
    "content_types.content_types": quietly(types_listed),
    "access_log.formats": access_lines,
    "access_log.redacted": lambda text: access_log._redacted(f"/?{text}=", frozenset(["token"])),
    "cors": lambda text: preflight.refusal(GRANT, preflight.preflight("GET", text, "true")),
    "dates.http_date": dates.http_date,
    "csp.directive_name": quietly(csp.directive_name),
    "csp.sources": quietly(csp.sources),
    "csp.directives_of": csp.directives_of,
    "csp.without_nonce": lambda text: csp.without_nonce({"script-src": (text, csp.NONCE)}),
    "entity_tags.suffixed": lambda text: entity_tags.suffixed(text, "gzip"),
    "entity_tags.weakened": entity_tags.weakened,
    "entity_tags.without_suffixes": lambda text: entity_tags.without_suffixes(text, CODINGS),
    "entity_tags.conditions": lambda text: entity_tags.conditions_without_suffixes(text, CODINGS),
    "entity_tags.entity_tag": entity_tags.entity_tag,
    "entity_tags.matches_weakly": lambda text: entity_tags.matches_weakly('"a"', text),
    "entity_tags.with_each": lambda text: entity_tags.with_each(text, lambda tag: tag),
    "entity_tags.tags_listed": lambda text: list(entity_tags.tags_listed(text)),
    "entity_tags.tags_of_conditions": lambda text: list(entity_tags.tags_of_conditions(text)),
    "entity_tags.as_listed": lambda text: entity_tags.as_listed('"a"', text, "br", CODINGS),
    "inject.page_encoding": encoding_of_a_page,
    "cookies": lambda text: [*cookies.read_cookies(text)],
    "field_values.parameters": field_values.parameters,
    "request_headers.authorization": lambda text: request_headers.Authorization.from_header(f"Digest {text}"),
    "response_headers.cache_control": lambda text: str(response_headers.CacheControl(text, str)),
    "inspector.redacted": lambda text: inspector._url(f"/?{text}"),
    "inspector.secrets": secrets_of,
    "templates": lambda text: [template.match(text) for template in TEMPLATES],
    "fields.name": fields.name_fault,
    "fields.value": fields.value_fault,
    "fields.sendable_value": quietly(lambda text: fields.sendable_value("X", text)),
    "fields.content_length": fields.content_length,
    "negotiation.choose": chosen,
    "origins.is_origin": origins.is_origin,
    "origins.origin_fault": origins.origin_fault,
    "paths": lambda text: (paths.normal(text), paths.canonical("", text), [*paths.readings("", text).written().paths]),
    "policies.feature_name": quietly(policies.feature_name),
    "policies.allowlist": quietly(policies.allowlist),
    "header_values.endpoints": quietly(lambda text: header_values.endpoints({"a": text})),
    "server_timing.metric": lambda text: (server_timing.metric_fault("a", text), lists.quoted_string(text)),
    "media_types.prefers_json": preferred,
    "status": status.status_fault,
    "structured.key": quietly(structured.key),
    "structured.bare": quietly(structured.bare),
    "structured.token": quietly(lambda text: structured.bare(structured.Token(text))),
    "lists.merge": lambda text: lists.merge([text], ["Accept-Encoding"]),
    "header_values.with_report": quietly(lambda text: header_values.with_report(header_values.COOP_VALUES, text)),
    "header_values.referrer_policy": quietly(header_values.referrer_policy),
    "header_values.frame_options": quietly(header_values.frame_options),
}
# What is repeated, and what stands before and behind it: openings without an end, escapes, lists, whitespace
PIECES = ['"', '\\"', "\\", "'", ",", "a,", "a, ", " ", "\t", "a", "a ", ";", "; ", "=", "W/", '"a-gzip",', '["', "["]
PIECES += ["<", ".", "a.", "-", "a-", ":", "/", "../", "://", "*", "q=1;", "\xe9", "0", "\n"]
BEFORE = ["", '"', "a", 'no-transform="', '(["', "https://", "/"]
BEHIND = ["", "\x7f", '-gzip"']
ENDS = [*((before, behind) for before in BEFORE for behind in BEHIND), ("a=", '"')]
# How often: more than what a parser refuses by its length, and repeats within that
SIZES = {name: 256 if name.startswith(("origins", "policies.allowlist")) else 32 for name in PARSERS}


def modules():
    for package in (middleware.http, middleware.layers, middleware.hooks, middleware.sight):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(found.name)


@pytest.fixture
def patterns(monkeypatch):
    """All compiled patterns of the modules, which count from now on."""
    found = []
    for module in modules():
        for name, value in vars(module).items():
            if not name.startswith("__") and counted(value, []) is not value:
                monkeypatch.setattr(module, name, counted(value, found))
    assert len(found) > 20
    return found


@pytest.mark.parametrize("name", PARSERS)
def test_the_patterns_of_a_parser_look_at_each_character_a_few_times(name, patterns):
    def looks(text):
        for pattern in patterns:
            pattern.steps = 0
        PARSERS[name](text)
        return sum(pattern.steps for pattern in patterns)

    size = SIZES[name]
    for piece in PIECES:
        for before, behind in ENDS:
            once, twice = (looks(f"{before}{piece * times}{behind}") for times in (size, 2 * size))
            assert twice < 2.5 * once + 100, (before, piece, behind, once, twice)


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_takes_twice_the_instructions_for_twice_the_input(name):
    for piece in PIECES:
        texts = [f'"{piece * times}' for times in (SIZES[name], 2 * SIZES[name])]
        once, twice = (instructions(partial(PARSERS[name], text)) for text in texts)
        assert twice < 2.5 * once + 100, (piece, once, twice)


NESTED = [
    "<svg>",
    "<svg><desc>",
    "<svg><foreignObject>",
    "<math><mi>",
    "<template>",
    "<template><svg>",
    "<svg><desc></x>",
]
ENDING = ["</x>", "</desc>", "</svg>", "</template>", "<b>", "<svg><b>", "</p>", "<desc>", "<"]


@pytest.mark.parametrize("opened", NESTED)
@pytest.mark.parametrize("closed", ENDING)
def test_tags_are_found_in_twice_the_instructions_for_twice_the_elements(opened, closed):
    def find(times):
        finder = tags.Finder(b"/body")
        return instructions(lambda: finder.feed((opened * times + closed * times).encode()))

    once, twice = find(20), find(40)
    assert twice < 2.5 * once + 100


def test_the_pieces_of_a_tag_are_not_copied_for_each_further_one():
    finder = tags.Finder(b"/body")
    finder.feed(b"</body ")
    held = finder._held
    finder.feed(b"a")
    assert finder._held is held == [b"</body ", b"a"]


def test_every_module_of_syntax_is_in_the_table():
    """All that read text; the others hold data, or what was found out about it."""
    named = {name.partition(".")[0] for name in PARSERS} | {"edits", "media_types", "problem", "remembered"}
    assert {found.name for found in pkgutil.iter_modules(middleware.http.__path__)} <= named


def test_patterns_are_compiled_where_they_are_found():
    """Not by functions of `re` that take a text: these are counted by nobody."""
    by_text = re.compile(r"\bre\.(?:match|fullmatch|search|split|subn?|findall|finditer)\(")
    assert not [module for module in modules() if by_text.search(inspect.getsource(module))]


# -- the lines of a response -------------------------------------------------------------------------------------------

LINE = "x" * 1000
BLOCK = [("Vary", "A"), ("Link", "a"), ("Link", "b"), ("X-Own", "1")]
LOOK = edits.Look({"vary", "set-cookie"})


def looked_at(found):
    found.names()
    return found


def added_one_by_one(found):
    found.names()
    for name, value in list(found):
        found.add(name, value)
    found.names()


EDITS = {
    "names": Fields.names,
    "get_all": lambda found: found.get_all("Vary"),
    "set": lambda found: looked_at(found).__setitem__("Vary", "A"),
    "delete": lambda found: looked_at(found).__delitem__("Vary"),
    "setdefault": lambda found: looked_at(found).setdefault("X-Own", "1"),
    "add": added_one_by_one,
    "lists.merge": lambda found: looked_at(found).vary("A"),
    "adding": lambda found: edits.Edit(add=BLOCK)(looked_at(found)),
    "adding many": lambda found: edits.Edit(add=found)(looked_at(found)),
    "removing": lambda found: edits.Edit(remove=["Vary"])(found),
    "replacing": lambda found: edits.Edit(replace=BLOCK)(found),
    "replacing one": lambda found: edits.Edit(replace=BLOCK[:1])(looked_at(found)),
    "default": lambda found: edits.Edit(default=BLOCK)(looked_at(found)),
    "varying": lambda found: edits.Edit(vary=["A"])(found),
    "unless": lambda found: edits.Edit(add=BLOCK, vary=["A"], unless="Set-Cookie")(found),
    "looking": LOOK,
}
HEADS = {
    "one name": lambda size: [("Vary", f"{LINE}{number}") for number in range(size)],
    "cookies": lambda size: [("Set-Cookie", f"{LINE}{number}") for number in range(size)],
    "two names": lambda size: [(name, LINE) for name in ("Vary", "Link") for _ in range(size // 2)],
    "names by turns": lambda size: [(("Vary", "vary", "Link")[number % 3], LINE) for number in range(size)],
    "many names": lambda size: [(f"X-{number}", LINE) for number in range(size)],
}


def are_twice(once, twice):
    """What both counts are twice as large for, give or take what every call costs."""
    return all(more < 2.5 * less + 10_000 for less, more in zip(once, twice, strict=True))


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("head", HEADS)
def test_an_edit_takes_twice_the_work_for_twice_the_lines(edit, head):
    counts = [work(lambda size=size: EDITS[edit](Fields(HEADS[head](size)))) for size in (100, 200)]
    assert are_twice(*counts), counts


@pytest.mark.parametrize("head", HEADS)
def test_a_stack_takes_twice_the_work_for_twice_the_lines(head):
    made = Stack(Timing(), Headers(set={"X-A": "1"}, default={"Link": "<a>"}, append={"Vary": "A"}), Gzip())

    def respond(size):
        lines = HEADS[head](size)

        def app(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain"), ("ETag", '"x"'), *lines])
            return [b"text" * 1000]

        return made.wrap(app)

    counts = []
    for size in (100, 200):
        app, environ = respond(size), {"REQUEST_METHOD": "GET", "HTTP_ACCEPT_ENCODING": "gzip", "PATH_INFO": "/"}
        counts.append(work(lambda app=app, environ=environ: app(environ, lambda *_: None)))
    assert are_twice(*counts), counts
