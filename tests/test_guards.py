"""Guards: what the routers of frameworks lead to a view below /admin, a guard of /admin sees.

The routers are asked, not described: each site is called with every spelling, and says which view it led to.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import product
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import serve
from guarded_sites import ADMIN, OTHER, every_mounted_site, every_site, pyramid_traversal, served
from middleware import BasicAuth, ContextHooks, Hooks, Middleware, Respond, Stack
from middleware.hooks import abort
from middleware.hooks import request as hooked
from middleware.match import path
from serving import Server, Wire, script

SUPPORT = Path(__file__).parent / "support"
site_of = cache(lambda made: made())

# -- spellings -------------------------------------------------------------------------------------------------------

SEGMENTS = ["admin", "public", "x", "", ".", "..", "app", "adm\xffin", "\xff", "\xff..", "admin\n", "admin\r"]
SEGMENTS += ["@@admin", "health", "__self__", "ADMIN"]
SEGMENTS += ["admin;x", "admin%2fx", "%2e%2e", "admin\\x", "admin ", "admin\x00", "\xc0\xae\xc0\xae", "admi\xc3\xb1"]
NAMED = ["", "/", "//", "admin", "*", "//admin", "///admin", "/admin/../x", "/admin/../public", "/public/../admin"]
NAMED += ["/./admin", "/admin/.", "/admin//x", "/admin/\n", "/admin\n\n", "/\n/admin", "/public/../../admin/x"]
NAMED += ["/public/../@@admin", "/@@admin/@@../..", "/@@admin/@@/..", "/admin/@@./../.."]
NAMED += ["/health/__self__/admin", "/health/--self--/admin/x", "/__class__/admin"]
PLAIN = [f"/{'/'.join(some)}" for length in (1, 2) for some in product(SEGMENTS, repeat=length)]
TABLE = list(dict.fromkeys([*NAMED, *PLAIN, *(spelling[1:] for spelling in PLAIN)]))

spellings = st.builds(
    lambda slash, parts, end: slash + "/".join(parts) + end,
    st.sampled_from(["", "/", "//"]),
    st.lists(st.sampled_from(SEGMENTS[:15]) | st.text(st.characters(max_codepoint=255), max_size=3), max_size=7),
    st.sampled_from(["", "/", "\n", "\r\n"]),
)


@cache
def led_below(made):
    """The spellings of the table that a site leads to the view below /admin."""
    return [spelling for spelling in TABLE if served(site_of(made), "", spelling) == ADMIN]


# -- the predicate ---------------------------------------------------------------------------------------------------


def check(site, prefix, script_name, path_info):
    guard = path(prefix)
    environ = {"SCRIPT_NAME": script_name, "PATH_INFO": path_info}
    led = served(site, script_name, path_info)
    assert led != ADMIN or guard(environ), f"{script_name!r} {path_info!r} leads to a view below {prefix}, unguarded"
    assert led != ADMIN or not (~guard).certainly(environ)
    assert led != OTHER or not guard.certainly(environ), (
        f"{script_name!r} {path_info!r} is certain, and leads elsewhere"
    )
    return led


@every_site
def test_what_a_framework_leads_below_the_prefix_is_possibly_there(made):
    led = [check(site_of(made), "/admin", "", spelling) for spelling in TABLE]
    assert {ADMIN, OTHER} <= {*led}
    assert led[TABLE.index("/admin")] == led[TABLE.index("/admin/x")] == ADMIN


@every_site
@pytest.mark.parametrize("script_name", ["/app", "/app/", "/", "/caf\xc3\xa9"])
def test_it_is_so_where_the_server_has_split_the_path(made, script_name):
    prefix = f"{script_name.rstrip('/')}/admin".encode("latin-1").decode()
    for spelling in [*NAMED, *SEGMENTS, *(f"/{segment}" for segment in SEGMENTS)]:
        check(site_of(made), prefix, script_name, spelling)


@every_mounted_site
def test_it_is_so_where_a_site_is_mounted(made):
    below = [f"/app{spelling}" for spelling in TABLE] + [f"/{spelling}" for spelling in TABLE]
    led = [check(site_of(made), "/app/admin", "", spelling) for spelling in below]
    assert {ADMIN, OTHER} <= {*led}


@every_site
@given(spellings)
@settings(max_examples=100)
def test_no_spelling_that_is_made_up_gets_past(made, spelling):
    check(site_of(made), "/admin", "", spelling)


@every_mounted_site
@given(st.sampled_from(["/app", "//app", "/./app", "app", "/app/x/..", "/app/"]), spellings)
@settings(max_examples=100)
def test_no_spelling_that_is_made_up_gets_past_a_mount(made, mount, spelling):
    check(site_of(made), "/app/admin", "", mount + spelling)


EXAMPLES = [
    ("flask_site", "admin"),
    ("flask_site", "//admin"),
    ("flask_site", "/admin/../x"),
    ("django_site", "/admin/../x"),
    ("bottle_site", "/admin/../x"),
    ("bottle_site", "/adm\xffin"),
    ("pyramid_site", "/admin\n"),
    ("pyramid_traversal", "/public/../admin"),
    ("pyramid_traversal", "/@@admin"),
    ("pyramid_traversal", "/public/../@@admin"),
    ("pyramid_traversal", "/@@admin/@@../.."),
    ("falcon_site", "//admin"),
    ("cherrypy_site", "//admin//x"),
    ("cherrypy_site", "/health/__self__/admin"),
    ("cherrypy_site", "/health/.-self~~/admin/x"),
    ("cherrypy_site", "/__class__/admin"),
]


@pytest.mark.parametrize(("name", "spelling"), EXAMPLES)
def test_these_lead_to_the_view_and_the_plain_comparison_of_paths_misses_them(name, spelling):
    """A framework that no longer does this makes the tests above weaker than they look."""
    made = {param.__name__: param for param in every_site.args[1]}[name]
    assert check(site_of(made), "/admin", "", spelling) == ADMIN


# -- hooks -----------------------------------------------------------------------------------------------------------

SCOPES = {
    "prefix": lambda hooks: [hooks.scope("/admin")],
    "pattern": lambda hooks: [hooks.scope(re.compile("/public|/adm|/admin"))],
    "nested": lambda hooks: [hooks.scope(re.compile("/(public/)?|/")).scope("/admin")],
    "predicate": lambda hooks: [hooks.scope(path("/admin"))],
    "beside": lambda hooks: [hooks.scope("/public/x") and hooks.scope("/admin")],
    "routes": lambda hooks: [hooks.route("/admin"), hooks.route("/admin/{p:path}"), hooks.route("/admin/")],
}


def guarded(site, scope, kind=Hooks):
    """The site behind hooks that refuse whatever is in a scope."""
    hooks = kind()
    for each in SCOPES[scope](hooks):
        each.before_request(lambda *_: abort(403))
    return hooks.wrap(site)


@every_site
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("kind", [Hooks, ContextHooks])
def test_the_hooks_of_a_scope_miss_nothing_that_a_framework_leads_there(made, scope, kind):
    app = guarded(site_of(made), scope, kind)
    asked = [*NAMED, *led_below(made)]
    passed = [spelling for spelling in asked if served(app, "", spelling) == ADMIN]
    assert (passed, len(asked) > len(NAMED)) == ([], True)


@every_site
@given(spellings)
@settings(max_examples=40)
def test_no_spelling_that_is_made_up_gets_past_a_scope(made, spelling):
    assert served(guarded(site_of(made), "prefix"), "", spelling) != ADMIN


# -- layers ----------------------------------------------------------------------------------------------------------


@every_site
def test_a_layer_that_answers_below_the_prefix_misses_nothing(made):
    def refuse(environ, start_response):
        start_response("403 Forbidden", [("Content-Type", "text/plain")])
        return [b"refused"]

    class Refuse(Middleware):
        def on_request(self, environ):
            return refuse

    app = Stack(Refuse().when(path("/admin"))).wrap(site_of(made))
    assert [spelling for spelling in TABLE if served(app, "", spelling) == ADMIN] == []


def test_a_field_by_which_pyramid_begins_elsewhere_is_not_read_and_can_be_hidden():
    """X-Vhm-Root is an exception that docs/how-to/guards.md names; PathAlone is the remedy there."""

    class PathAlone(Middleware):
        def on_request(self, environ):
            environ.pop("HTTP_X_VHM_ROOT", None)

    site, guard = site_of(pyramid_traversal), Respond(403).when(path("/admin"))
    moved = {"path": "/public", "HTTP_X_VHM_ROOT": "/admin"}
    assert serve(Stack(guard).wrap(site), **moved).body == ADMIN.encode()
    assert serve(Stack(guard, PathAlone()).wrap(site), **moved).body == OTHER.encode()


# -- servers ---------------------------------------------------------------------------------------------------------

SERVERS = {
    "waitress": (script("waitress-serve"), "--listen=127.0.0.1:0", "guarded:application"),
    "gunicorn": (script("gunicorn"), "--bind=127.0.0.1:0", "--no-control-socket", "guarded:application"),
}
# What each server hands on in such a way that Flask leads it to the view.
TARGETS = {
    "waitress": ["admin", "//admin", "/admin/../x", "/%61dmin", "http://example.com/admin", "/admin%2f..%2fx"],
    "gunicorn": ["//admin", "/admin/../x", "/%61dmin", "http://example.com/admin", "/admin%2f..%2fx"],
}


def answer(server, target, *fields):
    head = "\n".join((f"GET {target} HTTP/1.1", "Host: example.com", "Connection: close", *fields, "", ""))
    with Wire(server.port, head) as wire:
        return wire.all().partition(b"\r\n\r\n")[2].decode()


@pytest.mark.parametrize("name", SERVERS)
def test_a_guard_on_a_server_sees_what_flask_leads_to_the_view(name):
    server = Server(*SERVERS[name], cwd=SUPPORT)
    try:
        shown = {target: (answer(server, target, "X-Open: 1"), answer(server, target)) for target in TARGETS[name]}
    finally:
        server.close()
    assert shown == dict.fromkeys(TARGETS[name], (ADMIN, "guarded"))


@pytest.mark.parametrize(("options", "led"), [((), ADMIN), (("--forwarder-headers=",), OTHER)])
def test_a_field_by_which_gunicorn_moves_the_path_is_not_read_and_can_be_refused(options, led):
    """SCRIPT_NAME is an exception that docs/how-to/guards.md names; the option is the remedy there."""
    server = Server(*SERVERS["gunicorn"][:-1], *options, "guarded:by_path", cwd=SUPPORT)
    try:
        shown = answer(server, "/admin"), answer(server, "/public/admin", "SCRIPT_NAME: /public")
    finally:
        server.close()
    assert shown == ("guarded", led)


# -- one guard, three ways -------------------------------------------------------------------------------------------


def by_hooks(site):
    hooks = Hooks()

    @hooks.scope("/admin").before_request
    def authorize():
        return None if hooked.args.get("key") == "secret" else ("Forbidden", 403)

    return hooks.wrap(site)


def by_respond(site):
    def has_no_key(environ):
        return parse_qs(environ.get("QUERY_STRING", "")).get("key") != ["secret"]

    return Stack(Respond(403, "Forbidden").when(path("/admin") & has_no_key)).wrap(site)


def by_basic_auth(site):
    guard = BasicAuth(verify=lambda user, password: (user, password) == ("admin", "secret"))
    return Stack(guard.when(path("/admin"))).wrap(site)


RECIPES = {
    by_hooks: ("403", {"QUERY_STRING": "key=secret"}, {"QUERY_STRING": "key=wrong"}),
    by_respond: ("403", {"QUERY_STRING": "key=secret"}, {"QUERY_STRING": "key=wrong"}),
    by_basic_auth: ("401", {"HTTP_AUTHORIZATION": "Basic YWRtaW46c2VjcmV0"}, {"HTTP_AUTHORIZATION": "Basic Og=="}),
}


@every_site
@pytest.mark.parametrize("guard", RECIPES)
def test_an_administration_is_open_by_key_only_and_the_rest_to_everyone(made, guard):
    site = site_of(made)
    app, (status, key, wrong) = guard(site), RECIPES[guard]
    for spelling in led_below(made):
        for fields in ({}, wrong):
            answer = serve(app, spelling, lint=False, **fields)
            assert answer.status[:3] == status, f"{spelling!r} leads below /admin, unguarded"
    plain, opened = serve(site, "/admin", **key), serve(app, "/admin", **key)
    assert (opened.status, opened.body) == (plain.status, plain.body)
    assert serve(app, "/public").body == serve(site, "/public").body
