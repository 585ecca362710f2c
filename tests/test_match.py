"""Predicates: what holds for which request, and which can never hold together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import environ
from middleware import ConfigError
from middleware.match import Predicate, disjoint, header, host, method, path
from shapes import coroutine


@pytest.mark.parametrize(
    ("prefix", "asked", "holds"),
    [
        ("/api", "/api", True),
        ("/api", "/api/", True),
        ("/api", "/api/users", True),
        ("/api/", "/api", True),
        ("/api", "/apix", False),
        ("/api", "/API", False),
        ("/api", "/", False),
        ("/api", "/x/api", False),
        ("/api", "/public/../api", True),
        ("/public", "/public/../api", True),
        ("/api", "/./api/./x", True),
        ("/", "/anything", True),
        ("/", "", True),
        ("/caf\xe9", "/caf\xc3\xa9/x", True),
        ("/a b", "/a b", True),
        ("/a*/**b", "/a*/**b", True),
        ("/a<b", "/a<b/c>d", True),
        ("/x", "/\xff", False),
    ],
)
def test_path_is_on_segment_boundaries_of_the_decoded_path(prefix, asked, holds):
    assert path(prefix)({"PATH_INFO": asked}) == holds


def test_path_counts_where_the_application_is_mounted():
    assert path("/app/api")({"SCRIPT_NAME": "/app", "PATH_INFO": "/api"})
    assert not path("/api")({"SCRIPT_NAME": "/app", "PATH_INFO": "/api"})
    assert path("/a", "/b")({"PATH_INFO": "/b/x"})


@pytest.mark.parametrize(
    ("names", "asked", "holds"),
    [
        (["example.com"], "example.com", True),
        (["example.com"], "EXAMPLE.com:8080", True),
        (["example.com"], "example.com.", True),
        (["example.com"], "a.example.com", False),
        (["example.com"], "example.com.evil.test", False),
        (["*.example.com"], "a.example.com", True),
        (["*.example.com"], "a.b.example.com:80", True),
        (["*.example.com"], "example.com", False),
        (["*.example.com"], ".example.com", False),
        (["*.example.com"], "evilexample.com", False),
        (["a.test", "b.test"], "b.test", True),
        (["[::1]"], "[::1]:8080", True),
        (["[::1]"], "[::2]", False),
    ],
)
def test_host_is_without_port_and_case(names, asked, holds):
    assert host(*names)(environ(HTTP_HOST=asked)) == holds


def test_without_a_host_the_server_name_counts():
    named = {"SERVER_NAME": "server.test"}
    assert host("server.test")(named)
    assert host("server.test").certainly(named)


@pytest.mark.parametrize(
    ("predicate", "extra", "holds"),
    [
        (method("GET"), {}, True),
        (method("POST", "PUT"), {}, False),
        (method("get"), {}, True),
        (header("Accept"), {"HTTP_ACCEPT": ""}, True),
        (header("accept"), {}, False),
        (header("X-Mode", "a"), {"HTTP_X_MODE": " a\t"}, True),
        (header("X-Mode", "a"), {"HTTP_X_MODE": "A"}, False),
        (header("Content-Type", "text/plain"), {"CONTENT_TYPE": "text/plain"}, True),
        (header("Content-Length"), {"CONTENT_LENGTH": "5"}, True),
        (header("Content-Length"), {"CONTENT_LENGTH": ""}, False),
        (~header("Content-Type"), {"CONTENT_TYPE": ""}, True),
        (header("Content-Type", ""), {"CONTENT_TYPE": ""}, False),
    ],
)
def test_methods_and_headers(predicate, extra, holds):
    assert predicate(environ(**extra)) == holds


def own(environ):
    return environ["PATH_INFO"] == "/own"


@pytest.mark.parametrize(
    ("predicate", "asked", "shown"),
    [
        (path("/a") & method("GET"), "/a", "(path('/a') & method('GET'))"),
        (path("/a") & own, None, "(path('/a') & own)"),
        (own & path("/own"), "/own", "(own & path('/own'))"),
        (own | path("/a"), "/a", "(own | path('/a'))"),
        (path("/a") | own, "/own", "(path('/a') | own)"),
        (~path("/a"), "/b", "~path('/a')"),
        (~~path("/a"), "/a", "path('/a')"),
        (~(path("/a") | path("/b")), "/c", "~(path('/a') | path('/b'))"),
        (host("a.test") & header("X") & header("Y", "1"), None, "((host('a.test') & header('x')) & header('y', '1'))"),
    ],
)
def test_predicates_combine(predicate, asked, shown):
    assert repr(predicate) == shown
    assert {asked} - {None} == {tried for tried in ("/a", "/b", "/c", "/own") if predicate(environ(tried))} & {asked}
    assert not predicate(environ("/elsewhere")) or shown.startswith("~")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: path(), "match.path: prefixes: at least one"),
        (lambda: path("api"), "match.path: prefixes: a path as the user sees it decoded, with a leading slash"),
        (lambda: path("/a?b"), "match.path: prefixes: "),
        (lambda: path("/a/*"), "match.path: prefixes: a prefix covers all below it: without wildcards and parameters"),
        (lambda: path("/a", "/**/b"), "match.path: prefixes: a prefix covers all below it"),
        (lambda: path("/a/.*"), "match.path: prefixes: a prefix covers all below it"),
        (lambda: path("/a/<int:b>"), "match.path: prefixes: a prefix covers all below it"),
        (lambda: path("/a/{b}/c"), "match.path: prefixes: a prefix covers all below it"),
        (lambda: path("/a/{b:[^/]+}"), "match.path: prefixes: a prefix covers all below it"),
        (lambda: path("/a/*rest"), "match.path: prefixes: a prefix covers all below it"),
        (lambda: path(5), "match.path: prefixes: "),
        (lambda: method(), "match.method: names: at least one"),
        (lambda: method("GET POST"), "match.method: names: a token"),
        (lambda: method(5), "match.method: names: a token"),
        (lambda: host(), "match.host: names: at least one"),
        (lambda: host("http://a.test"), "match.host: names: a host name without scheme"),
        (lambda: host("a.test:80"), "match.host: names: a host name without scheme"),
        (lambda: host("a.*.test"), "match.host: names: a host name without scheme"),
        (lambda: host("*."), "match.host: names: a host name without scheme"),
        (lambda: host(5), "match.host: names: a host name without scheme"),
        (lambda: header("a b"), "match.header: name: a token"),
        (lambda: header("a", 5), "match.header: value: a str or None"),
    ],
)
def test_what_could_never_hold_is_refused(make, said):
    with pytest.raises(ConfigError) as refused:
        make()
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "prefix", ["/{3F2504E0-4F89-11D3-9A0C-0305E82C3301}", "/wiki/{{Box}}", "/x<1>y", "/C*", "/a*b", "/{}", "/<"]
)
def test_a_path_may_have_brackets_and_asterisks_that_are_no_parameter(prefix):
    assert path(prefix)(environ(prefix))
    assert not path(prefix)(environ("/x"))


class Asynchronous(Predicate):
    async def __call__(self, environ):
        return False


@pytest.mark.parametrize("other", [5, None, "path", coroutine, Asynchronous(), method, lambda: True])
def test_only_predicates_combine(other):
    """A coroutine and a class would always count as true."""
    with pytest.raises(TypeError, match="a predicate is a callable"):
        path("/a") & other
    with pytest.raises(TypeError, match="a predicate is a callable"):
        other | path("/a")


@pytest.mark.parametrize("combine", [lambda one: one & own, lambda one: own | one, lambda one: ~one])
def test_a_predicate_of_ones_own_is_no_coroutine(combine):
    with pytest.raises(TypeError, match="a coroutine always counts as true: write it without async"):
        combine(Asynchronous())


ATOMS = [
    path("/"),
    path("/a"),
    path("/a/b"),
    path("/b"),
    path("/a", "/c"),
    method("GET"),
    method("POST", "GET"),
    method("PUT"),
    host("a.test"),
    host("*.a.test"),
    host("b.a.test"),
    host("b.test"),
    header("X"),
    header("X", "1"),
    header("X", "2"),
    header("Y", "1"),
]
predicates = st.recursive(
    st.sampled_from([*ATOMS, own]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: ATOMS[0] & pair[0] & pair[1]),
        st.tuples(inner, inner).map(lambda pair: (path("/a") & pair[0]) | pair[1]),
        inner.map(lambda one: ~(ATOMS[0] & one)),
        st.sampled_from(ATOMS).map(lambda one: ~one),
    ),
    max_leaves=4,
)
requests = st.builds(
    environ,
    st.sampled_from(["/", "/a", "/a/b", "/a/b/c", "/b", "/c/x", "/own"]),
    st.sampled_from(["GET", "POST", "PUT"]),
    HTTP_HOST=st.sampled_from(["a.test", "b.a.test", "c.a.test", "b.test"]),
    HTTP_X=st.sampled_from(["1", "2", "3"]),
    HTTP_Y=st.sampled_from(["1", "2"]),
)


@given(predicates, predicates, requests)
def test_disjoint_predicates_never_hold_together(one, other, request):
    """What is said to be certain is never wrong."""
    if disjoint(one, other):
        assert not (one(request) and other(request))
    assert disjoint(one, other) == disjoint(other, one)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (path("/a"), path("/b"), True),
        (path("/a"), path("/a/b"), False),
        (path("/a"), ~path("/a"), True),
        (path("/a/b"), ~path("/a"), True),
        (path("/a"), ~path("/a/b"), False),
        (method("GET"), method("PUT"), True),
        (method("GET"), method("POST", "GET"), False),
        (method("GET"), ~method("POST", "GET"), True),
        (host("a.test"), host("*.a.test"), True),
        (host("b.a.test"), host("*.a.test"), False),
        (host("b.a.test"), ~host("*.a.test"), True),
        (header("X", "1"), header("X", "2"), True),
        (header("X", "1"), header("Y", "2"), False),
        (header("X", "1"), header("X"), False),
        (header("X", "1"), ~header("X"), True),
        (header("X"), ~header("X"), True),
        (path("/a") & method("GET"), path("/b"), True),
        (method("GET") & path("/a"), path("/b") & method("GET"), True),
        (path("/a") | path("/c"), path("/b"), True),
        (path("/a") | path("/b"), path("/b"), False),
        (own, path("/a"), False),
        (own, own, False),
        (None, path("/a"), False),
        (path("/a"), None, False),
    ],
)
def test_what_is_certain(one, other, expected):
    assert disjoint(one, other) == disjoint(other, one) == expected


def test_predicates_are_values():
    assert path("/a") == path("/a") != path("/b")
    assert path("/a") != method("GET")
    assert len({path("/a"), path("/a"), method("GET")}) == 2
    assert (path("/a") & method("GET")) == (path("/a") & method("GET"))


def test_a_predicate_of_ones_own_may_be_a_class():
    class Always(Predicate):
        def __call__(self, environ):
            return True

        def __repr__(self):
            return "always"

    assert (Always() & path("/a"))(environ("/a"))
    assert not disjoint(Always(), path("/a"))
    assert disjoint(Always(), ~Always())
    with pytest.raises(NotImplementedError):
        Predicate()({})


# -- possibly and certainly ------------------------------------------------------------------------------------------

# SCRIPT_NAME, PATH_INFO, and whether path("/admin") holds possibly and certainly
SPELT = [
    ("", "/admin", True, True),
    ("", "/admin/x/", True, True),
    ("", "/admin/x//y/./z", True, True),
    ("", "/admin/x/../y", True, True),
    ("", "admin", True, False),
    ("", "//admin", True, False),
    ("", "/admin/../x", True, False),
    ("", "/x/../admin", True, False),
    ("", "/adm\xffin", True, False),
    ("", "/admin\n", True, False),
    ("", "/admin\r\n", True, False),
    ("", "/\n/../admin", True, False),
    ("", "/\xff/../admin", True, False),
    ("", "/.\xff./admin", True, False),
    ("", "/admin/..", True, False),
    ("/admin", "", True, True),
    ("/admin", "x", True, False),
    ("/", "admin", True, False),
    ("/x", "/../admin", True, False),
    ("", "/admin/x\n", True, True),
    ("", "/@@admin", True, False),
    ("", "@@admin", True, False),
    ("", "/x/../@@admin", True, False),
    ("", "/admin/@@x", True, True),
    ("/x", "@@admin", False, False),
    ("", "/x/__self__/y", True, False),
    ("", "/admin/--class--", True, False),
    ("", "/x/__selfish__/y", False, False),
    ("", "/x__self__/y", False, False),
    ("", "/administrator", False, False),
    ("", "/x/admin", False, False),
    ("", "/ADMIN", False, False),
    ("", "/admin;x", False, False),
    ("", "/%61dmin", False, False),
    ("", "\\admin", False, False),
    ("", "/%2e%2e/admin", False, False),
    ("", "/", False, False),
    ("", "", False, False),
    ("", "/a" * 129, True, False),
    ("", "/" + "a" * 2048, True, False),
    ("/" + "a" * 1024, "/" + "a" * 1024, True, False),
]


@pytest.mark.parametrize(("script", "info", "possibly", "certainly"), SPELT)
def test_a_path_is_below_a_prefix_possibly_by_one_reading_and_certainly_by_all(script, info, possibly, certainly):
    request = {"SCRIPT_NAME": script, "PATH_INFO": info}
    admin = path("/admin")
    assert (admin(request), admin.certainly(request)) == (possibly, certainly)
    assert ((~admin)(request), (~admin).certainly(request)) == (not certainly, not possibly)
    assert (~~admin)(request) == possibly


def test_everything_is_certainly_below_the_root_but_what_is_too_long():
    for info in ("", "*", "//x", "/../x", "/\xff\n"):
        assert path("/").certainly({"PATH_INFO": info})
    assert not path("/").certainly({"PATH_INFO": "/a" * 129})


@pytest.mark.parametrize("prefix", ["/admin", "/admin/", "//admin", "/./admin", "/x/../admin"])
def test_a_prefix_is_normal_however_it_is_written(prefix):
    assert path(prefix).certainly({"PATH_INFO": "/admin/x"})
    assert disjoint(path(prefix), ~path("/admin"))
    assert not disjoint(path(prefix), path("/admin/x"))


UNSURE = {"PATH_INFO": "/admin/../public", "REQUEST_METHOD": "GET"}  # below /admin, and below /public
SURE, NOT = method("GET"), method("POST")


@pytest.mark.parametrize(
    ("predicate", "possibly", "certainly"),
    [
        (path("/admin"), True, False),
        (path("/admin", "/public"), True, False),  # the answers are combined, not the readings
        (path("/admin") | ~path("/admin"), True, False),
        (path("/admin") & ~path("/admin"), True, False),
        (path("/admin") & SURE, True, False),
        (path("/admin") & NOT, False, False),
        (path("/admin") | SURE, True, True),
        (path("/admin") | NOT, True, False),
        (~(path("/admin") & SURE), True, False),
        (~(path("/admin") | SURE), False, False),
        (~(path("/admin") & NOT), True, True),
        (path("/admin") & (lambda environ: True), True, False),
        ((lambda environ: True) | path("/admin"), True, True),
        (~(path("/admin") & (lambda environ: False)), True, True),
    ],
)
def test_answers_combine_in_three_values(predicate, possibly, certainly):
    assert (predicate(UNSURE), predicate.certainly(UNSURE)) == (possibly, certainly)


@given(predicates, requests)
def test_without_doubt_the_two_answers_are_one(predicate, request):
    predicate = path("/") & predicate
    assert predicate(request) == predicate.certainly(request)


@given(predicates, st.sampled_from(["/a/../b", "//a", "/a/b/..", "/b\n", "a"]))
def test_what_is_certain_is_possible(predicate, info):
    request = environ("/", HTTP_HOST="a.test", PATH_INFO=info)
    predicate = path("/") & predicate
    assert predicate(request) or not predicate.certainly(request)
    assert (~predicate)(request) != predicate.certainly(request)


# -- methods and hosts as frameworks read them -----------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["POST", "post", "Post"])
def test_methods_are_compared_in_upper_case(asked):
    assert method("post", "PUT")({"REQUEST_METHOD": asked})
    assert not method("GET")({"REQUEST_METHOD": asked})
    assert repr(method("post")) == "method('POST')"
    assert not method("GET")({})


@pytest.mark.parametrize(
    "asked",
    ["admin.example", ".admin.example", "admin..example", "ADMIN.example.", "admin.example.:80", "admin.example:"],
)
def test_empty_labels_of_a_host_are_ignored(asked):
    assert host("admin.example")(environ(HTTP_HOST=asked))
    assert host("Admin.Example.")(environ(HTTP_HOST=asked))
    assert host("*.example")(environ(HTTP_HOST=asked))
    assert not host("*.admin.example")(environ(HTTP_HOST=asked))


@pytest.mark.parametrize("asked", ["\xaadmin.example", "adm\xadin.example", "admin.example.c\xbam", "\xfc.example"])
def test_a_host_beyond_ascii_is_possibly_any_and_certainly_none(asked):
    """Werkzeug before 3.1.7 folds it by IDNA."""
    for name in ("admin.example", "*.example", "b\xfccher.example"):
        predicate, request = host(name), environ(HTTP_HOST=asked)
        assert (predicate(request), predicate.certainly(request)) == (True, False)
        assert ((~predicate)(request), (~predicate).certainly(request)) == (True, False)


# -- what responses vary by ------------------------------------------------------------------------------------------


def looking(environ):
    return "HTTP_COOKIE" in environ


looking.request_fields = {"Cookie"}
BETA = header("x-beta")


@pytest.mark.parametrize(
    ("predicate", "fields", "at"),
    [
        (BETA, {"X-Beta"}, "/api /"),
        (~BETA, {"X-Beta"}, "/api /"),
        (header("X-BETA", "1") | header("Origin"), {"X-Beta", "Origin"}, "/api /"),
        (path("/api") & BETA, {"X-Beta"}, "/api"),
        (BETA & path("/api"), {"X-Beta"}, "/api"),
        (path("/api") | BETA, {"X-Beta"}, "/"),
        (~(path("/api") & BETA), {"X-Beta"}, "/api"),
        ((path("/api") & BETA) | header("Origin"), {"X-Beta", "Origin"}, "/api /"),
        ((path("/api") & BETA) | path("/"), {"X-Beta"}, ""),
        (path("/api") & method("POST"), set(), ""),
        (host("a.test") | path("/api"), set(), ""),
        (own & BETA, {"X-Beta"}, ""),
        (path("/") & looking, {"Cookie"}, "/api /"),
        (path("/"), set(), ""),
    ],
)
def test_an_answer_depends_on_fields_unless_path_and_method_decide(predicate, fields, at):
    assert predicate.request_fields == fields
    assert [asked for asked in ("/api", "/") if predicate.varies(environ(asked))] == at.split()


def test_where_the_path_is_in_doubt_the_answer_depends_on_the_field():
    assert (path("/api") & BETA).varies(environ("/", PATH_INFO="/api/.."))
    assert (path("/api") | BETA).varies(environ("/", PATH_INFO="/api/.."))
