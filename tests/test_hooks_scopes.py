"""Hooks, the scopes: which requests belong to a prefix, a pattern, a predicate or a route, and what runs then."""

from __future__ import annotations

import re
from wsgiref.util import setup_testing_defaults

import pytest
from webob import exc

from hooked import ask, boom, label, site
from middleware import ConfigError, Hooks, match
from middleware.hooks import g, request
from middleware.hooks.scopes import Pattern
from shapes import coroutine


@pytest.fixture
def hooks():
    return Hooks()


@pytest.fixture
def seen():
    return []


def anywhere(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"x"]


def traced(scope, seen, name):
    scope.before_request(lambda: seen.append(f"before {name}"))
    scope.after_request(lambda response: seen.append(f"after {name}") or response)
    scope.teardown_request(lambda error: seen.append(f"teardown {name}"))
    return scope


def takes_part(make, path, **keys):
    hooks, seen = Hooks(), []
    traced(make(hooks), seen, "it")
    environ = {"PATH_INFO": path, **keys}
    setup_testing_defaults(environ)  # some paths and methods are too odd for a validator
    assert b"".join(hooks.wrap(anywhere)(environ, lambda *_: None)) in {b"x", b""}
    return bool(seen)


# -- which requests --------------------------------------------------------------------------------------------------

WHERE = [
    ("/admin", "/admin", True),
    ("/admin", "/admin/", True),
    ("/admin", "/admin/users", True),
    ("/admin/", "/admin", True),
    ("/admin", "/administration", False),
    ("/admin", "/", False),
    ("/admin", "/public/../admin/x", True),
    ("/admin", "/admin/../public", True),
    ("/", "/anything", True),
    ("/b\u00fccher", "/b\xc3\xbccher/1", True),
    (re.compile(r"/v[0-9]+"), "/v1/users", True),
    (re.compile(r"/v[0-9]+"), "/v1", True),
    (re.compile(r"/v[0-9]+"), "/v1x", False),
    (re.compile(r"/v[0-9]+/"), "/v1/x", True),
    (re.compile(r"/a|/ab"), "/ab", True),
    (re.compile(r"/v[0-9]+"), "/x/v1", False),
    (re.compile(r".*\.json"), "/a/b.json", True),
    (re.compile(r"/a|/admin"), "/admin/x", True),
    (re.compile(r"(?i)/a|/admin"), "/ADMIN/x", True),
    (re.compile(r"(?x) /a | /admin  # both"), "/admin/x", True),
    (re.compile(r"/a(dmin)?(?=/x)"), "/admin/x", True),
    (re.compile(r"/admin$"), "/admin/x", False),
    (re.compile(r"/.*/x"), "/a%0Ab/x", True),
    (re.compile(r"/.*/x"), "/a\nb/x", True),
    (re.compile(r"/admin"), "/admin\n", True),
    (re.compile(r"/admin"), "//admin", True),
    (re.compile(r"/admin/../x"), "/admin/../x", True),
    (re.compile(r"/app/admin"), "/app/../admin", True),
    (re.compile(r"\*"), "*", True),
    ("/admin", "//admin", True),
    ("/admin", "admin", True),
    ("/admin", "/adm\xffin", True),
    ("/admin", "/admin\n", True),
    ("/app/admin", "/app//x/../../admin", True),
    ("/app/admin", "/app/../admin", True),
    ("/admin", "/a" * 129, True),
    ("/admin", "/x" + "/y/.." * 60, True),
    (re.compile(r"/admin"), "/a" * 129, False),
    (re.compile(r"/admin"), "/a" * 129 + "/..", True),
    (re.compile(r"/admin"), "//admin" + "/a" * 129, True),
    (re.compile(r"/admin"), "admin" + "/a" * 129, True),
    (re.compile(r"/admin"), "/adm\xffin" + "/a" * 129, True),
    (match.path("/admin"), "//admin", True),
    (~match.path("/public"), "/public/../admin", True),
    (match.path("/admin") & match.method("POST"), "//admin", False),
    (match.method("GET") & match.path("/x"), "/x/y", True),
    (match.method("POST"), "/", False),
    (lambda environ: environ["PATH_INFO"].endswith("!"), "/hey!", True),
]


@pytest.mark.parametrize(("where", "path", "holds"), WHERE, ids=label)
def test_where_a_scope_is(where, path, holds):
    assert takes_part(lambda hooks: hooks.scope(where), path) == holds


ROUTES = [
    ("/users/{id}", "/users/5", True, {"id": "5"}),
    ("/users/{id}", "/users/a%20b", True, {"id": "a%20b"}),
    ("/users/{id}", "/users/", False, {}),
    ("/users/{id}", "/users/5/", False, {}),
    ("/users/{id}", "/users/5/posts", False, {}),
    ("/users/{id:int}/posts/{post:str}", "/users/5/posts/x", True, {"id": 5, "post": "x"}),
    ("/users/{id:int}", "/users/five", False, {}),
    ("/users/{id:int}", "/users/" + "1" * 4300, True, {"id": int("1" * 4300)}),
    ("/users/{id:int}", "/users/" + "1" * 4301, False, {}),
    ("/users/{id:int}", "/users/5/" + "1" * 4301, False, {}),
    ("/users/{id:int}", "//users/5", True, {"id": 5}),
    ("/users/{id:int}", "/users/5\n", True, {"id": 5}),
    ("/users/{id:int}", "/x/../users/5", True, {"id": 5}),
    ("/users/{id}", "/users/x/../5", True, {"id": "5"}),
    ("/users/{id}", "/users/5\n", True, {"id": "5\n"}),
    ("/files/{name:path}", "/files/../etc", True, {"name": "../etc"}),
    ("/files/{name:path}", "/files/" + "n" * 3000, True, {"name": "n" * 3000}),
    ("/users/{id}", "/a" * 129, False, {}),
    ("/a/{id:path}", "//a" + "/a" * 129, True, {"id": "a/" * 128 + "a"}),
    ("/users/{id}", "/a/.." + "/a" * 129, True, {}),
    ("/files/{name:path}", "/files/a/b.txt", True, {"name": "a/b.txt"}),
    ("/{name}.{kind}", "/a.b.c", True, {"name": "a.b", "kind": "c"}),
    ("/{name}.{kind}", "/a.", False, {}),
    ("/{name}.{kind}", "/a.b/c", False, {}),
    ("/x{name}.{kind}", "/a.b", False, {}),
    ("/{a}{b}/{c:int}{d}x", "/pqr/123xx", True, {"a": "pq", "b": "r", "c": 123, "d": "x"}),
    ("/{a:int}{b:int}", "/12a", False, {}),
    ("/{a:int}{b:int}", "/1", False, {}),
    ("/{a:int}{b:int}", "/a1", False, {}),
    ("/{owner:path}/blob/{file:path}", "/a/blob/b/blob/c", True, {"owner": "a/blob/b", "file": "c"}),
    ("/{owner:path}/blob/{file:path}", "/a/blob/\n", True, {"owner": "a", "file": "\n"}),
    ("/{owner:path}/edit", "/a/edit/edit", True, {"owner": "a/edit"}),
    ("/{id:int}.{rest:path}", "/" + "1" * 4301 + ".x", False, {}),
    ("/a.b", "/axb", False, {}),
    ("/", "/", True, {}),
]


@pytest.mark.parametrize(("template", "path", "holds", "found"), ROUTES)
def test_where_a_route_is_and_what_it_finds(hooks, seen, template, path, holds, found):  # noqa: PLR0917
    hooks.route(template).before_request(lambda: seen.append(request.view_args))
    answer = ask(hooks, path, anywhere)
    assert (answer.status, seen) == ("200 OK", [found] if holds else [])


@pytest.mark.parametrize(
    ("methods", "method", "holds"),
    [
        (["GET"], "GET", True),
        (["GET"], "HEAD", True),
        (["GET"], "POST", False),
        ("POST", "POST", True),
        (["POST"], "HEAD", False),
        (None, "DELETE", True),
        (["post"], "POST", True),
        (["POST"], "post", True),
        (["get"], "head", True),
    ],
)
def test_a_route_is_for_methods(methods, method, holds):
    assert takes_part(lambda hooks: hooks.route("/x", methods=methods), "/x", REQUEST_METHOD=method) == holds


@pytest.mark.parametrize(
    "wrong",
    [
        lambda hooks: hooks.scope("admin"),
        lambda hooks: hooks.scope("/admin?x"),
        lambda hooks: hooks.scope(re.compile(b"/x")),
        lambda hooks: hooks.scope(5),
        lambda hooks: hooks.scope(lambda: True),
        lambda hooks: hooks.scope(coroutine),
        lambda hooks: hooks.scope(match.path),
        lambda hooks: hooks.route("users"),
        lambda hooks: hooks.route("/users?x"),
        lambda hooks: hooks.route(5),
        lambda hooks: hooks.route("/{a}/{a}"),
        lambda hooks: hooks.route("/{a:float}"),
        lambda hooks: hooks.route("/{a"),
        lambda hooks: hooks.route("/{0a}"),
        lambda hooks: hooks.route("/users/<int:id>"),
        lambda hooks: hooks.route("/{a}/*"),
        lambda hooks: hooks.route("/x?y=1"),
        lambda hooks: hooks.scope("/users/<id>"),
        lambda hooks: hooks.scope("/users/{id}"),
        lambda hooks: hooks.scope("/users/*"),
        lambda hooks: hooks.route("/x", methods=["G T"]),
        lambda hooks: hooks.route("/x", methods=[5]),
        lambda hooks: hooks.route("/x", methods=5),
        lambda hooks: hooks.route("/x", methods=[]),
    ],
)
def test_what_is_no_place_is_refused(hooks, wrong):
    with pytest.raises(ConfigError, match=r"Hooks\.(scope|route)"):
        wrong(hooks)


# -- who takes part --------------------------------------------------------------------------------------------------


def test_of_prefixes_the_longest_of_routes_the_most_literal_counts(hooks, seen):
    for prefix in ("/api", "/api/v1", "/a"):
        hooks.scope(prefix).before_request(lambda prefix=prefix: seen.append(prefix))
    for template in ("/api/v1/{name}", "/api/v1/me", "/{all:path}"):
        hooks.route(template).before_request(lambda template=template: seen.append(template))
    for path in ("/api/v1/me", "/api/v1/you", "/api/v2"):
        seen.append(path)
        ask(hooks, path, anywhere)
    me, you, other = "/api/v1/me", "/api/v1/you", "/api/v2"
    assert seen == [me, "/api/v1", me, you, "/api/v1", "/api/v1/{name}", other, "/api", "/{all:path}"]


def test_the_same_prefix_twice_and_predicates_all_count(hooks, seen):
    for number, where in enumerate(["/x", "/x/", lambda environ: True, re.compile("/x")]):
        hooks.scope(where).before_request(lambda number=number: seen.append(number))
    ask(hooks, "/x", anywhere)
    assert seen == [0, 1, 2, 3]


def test_nested_scopes_run_like_nested_blueprints(hooks, seen):
    parent = traced(traced(hooks, seen, "app").scope("/p"), seen, "p")
    child = traced(parent.scope("/c"), seen, "c")
    traced(child.route("/{leaf}"), seen, "leaf")
    ask(hooks, "/p/c/x", anywhere)
    names = ["app", "p", "c", "leaf"]
    inward = names[::-1]
    assert seen == [
        f"{what} {name}" for what, order in zip(WHAT, (names, inward, inward), strict=True) for name in order
    ]


WHAT = ("before", "after", "teardown")


def test_a_path_goes_on_within_a_scope_from_where_its_place_ends(hooks, seen):
    hooks.scope(re.compile("/(?P<lang>[a-z]{2})")).scope("/shop").route("/{item:int}").before_request(
        lambda: seen.append(request.view_args)
    )
    for path in ("/de/shop/5", "/shop/5", "/de/5"):
        ask(hooks, path, anywhere)
    assert seen == [{"lang": "de", "item": 5}]


@pytest.mark.parametrize("where", [re.compile("/v1/"), re.compile("/v1"), re.compile("/[a-z0-9/]+"), re.compile("/.*")])
@pytest.mark.parametrize("path", ["/v1/admin", "/v1/admin/x", "/v1//admin", "/v1/x/../admin"])
def test_what_lies_within_a_pattern_is_seen_from_every_boundary_that_it_reaches(hooks, seen, where, path):
    hooks.scope(where).scope("/admin").before_request(lambda: seen.append(1))
    ask(hooks, path, anywhere)
    assert seen == [1]


@pytest.mark.parametrize("inner", [lambda scope: scope.scope("/admin"), lambda scope: scope.route("/admin")])
def test_of_a_path_that_is_not_read_everything_within_a_pattern_may_be_meant(hooks, seen, inner):
    outer = hooks.scope(re.compile("/[a-z/]*"))
    inner(outer).before_request(lambda: seen.append(1))
    ask(hooks, "/a" * 129 + "/admin", anywhere)
    ask(hooks, "/a" * 128, anywhere)
    assert seen == [1]


def test_the_boundaries_that_a_pattern_reaches_are_looked_for_in_short_paths_only():
    matched = Pattern(re.compile("/.*")).match("/a" * 129)
    assert list(matched.rests) == [""]
    assert len({*Pattern(re.compile("/.*")).match("/a" * 128).rests}) == 129


def test_each_reading_of_a_path_has_its_own_longest_prefix(hooks, seen):
    """/api/v1/../../admin is in the scope of one framework, and in that of another."""
    for prefix in ("/admin", "/api", "/api/v1", "/"):
        traced(hooks.scope(prefix), seen, prefix)
    ask(hooks, "/api/v1/../../admin", anywhere)
    assert seen[:3] == ["before /admin", "before /api", "before /api/v1"]
    assert seen[3:6] == ["after /api/v1", "after /api", "after /admin"]


def test_what_several_readings_find_comes_from_the_first(hooks, seen):
    """The path as it stands comes before the others."""
    hooks.route("/{first}/{rest:path}").before_request(lambda: seen.append(request.view_args))
    hooks.scope("/b").route("/{name}").before_request(lambda: None)
    ask(hooks, "/a/../b/c", anywhere)
    assert seen == [{"first": "a", "rest": "../b/c", "name": "c"}]


def test_a_path_of_too_many_readings_is_in_every_scope_that_its_method_is_open_to(hooks, seen):
    inner = traced(hooks.scope("/p"), seen, "p")
    traced(inner.scope("/c"), seen, "c")
    traced(hooks.scope("/p/longer"), seen, "longer")
    traced(hooks.route("/{x:path}"), seen, "path")
    traced(hooks.route("/post", methods=["POST"]), seen, "post")
    traced(hooks.scope(match.method("PUT")), seen, "put")
    ask(hooks, "/x/.." * 129, anywhere)
    assert [each for each in seen if each.startswith("before")] == [
        *("before p", "before c", "before longer", "before path")
    ]


def test_a_scope_registers_for_all_requests_too(hooks, seen):
    scope = hooks.scope("/x")
    scope.before_app_request(lambda: seen.append("before"))
    scope.after_app_request(lambda response: seen.append("after") or response)
    scope.teardown_app_request(lambda error: seen.append("teardown"))
    scope.app_errorhandler(404)(lambda error: "scope's")
    assert ask(hooks, "/elsewhere", site()).body == b"scope's"
    assert seen == ["before", "after", "teardown"]


def test_hooks_of_a_scope_run_for_a_before_hook_that_answers(hooks, seen):
    hooks.before_request(lambda: "stop")
    traced(hooks.scope("/x"), seen, "x")
    assert ask(hooks, "/x", anywhere).body == b"stop"
    assert seen == ["after x", "teardown x"]


class Mine(Exception):
    pass


class More(Mine):
    pass


# handlers by scope; then path, error and what answers
LOOKUP = [
    ({"": [403], "/p": [403]}, "/p", exc.HTTPForbidden(), "/p 403"),
    ({"": [403], "/p": [403]}, "/q", exc.HTTPForbidden(), " 403"),
    ({"": [403], "/p": [403]}, "/p/c", exc.HTTPForbidden(), "/p 403"),
    ({"": [More], "/p": [Mine]}, "/p", More(), "/p Mine"),
    ({"": [403], "/p": [exc.HTTPException]}, "/p", exc.HTTPForbidden(), " 403"),
    ({"": [500], "/p": [500]}, "/p", KeyError(), "/p 500"),
    ({"": [Exception], "/p/c": [KeyError]}, "/p", KeyError(), " Exception"),
    ({"/p": [Mine], "/p/c": [Mine]}, "/p/c", Mine(), "/p/c Mine"),
]


@pytest.mark.parametrize(("handlers", "path", "error", "answer"), LOOKUP)
def test_which_scopes_handler_gets_an_error(hooks, handlers, path, error, answer):
    """A code before a class, even one further out; within that, the innermost scope."""
    parent = hooks.scope("/p")
    scopes = {"": hooks, "/p": parent, "/p/c": parent.scope("/c")}
    for where, keys in handlers.items():
        for key in keys:
            name = f"{where} {getattr(key, '__name__', key)}"
            scopes[where].register_error_handler(key, lambda error, name=name: name)
    assert ask(hooks, path, site({path: error})).body.decode() == answer


def test_an_error_of_a_predicate_is_one_of_the_request(hooks):
    hooks.scope(boom)
    hooks.errorhandler(ZeroDivisionError)(lambda error: "handled")
    hooks.after_request(lambda response: response.headers.set("X-After", "1") or response)
    answer = ask(hooks)
    assert (answer.body, answer.get("X-After")) == (b"handled", "1")


def test_a_guard_of_a_scope_keeps_others_out(hooks):
    hooks.scope("/admin").before_request(lambda: None if request.args.get("key") == "s" else ("Forbidden", 403))
    app = site({"/public": b"public", "/admin/x": b"admin"})
    assert ask(hooks, "/public", app).body == b"public"
    assert ask(hooks, "/admin/x", app).status == "403 FORBIDDEN"
    assert ask(hooks, "/admin/../admin/x", app).status == "403 FORBIDDEN"
    assert ask(hooks, "/admin/x", app, QUERY_STRING="key=s").body == b"admin"


def test_a_scope_sees_the_same_g(hooks):
    hooks.before_request(lambda: setattr(g, "names", ["app"]))
    hooks.scope("/x").before_request(lambda: g.names.append("x"))
    hooks.after_request(lambda response: response.headers.set("X-Names", " ".join(g.names)) or response)
    assert ask(hooks, "/x", anywhere).get("X-Names") == "app x"
