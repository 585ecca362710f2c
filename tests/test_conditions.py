"""Conditions of layers: how they are asked, and that responses name in Vary what they depend on."""

from __future__ import annotations

import pytest

from gateway import serve
from middleware import (
    CORS,
    AccessLog,
    ConfigError,
    Effects,
    External,
    Headers,
    Hooks,
    Metrics,
    Middleware,
    Stack,
    Timing,
)
from middleware.hooks import abort
from middleware.match import header, host, method, path

BETA = header("X-Beta")


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Vary", "Accept")])
    return [b"x"]


def failing(environ, start_response):
    raise ZeroDivisionError


def vary(application, at="/", **fields):
    answer = serve(application, at, **fields)
    (line,) = answer.get_all("Vary") or [""]
    return line


# -- when ------------------------------------------------------------------------------------------------------------


class Told(Middleware):
    """Is told of the end."""

    def __init__(self, told):
        super().__init__()
        self.told = told

    def on_close(self, environ, error):
        self.told.append(type(error))


HEADER = Headers(set={"X-A": "1"})
CONDITIONED = [
    lambda condition: HEADER.when(condition),
    lambda condition: HEADER.when(path("/") & condition),
    lambda condition: HEADER.when(~(path("/x") | condition)),
    lambda condition: CORS(allow_origins="*").when(condition),
]


@pytest.mark.parametrize("conditioned", CONDITIONED)
@pytest.mark.parametrize("times", [1, 3])
def test_outer_layers_have_met_the_request_when_a_condition_is_evaluated(conditioned, times):
    """Timing prepares environ, and measures what the condition takes."""
    now, seen, reported = [0.0], [], []

    def slow(environ):
        seen.append("middleware.timing" in environ)
        now[0] += 1.0
        return False

    timing = Timing(clock=lambda: now[0], on_complete=lambda each: reported.append(each.seconds_to_headers))
    for each in (timing, Timing(clock=lambda: now[0])):
        application = Stack(each, conditioned(slow)).wrap(app)
        for _ in range(times):
            answer = serve(application)
            assert answer.get("Server-Timing") == "total;dur=1000.000"
    assert seen == [True] * 2 * times
    assert reported == [1.0] * times


@pytest.mark.parametrize("error", [LookupError, SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("conditioned", CONDITIONED)
def test_a_condition_that_raises_is_an_error_that_outer_layers_are_told_of(conditioned, error):
    told, asked = [], []

    def raises(environ):
        asked.append(1)
        raise error

    answer = serve(Stack(Told(told), conditioned(raises)).wrap(app), lint=False)
    assert told == [error]
    assert isinstance(answer.error, error) if error is not LookupError else answer.status[:3] == "500"
    assert len(asked) == 1 or error is LookupError  # the 500 is shown to the layer, too, if its condition holds


# -- Vary ------------------------------------------------------------------------------------------------------------


def third_party(app):
    def run(environ, start_response):
        return app(environ, start_response)

    return run


class Answering(Middleware):
    def on_request(self, environ):
        return app


class Watching(Middleware):
    def on_close(self, environ, error):
        pass


def hooked(condition):
    hooks = Hooks()
    hooks.after_request(lambda response: response)
    return hooks.when(condition)


def scoped(condition):
    hooks = Hooks()
    hooks.scope(condition).scope(condition).before_request(lambda: None)
    return hooks


KINDS = {
    "edits": lambda condition: Headers(set={"X-App": "1"}).when(condition),
    "answers": lambda condition: Answering().when(condition),
    "grants": lambda condition: CORS(allow_origins="*").when(condition),
    "wraps": lambda condition: External(third_party).when(condition),
    "runs hooks": hooked,
    "runs hooks of a scope": scoped,
    "exposes": lambda condition: Timing(expose=condition),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("fields", [{}, {"HTTP_X_BETA": "1"}])
def test_every_response_that_a_condition_on_a_field_may_have_changed_varies_by_it(kind, alone, fields):
    """The layer took part or not: a cache cannot know."""

    def put_around(condition):
        layer = KINDS[kind](condition)
        return layer.wrap(app) if alone else Stack(layer).wrap(app)

    assert vary(put_around(BETA), **fields) == "Accept, X-Beta"
    assert vary(put_around(~(BETA & header("Origin"))), **fields) == "Accept, Origin, X-Beta"
    there = put_around(path("/api") & BETA)
    assert [vary(there, at, **fields) for at in ("/", "/api/x")] == ["Accept", "Accept, X-Beta"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "condition", [path("/"), method("GET"), host("127.0.0.1"), path("/x") | method("PUT"), lambda environ: True]
)
def test_what_a_cache_looks_up_anyway_is_not_named(kind, condition):
    assert vary(Stack(KINDS[kind](condition)).wrap(app)) == "Accept"


def test_a_callable_may_name_its_fields():
    def asked(environ):
        return "HTTP_COOKIE" in environ

    asked.request_fields = ("Cookie",)
    assert vary(Headers(app, set={"X-App": "1"}).when(asked)) == "Accept, Cookie"
    assert vary(Headers(app, set={"X-App": "1"}).when(path("/") & asked)) == "Accept, Cookie"
    asked.request_fields = "Cookie"
    assert vary(Headers(app, set={"X-App": "1"}).when(asked)) == "Accept, Cookie"
    assert vary(Headers(app, set={"X-App": "1"}).when(path("/") & asked)) == "Accept, Cookie"


def test_the_field_that_cors_varies_by_is_named_once():
    layer = CORS(allow_origins="https://a.example").when(header("Origin"))
    for origin in ({}, {"HTTP_ORIGIN": "https://a.example"}, {"HTTP_ORIGIN": "https://b.example"}):
        assert vary(Stack(layer).wrap(app), **origin) == "Accept, Origin"


class LogsAndEdits(AccessLog):
    def on_response(self, environ, response):
        response.headers["X-App"] = "1"


class CountsAndEdits(Metrics):
    on_response = LogsAndEdits.on_response


class TimesAndEdits(Timing):
    on_response = LogsAndEdits.on_response


def tagged(environ):
    """A plain callable, which names its field."""
    return "HTTP_X_BETA" in environ


tagged.request_fields = ["X-Beta"]


@pytest.mark.parametrize("watching", [Watching(), AccessLog(), Metrics(), Timing(expose=False, on_complete=str)])
@pytest.mark.parametrize("fields", [{}, {"HTTP_X_BETA": "1"}])
def test_a_layer_that_changes_no_response_names_nothing(watching, fields):
    assert vary(Stack(watching.when(BETA)).wrap(app), **fields) == "Accept"
    assert vary(watching.when(BETA).wrap(app), **fields) == "Accept"


@pytest.mark.parametrize(
    "editing",
    [
        Timing(expose=False, response_time_header="X-Time"),
        LogsAndEdits(),
        CountsAndEdits(),
        TimesAndEdits(expose=False),
    ],
)
def test_a_layer_that_watches_and_may_change_a_response_names_its_fields(editing):
    assert vary(Stack(editing.when(BETA)).wrap(app)) == "Accept, X-Beta"


@pytest.mark.parametrize("condition", [BETA, tagged])
def test_metrics_with_a_page_names_its_fields_at_the_page_alone(condition):
    for made in (
        Stack(Metrics(path="/metrics").when(condition)).wrap(app),
        Metrics(app, path="/metrics").when(condition),
    ):
        assert [vary(made, at) for at in ("/", "/metrics")] == ["Accept", "Accept, X-Beta"]
    fixed = Stack(Metrics(path="/metrics").when(path("/api") & condition)).wrap(app)
    assert vary(fixed, "/metrics") == "Accept"


def test_errors_and_answers_of_inner_layers_vary_too():
    layer = Headers(set={"X-App": "1"}).when(BETA)
    assert vary(Stack(layer).wrap(failing)) == "Accept, X-Beta"
    assert vary(Stack(layer, Answering()).wrap(failing)) == "Accept, X-Beta"


def test_an_answer_of_an_outer_layer_does_not_vary():
    assert vary(Stack(Answering(), Headers(set={"X-App": "1"}).when(BETA)).wrap(failing)) == "Accept"


def test_a_vary_that_the_layer_itself_sets_is_added_to():
    assert vary(Stack(Headers(set={"Vary": "Cookie"}).when(BETA)).wrap(app), HTTP_X_BETA="1") == "Cookie, X-Beta"


# -- who asks for certainty ------------------------------------------------------------------------------------------

IN_DOUBT = ["//admin", "/admin/../x", "/x/../admin", "/admin\n", "/adm\xffin"]


class Marks(Middleware):
    """Marks every response."""

    def on_response(self, environ, response):
        response.headers["X-Mark"] = "1"


class Grants(Marks):
    """Marks them as a grant."""

    effects = Effects(grants=True)


def marking(app):
    def run(environ, start_response):
        return app(environ, lambda status, headers, *more: start_response(status, [*headers, ("X-Mark", "1")], *more))

    return run


def marked(layer, at):
    return serve(Stack(layer).wrap(app), at).get("X-Mark") == serve(layer.wrap(app), at).get("X-Mark") == "1"


@pytest.mark.parametrize("grants", [False, True])
@pytest.mark.parametrize("at", IN_DOUBT)
def test_in_doubt_a_layer_takes_part_unless_it_grants(grants, at):
    for layer in ((Marks, Grants)[grants](), External(marking, effects=Effects(grants=grants))):
        assert marked(layer.when(path("/admin")), at) == (not grants)
        assert marked(layer.when(~path("/admin")), at) == (not grants)
        assert marked(layer.when(path("/admin")), "/admin/x")
        assert not marked(layer.when(path("/admin")), "/x")


@pytest.mark.parametrize("at", IN_DOUBT)
def test_cors_grants_nothing_in_doubt(at):
    granting = CORS(allow_origins="*")
    for condition in (path("/admin"), ~path("/admin")):
        answer = serve(granting.when(condition).wrap(app), at, HTTP_ORIGIN="https://a.example")
        assert answer.get("Access-Control-Allow-Origin") is None
    for condition, certain in ((path("/admin"), "/admin/x"), (~path("/admin"), "/x")):
        answer = serve(granting.when(condition).wrap(app), certain, HTTP_ORIGIN="https://a.example")
        assert answer.get("Access-Control-Allow-Origin") == "*"


@pytest.mark.parametrize("at", IN_DOUBT)
def test_timing_is_shown_to_nobody_in_doubt(at):
    assert serve(Timing(app, expose=path("/admin")), at).get("Server-Timing") is None
    assert serve(Timing(app, expose=path("/admin")), "/admin").get("Server-Timing")


def test_a_guard_of_hooks_with_a_condition_runs_in_doubt():
    hooks = Hooks()
    hooks.before_request(lambda: abort(403))
    for at in IN_DOUBT:
        assert serve(hooks.when(path("/admin")).wrap(app), at).status.startswith("403")


def test_grants_is_a_bool():
    with pytest.raises(ConfigError, match="grants: True or False"):
        Effects(grants="CORS")
