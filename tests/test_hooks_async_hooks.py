"""Async hooks: what one sets in a context variable stays set, as in Flask, whatever runs it and however it ends."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar, copy_context
from typing import Any

import flask
import pytest

import middleware.hooks
from gateway import serve
from hooked import ask, boom, site
from middleware import ContextHooks, Hooks

NUMBER: ContextVar[str] = ContextVar("NUMBER")
OTHER: ContextVar[str] = ContextVar("OTHER", default="unset")


def alone(function: Any) -> Any:
    """Call it in a context of its own, so that no test sees what another has set."""
    return copy_context().run(function)


def looped(function: Any) -> Any:
    """Call it where a loop is running."""

    async def within():
        return function()

    return asyncio.run(within())


around = pytest.mark.parametrize("around", [alone, looped])


def program(app: Any, seen: list[Any], abort: Any) -> None:
    """The same hooks for both sides."""

    @app.before_request
    async def sets():
        await asyncio.sleep(0)
        NUMBER.set("set")

    @app.before_request
    def reads():
        seen.append(("before", NUMBER.get(None)))

    @app.before_request
    async def changes():
        seen.append(("async", NUMBER.get(None)))
        NUMBER.set("changed")
        await asyncio.sleep(0)
        OTHER.set("set")

    @app.after_request
    def after(response):
        seen.append(("after", NUMBER.get(None), OTHER.get()))
        return response

    @app.errorhandler(ZeroDivisionError)
    async def handler(error):
        NUMBER.set("handled")
        return "handled"

    @app.teardown_request
    def teardown(error):
        seen.append(("teardown", NUMBER.get(None)))


def both(view: Any, change: Any = None) -> list[list[Any]]:
    """What Flask's hooks and ours have seen of the variables."""
    seen: list[list[Any]] = [[], []]
    theirs, ours = flask.Flask("x"), Hooks()
    for app, notes, names in ((theirs, seen[0], flask), (ours, seen[1], middleware.hooks)):
        program(app, notes, names.abort)
        if change is not None:
            change(app, notes)

    @theirs.route("/")
    def index():
        return view(seen[0])

    def app(environ, start_response):
        body = view(seen[1]).encode()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    alone(lambda: serve(theirs.wsgi_app, lint=False))
    alone(lambda: serve(ours.wrap(app)))
    return seen


def noted(seen: list[Any]) -> str:
    seen.append(("view", NUMBER.get(None), OTHER.get()))
    return "x"


def test_what_an_async_hook_sets_is_seen_by_later_hooks_and_the_application():
    theirs, ours = both(noted)
    assert ours == theirs
    assert ("view", "changed", "set") in ours


def test_what_an_async_errorhandler_sets_is_seen_by_later_hooks():
    theirs, ours = both(lambda seen: boom())
    assert ours == theirs
    assert ("after", "handled", "set") in ours


def test_what_it_set_before_it_failed_stays_set():
    def change(app, seen):
        @app.before_request
        async def fails():
            NUMBER.set("before the error")
            await asyncio.sleep(0)
            raise KeyError("failed")

    theirs, ours = both(noted, change)
    assert ours == theirs
    assert ("after", "before the error", "set") in ours


def test_what_an_async_after_and_teardown_hook_set_is_seen_by_later_ones():
    def change(app, seen):
        @app.after_request
        async def after(response):
            NUMBER.set("after")
            return response

        @app.teardown_request
        async def teardown(error):
            NUMBER.set("teardown")

    theirs, ours = both(noted, change)
    assert ours == theirs
    assert ours[-2:] == [("after", "after", "set"), ("teardown", "teardown")]


@around
@pytest.mark.parametrize("fails", [False, True])
def test_it_stays_set_where_a_loop_is_running_too(around, fails):
    hooks, seen = Hooks(), []

    @hooks.before_request
    async def sets():
        NUMBER.set("set")
        await asyncio.sleep(0)
        if fails:
            raise KeyError

    hooks.teardown_request(lambda error: seen.append((NUMBER.get(None), type(error))))
    alone(lambda: around(lambda: ask(hooks)))
    assert seen == [("set", KeyError if fails else type(None))]


@around
def test_hooks_within_an_async_hook_hand_on_what_they_set(around):
    inner, outer = Hooks(), Hooks()

    @inner.before_request
    async def sets():
        NUMBER.set("inner")

    @outer.before_request
    async def asks():
        assert ask(inner).status == "200 OK"
        OTHER.set(NUMBER.get("lost"))

    seen = []
    outer.teardown_request(lambda error: seen.append((NUMBER.get(None), OTHER.get())))
    alone(lambda: around(lambda: ask(outer)))
    assert seen == [("inner", "inner")]


def test_a_variable_that_was_reset_is_as_before():
    hooks, seen = Hooks(), []

    @hooks.before_request
    async def sets_and_resets():
        OTHER.reset(OTHER.set("for a while"))
        NUMBER.reset(NUMBER.set("for a while"))

    hooks.after_request(lambda response: (seen.append((OTHER.get(), NUMBER.get(None))), response)[1])
    alone(lambda: ask(hooks))
    assert seen == [("unset", None)]


def test_what_a_task_of_the_hook_sets_is_the_task_s():
    hooks, seen = Hooks(), []

    async def task():
        NUMBER.set("task")

    @hooks.before_request
    async def spawns():
        await asyncio.create_task(task())

    hooks.after_request(lambda response: (seen.append(NUMBER.get(None)), response)[1])
    alone(lambda: ask(hooks))
    assert seen == [None]


@around
def test_it_stays_set_in_the_other_dialect(around):
    hooks, seen = ContextHooks(), []

    @hooks.before_request
    async def sets(ctx):
        NUMBER.set("set")

    hooks.after_request(lambda ctx, response: seen.append(NUMBER.get(None)))
    alone(lambda: around(lambda: ask(hooks)))
    assert seen == ["set"]


@around
def test_what_ends_the_process_ends_the_hook_and_keeps_what_it_set(around):
    hooks, seen = Hooks(), []

    @hooks.before_request
    async def stops():
        NUMBER.set("set")
        raise SystemExit(3)

    hooks.teardown_request(lambda error: seen.append((NUMBER.get(None), type(error))))
    answers = []
    alone(lambda: answers.append(ask(hooks)) if around is alone else around(lambda: answers.append(ask(hooks))))
    assert type(answers[0].error) is SystemExit
    assert seen == [("set", SystemExit)]


def test_values_that_cannot_be_compared_are_handed_on():
    class Odd:
        def __eq__(self, other):
            raise TypeError("not to be compared")

        __hash__ = None

    variable: ContextVar[Any] = ContextVar("variable", default=None)
    hooks, seen = Hooks(), []
    hooks.before_request(lambda: variable.set(Odd()) and None)

    @hooks.before_request
    async def replaces():
        variable.set(Odd())

    hooks.after_request(lambda response: (seen.append(variable.get()), response)[1])
    alone(lambda: ask(hooks))
    assert isinstance(seen[0], Odd)


def test_threads_do_not_see_what_another_sets():
    hooks = Hooks()

    @hooks.before_request
    async def sets():
        NUMBER.set(threading.current_thread().name)

    seen = {}

    def app(environ, start_response):
        seen[threading.current_thread().name] = NUMBER.get()
        return site()(environ, start_response)

    wrapped = hooks.wrap(app)
    threads = [threading.Thread(target=serve, args=(wrapped,), name=f"{number}") for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {thread.name: thread.name for thread in threads}


def test_where_no_loop_can_run_the_hook_fails_and_nothing_is_left(monkeypatch):
    """As under gevent, whose greenlets share what asyncio keeps for each thread."""
    hooks, errors = Hooks(), []

    @hooks.before_request
    async def waits():
        raise AssertionError("is not called")

    def refuse(coroutine):
        raise RuntimeError("asyncio.run() cannot be called from a running event loop")

    monkeypatch.setattr(asyncio, "run", refuse)
    hooks.teardown_request(lambda error: errors.append(error))
    assert ask(hooks).status[:3] == "500"
    assert [str(error) for error in errors] == ["asyncio.run() cannot be called from a running event loop"]
