"""Hooks, the context: `g`, `request` and `after_this_request` where they are bound, and where they are not."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from gateway import environ, serve
from hooked import ask, boom, site
from middleware import ContextHooks, Hooks, Stack
from middleware.hooks import after_this_request, g, has_request_context, request


@pytest.fixture
def hooks():
    return Hooks()


@pytest.fixture
def seen():
    return []


@pytest.mark.parametrize(
    "use",
    [
        lambda: g.x,
        lambda: setattr(g, "x", 1),
        lambda: delattr(g, "x"),
        lambda: "x" in g,
        lambda: iter(g),
        lambda: g.get("x"),
        lambda: request.path,
        lambda: after_this_request(print),
    ],
)
def test_outside_of_a_request_nothing_is_bound(use):
    with pytest.raises(RuntimeError, match="belongs to a request"):
        use()


def test_what_is_unbound_says_so():
    assert (bool(g), bool(request), has_request_context()) == (False, False, False)
    assert (repr(g), repr(request)) == ("<g, unbound>", "<request, unbound>")


def test_g_is_a_namespace(hooks):
    with hooks.request_context(environ()):
        assert g
        assert repr(g) == "<g {}>"
        g.x = 1
        assert (g.x, g.get("x"), g.get("y"), g.get("y", 2), "x" in g, "y" in g, list(g)) == (
            1,
            1,
            None,
            2,
            True,
            False,
            ["x"],
        )
        assert (g.setdefault("x", 3), g.setdefault("y", 3), g.pop("y"), g.pop("y", 4)) == (1, 3, 3, 4)
        with pytest.raises(KeyError):
            g.pop("y")
        del g.x
        for missing in (lambda: g.x, lambda: delattr(g, "x")):
            with pytest.raises(AttributeError):
                missing()


def test_a_request_context_binds_without_running_anything(hooks, seen):
    hooks.before_request(boom)
    hooks.teardown_request(seen.append)
    with hooks.request_context(environ("/p", QUERY_STRING="a=1")):
        assert (request.path, request.args["a"], has_request_context()) == ("/p", "1", True)
        assert repr(request).startswith("<Request")
        with suppress(ZeroDivisionError):
            boom()
    assert (seen, has_request_context()) == ([None], False)
    error = KeyError()
    with pytest.raises(KeyError), hooks.request_context(environ()):
        raise error
    assert seen == [None, error]


def test_g_is_new_for_each_request(hooks, seen):
    hooks.before_request(lambda: seen.append("x" in g) or setattr(g, "x", 1))
    app = hooks.wrap(site())
    serve(app)
    serve(app)
    assert seen == [False, False]


def test_hooks_within_hooks_have_a_g_of_their_own(seen):
    outer, inner = Hooks(), Hooks()
    outer.before_request(lambda: setattr(g, "name", "outer"))
    inner.before_request(lambda: seen.append("name" in g) or setattr(g, "name", "inner"))
    inner.after_request(lambda response: seen.append(g.name) or response)
    outer.after_request(lambda response: seen.append(g.name) or response)
    inner.teardown_request(lambda error: seen.append(g.name))
    outer.teardown_request(lambda error: seen.append(g.name))
    serve(outer.wrap(inner.wrap(site())))
    assert seen == [False, "inner", "outer", "inner", "outer"]


def test_hooks_that_have_no_g_pass_that_of_outer_hooks_on(hooks, seen):
    hooks.before_request(lambda: setattr(g, "user", "ann"))
    hooks.after_request(lambda response: seen.append(g.page) or response)
    between = ContextHooks()
    between.before_request(lambda ctx: seen.append(g.user))

    def view(environ, start_response):
        g.page = after_this_request(lambda response: seen.append("after") or response) and "page"
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield g.user.encode()

    assert serve(Stack(hooks, between).wrap(view)).body == b"ann"
    assert seen == ["ann", "after", "page"]


def test_a_request_is_seen_as_it_came_by_who_mounted_others(seen):
    outer, inner = Hooks(), Hooks()
    inner.before_request(lambda: seen.append((request.script_root, request.path, request.url)))
    outer.after_request(lambda response: seen.append((request.script_root, request.path)) or response)

    def mount(environ, start_response):
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = "/mount", "/x"
        return inner.wrap(site({"/x": b"x"}))(environ, start_response)

    serve(outer.wrap(mount), "/mount/x")
    assert seen == [("/mount", "/x", "http://127.0.0.1/mount/x"), ("", "/mount/x")]


def test_g_in_a_handler_of_an_error_without_a_route(hooks):
    hooks.before_request(lambda: setattr(g, "x", 42))
    hooks.errorhandler(404)(lambda error: (f"404 {g.x}", 404))
    assert ask(hooks, "/nowhere").body == b"404 42"


# -- async -----------------------------------------------------------------------------------------------------------


class Awaited:
    """Something callable whose call has to be awaited."""

    async def __call__(self, response):
        response.headers["X-Called"] = g.x
        return response


def with_async(hooks):
    @hooks.before_request
    async def start():
        await asyncio.sleep(0)
        g.x = request.path
        after_this_request(that)

    async def that(response):
        response.headers["X-This"] = g.x
        return response

    hooks.after_request(Awaited())

    @hooks.errorhandler(ZeroDivisionError)
    async def handle(error):
        return f"handled {g.x}"

    return hooks


def test_hooks_may_be_async(hooks):
    answer = ask(with_async(hooks), "/p", site({"/p": boom}))
    assert (answer.body, answer.get("X-Called"), answer.get("X-This")) == (b"handled /p", "/p", "/p")


def test_async_hooks_run_where_a_loop_is_running_too(hooks):
    async def within():
        return ask(with_async(hooks), "/p", site({"/p": b"x"}))

    answer = asyncio.run(within())
    assert (answer.body, answer.get("X-Called"), answer.error) == (b"x", "/p", None)


def test_what_an_async_hook_raises_is_raised(hooks):
    @hooks.before_request
    async def fail():
        raise KeyError("async")

    hooks.errorhandler(KeyError)(lambda error: f"handled {error}")

    async def within():
        return ask(hooks)

    assert asyncio.run(within()).body == b"handled 'async'"
