"""What authors of layers and writers of options get wrong: what is said, and when."""

from __future__ import annotations

import functools
import importlib
import inspect
import textwrap
from dataclasses import replace

import pytest
import webob.dec
import werkzeug

import middleware
from gateway import serve
from middleware import (
    CORS,
    BodyLimit,
    Compress,
    ConfigError,
    Effects,
    External,
    Gzip,
    Headers,
    Middleware,
    RateLimit,
    Redirect,
    RequestId,
    Respond,
    SecurityHeaders,
    Stack,
    Timing,
    TrustedHosts,
    match,
)
from shapes import returning

APP = returning([b"app"])[0]

# -- a class, when it is made ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "def on_respone(self, environ, response): ...",
            r"Own.on_respone is never called: write on_response\(self, env",
        ),
        ("def on_reqest(self, environ): ...", r"Own.on_reqest is never called: write on_request\(self, environ\)"),
        ("def on_requests(self, environ): ...", r"Own.on_requests is never called"),
        ("def on_rseponse(self, environ, response): ...", r"Own.on_rseponse is never called"),
        ("def onresponse(self, environ, response): ...", r"Own.onresponse is never called"),
        (
            "def on_clos(self, environ, error): ...",
            r"Own.on_clos is never called: write on_close\(self, environ, error\)",
        ),
        ("def in_build(self, layers): ...", r"Own.in_build is never called: write on_build\(self, layers\)"),
        ("def descibe(self): ...", r"Own.descibe is never called: write describe\(self\)"),
        ("def declare(self): ...", r"Own.declare is never called: write declared\(self\)"),
        (
            "def on_response(self, response): ...",
            r"Own.on_response is called as on_response\(self, environ, response\)",
        ),
        ("def on_request(self): ...", r"Own.on_request is called as on_request\(self, environ\); it has other param"),
        (
            "def on_request(self, environ, start_response): ...",
            r"Own.on_request is called as on_request\(self, environ\)",
        ),
        ("def on_close(self, environ): ...", r"Own.on_close is called as on_close\(self, environ, error\)"),
        ("def on_request(self, environ, *, key): ...", r"Own.on_request is called as on_request\(self, environ\)"),
        (
            "async def on_request(self, environ): ...",
            r"Own.on_request is a coroutine, which .* does not await: write it ",
        ),
        ("async def on_response(self, environ, response): ...", r"Own.on_response is a coroutine"),
        ("async def on_response(self, environ, response): yield", r"Own.on_response is a coroutine"),
        ("effects = {'answers': True}", r"Own.effects: an Effects\(...\); got \{'answers': True\}"),
        ("effects = Effects", r"Own.effects: an Effects\(...\); got <class"),
        ("__slots__ = ('kept',)", "Own: a layer has no __slots__, because its copies share what is in __dict__"),
    ],
)
def test_a_mistake_in_a_class_is_told_when_the_class_is_made(body, said):
    source = "class Own(Middleware):\n" + textwrap.indent(body, "    ")
    with pytest.raises(TypeError, match=said):
        exec(source, {"Middleware": Middleware, "Effects": Effects})  # noqa: S102 - the class is the input


def test_a_mistake_in_a_mixin_is_told_when_the_class_is_made():
    class Mixin:
        def on_response(self, response): ...

    with pytest.raises(TypeError, match=r"Own.on_response is called as on_response\(self, environ, response\)"):

        class Own(Mixin, Middleware): ...


def test_a_mixin_may_have_slots_that_hold_nothing():
    class Mixin:
        __slots__ = ("__weakref__",)

    class Own(Mixin, Middleware): ...

    assert Own().named("own").name == "own"


@pytest.mark.parametrize(
    "body",
    [
        "def on_request(self, environ): ...",
        "def on_request(self, *args): ...",
        "def on_response(self, environ, response, extra=None): ...",
        "on_request = staticmethod(print)",
        "def on_start(self): ...",
        "def description(self): ...",
        "declare = 'a value'",
        "def describe(self): ...\n    def described(self): ...",  # both: the second is a method of one's own
        "effects = property(lambda self: Effects())",
    ],
)
def test_what_is_right_or_far_from_a_method_is_let_through(body):
    exec(f"class Own(Middleware):\n    {body}", {"Middleware": Middleware, "Effects": Effects})  # noqa: S102


def test_a_decorator_around_a_coroutine_that_is_called_as_a_function_is_right():
    async def asynchronous(self, environ):
        return None

    @functools.wraps(asynchronous)
    def synchronous(self, environ):
        return None

    assert type("Own", (Middleware,), {"on_request": synchronous})(APP)


def test_a_decorator_that_changes_the_parameters_counts_as_it_is_called():
    def with_path(method):
        @functools.wraps(method)
        def on_request(self, environ):
            return method(self, environ["PATH_INFO"], environ)

        return on_request

    class Own(Middleware):
        @with_path
        def on_request(self, path, environ): ...

    assert Own(APP)


# -- describe ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effects", "described"),
    [
        (Effects(), [("does", "something of its own")]),
        (Effects(answers=True), [("request", "may answer it without the application")]),
        (
            Effects(provides={"my.b", "my.a"}, needs={"my.c"}, sets={"X-A"}, rewrites_body=True),
            [("request", "needs my.c; provides my.a, my.b"), ("response", "sets x-a; rewrites the body")],
        ),
        (
            Effects(measures=True, observes=True),
            [("time", "measures what stands inside"), ("end", "tells of every request")],
        ),
    ],
)
def test_by_default_a_layer_says_what_its_effects_say(effects, described):
    class Own(Middleware):
        def declared(self):
            return effects

    assert list(Own().describe()) == described
    Own.__doc__ = "Does this.\n\nAnd more."
    told = [pair for pair in described if pair[0] != "does"]
    assert list(Own().describe()) == [("does", "Does this."), *told]


# -- options, when a layer is constructed ------------------------------------------------------------------------------


class Required(Middleware):
    def __init__(self, app=None, /, *, hosts, key):
        super().__init__(app)


class Free(Middleware):
    def __init__(self, app=None, /, **options):
        super().__init__(app)


class Positional(Middleware):
    def __init__(self, limits):
        super().__init__()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: CORS(origins="*"), "CORS has no option 'origins': here it is allow_origins"),
        (lambda: CORS(allow_orgins="*"), "CORS has no option 'allow_orgins': did you mean allow_origins?"),
        (lambda: CORS(supports_credentials=True), "here it is allow_credentials"),
        (lambda: CORS(allow_origin_regex="."), r"here it is allow_origins=re.compile\(...\)"),
        (lambda: CORS(send_wildcard=True), 'here it is allow_origins="\\*"'),
        (lambda: Gzip(minimum_length=5), "Gzip has no option 'minimum_length': here it is minimum_size"),
        (lambda: Gzip(compresslevel=5), "Gzip has no option 'compresslevel': here it is level"),
        (lambda: SecurityHeaders(force_https=True), r"here it is the layer HTTPSRedirect\(\)"),
        (lambda: SecurityHeaders(content_security_policy=""), "here it is csp"),
        (lambda: SecurityHeaders(X_XSS_Protection=1), "here it is nothing: browsers have dropped it"),
        (lambda: Gzip(algorithms="gzip"), r"Gzip has no option 'algorithms': its options are level, minimum_size"),
        (lambda: TrustedHosts(allowed_hosts="a.example"), "here it is hosts"),
        (lambda: BodyLimit(max_content_length=5), "here it is max_bytes"),
        (lambda: RequestId(header_name="X-Id"), "here it is header"),
        (lambda: Timing(origins="*"), "Timing has no option 'origins': its options are metric, description"),
        (lambda: RateLimit(limit="3/day"), r"RateLimit has no option 'limit': did you mean limits\?"),
        (lambda: RateLimit(rate="3/day"), "RateLimit has no option 'rate': here it is limits"),
        (lambda: RateLimit(zzz=1), "its options are limits, key, storage"),
        (lambda: Respond(404, bodyy="x"), r"Respond has no option 'bodyy': did you mean body\?"),
        (lambda: Redirect(too="/x"), r"Redirect has no option 'too': did you mean to\?"),
        (lambda: Positional(limitt="x"), r"Positional has no option 'limitt': did you mean limits\?"),
        (lambda: Middleware(anything=1), "Middleware has no option 'anything': its options are none"),
        (lambda: Headers(sets={}, defaults={}), "'sets': did you mean set.; Headers has no option 'defaults': did you"),
        (lambda: Gzip(500), r"Gzip: a WSGI application is a callable .* given by keyword: Gzip\(minimum_size=500\)"),
        (lambda: Gzip(None, 500), r"given by keyword: Gzip\(minimum_size=500\)"),
        (lambda: Gzip(APP, 500), r"Gzip: options are given by keyword: Gzip\(app, minimum_size=500\)"),
        (lambda: Headers({"X-A": "b"}), r"Headers\(set=\{'X-A': 'b'\}\)"),
        (lambda: CORS(APP, ["*"]), r"CORS\(app, allow_origins=\['\*'\]\)"),
        (lambda: Timing("total"), r"Timing\(metric='total'\)"),
        (lambda: Gzip(app=APP), r"Gzip: the application is given by position: Gzip\(app, ...\)"),
        (lambda: Required(5), r"given by keyword: Required\(hosts=5\)"),
        (lambda: Required(), r"Required: required and not given: write Required\(hosts=..., key=...\)"),
        (lambda: Required(APP, hosts=()), r"write Required\(key=...\)"),
        (lambda: Middleware(5), r"Middleware: a WSGI application is a callable \(environ, start_response\); got 5"),
        (lambda: Free(5), "Free: a WSGI application is a callable"),
    ],
)
def test_a_mistake_in_options_is_told_when_the_layer_is_constructed(make, said):
    with pytest.raises(TypeError, match=said):
        make()


@pytest.mark.parametrize(
    "layer", [BodyLimit, CORS, Compress, Gzip, RateLimit, RequestId, SecurityHeaders, TrustedHosts]
)
def test_the_options_of_others_are_answered_by_options_that_there_are(layer):
    own = inspect.signature(layer).parameters
    for other, here in layer._peers.items():
        assert other not in own
        assert " " in here or here.partition("=")[0] in own


def test_other_constructors_are_called_as_they_are():
    assert Free(APP, anything=1).options == {"anything": 1}
    assert Positional("3/day")
    assert Required(hosts=(), key=1)


# -- the names of the package ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Cors", "CORS"),
        ("cors_", "CORS"),
        ("CORSMiddleware", "CORS"),
        ("GZipMiddleware", "Gzip"),
        ("GZip", "Gzip"),
        ("Stak", "Stack"),
        ("SecurityHeader", "SecurityHeaders"),
        ("jsonresponse", "json_response"),
        ("Middlewares", "Middleware"),
    ],
)
def test_a_name_near_a_public_one_is_suggested(name, meant):
    with pytest.raises(AttributeError, match=rf"module 'middleware' has no attribute '{name}': did you mean {meant}\?"):
        getattr(middleware, name)
    with pytest.raises(ImportError, match=rf"cannot import name '{name}' from 'middleware': did you mean {meant}\?"):
        exec(f"from middleware import {name}")  # noqa: S102 - the statement is the input
    assert not hasattr(middleware, name)


@pytest.mark.parametrize("name", ["nothing_like_it", "_private", "__wrapped__"])
def test_for_other_names_nothing_is_suggested(name):
    with pytest.raises(AttributeError, match=f"has no attribute '{name}'$"):
        getattr(middleware, name)
    with pytest.raises(ImportError, match=f"cannot import name '{name}' from 'middleware'"):
        exec(f"from middleware import {name}")  # noqa: S102


def test_modules_are_imported_as_ever():
    assert importlib.import_module("middleware.paste")
    exec("from middleware import paste")  # noqa: S102


# -- a stack -----------------------------------------------------------------------------------------------------------


def create_app():
    return APP


def with_config(config):
    return APP


def with_defaults(config=None, testing=None):
    return APP


async def asgi(scope, receive, send):
    """An application of ASGI 3."""


async def double(scope, receive):
    """A coroutine with two parameters."""


class ASGI:
    async def __call__(self, scope, receive, send):
        """An application of ASGI 3."""


class Single:
    def __init__(self, config):
        self.config = config


class Classical:
    """An application as PEP 3333 shows it: the instance is the iterable."""

    def __init__(self, environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])

    def __iter__(self):
        return iter([b"app"])


def application(environ, start_response):
    return APP(environ, start_response)


class Called:
    def __call__(self, environ, start_response):
        return APP(environ, start_response)

    def method(self, environ, start_response):
        return APP(environ, start_response)


@pytest.mark.parametrize("wrap", [Stack(Timing()).wrap, Stack().wrap, Timing().wrap, Timing])
@pytest.mark.parametrize(
    ("app", "said"),
    [
        (None, "a WSGI application is a callable"),
        ("app", r"a WSGI application is a callable \(environ, start_response\)"),
        (asgi, r"is an ASGI application: give a2wsgi.ASGIMiddleware\(asgi\)"),
        (double, r"is an ASGI application: give a2wsgi.ASGIMiddleware\(double\)"),
        (ASGI(), r"is an ASGI application: give a2wsgi.ASGIMiddleware\(app\)"),
        (create_app, r"is not called so: give what it returns, create_app\(...\)"),
        (with_config, r"give what it returns, with_config\(...\)"),
        (with_defaults, r"give what it returns, with_defaults\(...\)"),
        (Single, r"give what it returns, Single\(...\)"),
        (lambda: APP, r"give what it returns, <lambda>\(...\)"),
    ],
)
def test_what_is_no_wsgi_application_is_refused_when_it_is_wrapped(wrap, app, said):
    if wrap is Timing and not callable(app):
        return  # no application, or an option by position: see above
    with pytest.raises(TypeError, match=said):
        wrap(app)


@pytest.mark.parametrize(
    "app",
    [
        APP,
        Classical,
        Called(),
        Called().method,
        werkzeug.Request.application(lambda request: werkzeug.Response("ok")),  # has __wrapped__
        webob.dec.wsgify(lambda request: "ok"),
        functools.partial(lambda name, environ, start_response: APP(environ, start_response), "name"),
        lambda *args: APP(*args),
        lambda environ, start_response, extra=None: APP(environ, start_response),
        max,  # without a signature
    ],
)
def test_applications_of_every_kind_are_wrapped(app):
    assert Stack(Timing()).wrap(app).app is app
    assert Timing(app).app is app


@pytest.mark.parametrize(
    "wrap",
    [
        lambda: Stack(Timing()).wrap(Stack(Timing()).wrap(APP)),
        lambda: Stack(Timing(), Headers(set={"X-A": "1"})).wrap(Stack(Timing(), Headers(set={"X-A": "1"})).wrap(APP)),
        lambda: Timing(Timing(APP)),
        lambda: Gzip(Gzip(APP, minimum_size=5), minimum_size=5),
        lambda: Gzip(minimum_size=5).wrap(Gzip(APP, minimum_size=5)),
    ],
)
def test_what_is_wrapped_in_an_equal_one_is_refused(wrap):
    with pytest.raises(TypeError, match=r"wrapped in an equal .* already: wrap it once"):
        wrap()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda: Stack(Timing(metric="a")).wrap(Stack(Timing(metric="b")).wrap(APP)),
        lambda: Timing(Timing(APP, metric="inner"), metric="outer"),
        lambda: Headers(Headers(APP, set={"X-A": "1"}), set={"X-A": "2"}),
        lambda: Timing(APP).wrap(APP),
        lambda: Stack().wrap(Stack().wrap(APP)),
    ],
)
def test_what_is_wrapped_in_another_one_is_right(wrap):
    assert callable(wrap())


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: Stack([Timing(), Gzip()]), TypeError, r"Stack: layers are given one by one: write Stack\(\*layers\)"),
        (lambda: Stack((Timing(),)), TypeError, r"write Stack\(\*layers\)"),
        (lambda: Stack(Timing), TypeError, r"Stack: Timing is a class: write Timing\(...\)"),
        (lambda: Stack().add(Timing), TypeError, r"write Timing\(...\)"),
        (lambda: Stack(Timing(), APP), TypeError, r"if it is the application, write Stack\(...\).wrap\("),
        (lambda: Stack(Timing(), Called()), TypeError, r"if it is the application, write Stack\(...\).wrap\(app\)"),
        (lambda: Stack(Timing(), None), TypeError, "a stack is made of Middleware"),
        (lambda: Stack(Timing(APP)), ConfigError, "already wraps an application"),
        (lambda: Stack(Timing())({}, None), TypeError, r"write application = stack.wrap\(app\)"),
        (lambda: Stack(Timing()).wrap(Stack(Gzip())), TypeError, r"write Stack\(outer, inner\).wrap\(app\)"),
        (lambda: External(Timing(APP)), ConfigError, r"is an application: write External\(Timing, ...\)"),
        (lambda: External(Called()), ConfigError, r"is an application: write External\(Called, ...\)"),
        (lambda: External(application), ConfigError, r"is an application: write stack.wrap\(app\)"),
        (lambda: Timing().when("/api"), TypeError, r"Timing.when: a predicate is .*: write match.path\('/api'\)"),
        (lambda: Timing().when("api"), TypeError, "Timing.when: a predicate is a callable environ -> bool; got 'api'"),
        (lambda: Timing().when(match.path), TypeError, r"match.path makes one: write match.path\(...\)"),
        (lambda: Timing().when(match.method), TypeError, r"write match.method\(...\)"),
        (lambda: Timing().when(lambda: True), TypeError, "a predicate is a callable environ -> bool; got <function"),
        (lambda: Timing().when(with_config_async), TypeError, "always counts as true: write it without async"),
        (lambda: Stack(Timing()).wrap(APP, on_error="ignore"), ConfigError, '"auto", "respond" or "raise"; got'),
    ],
)
def test_a_mistake_in_a_stack_says_what_to_write(make, error, said):
    with pytest.raises(error, match=said):
        make()


async def with_config_async(environ):
    return False


@pytest.mark.parametrize(
    "factory", [Timing, functools.partial(Headers, set={"X-A": "1"}), lambda app, name=None: app, max]
)
def test_factories_of_every_kind_are_external(factory):
    assert External(factory)


def test_layers_of_equal_stacks_within_a_stack_are_two_of_a_kind():
    inner = Stack(Timing(), SecurityHeaders())
    found = [(each.rule, each.layers) for each in Stack(inner, inner).check()]
    assert ("unique", ("Timing", "Timing-2")) in found
    assert ("unique", ("SecurityHeaders", "SecurityHeaders-2")) in found


# -- a subclass of a layer that declares effects by its options ----------------------------------------------------

DECLARING = {
    "Headers": lambda kind: kind(set={"X-A": "1"}),
    "SecurityHeaders": lambda kind: kind(),
    "SecurityHeaders with a nonce": lambda kind: kind(csp={"script-src": middleware.NONCE}, corp=None),
    "CORS": lambda kind: kind(),
    "CORS for every origin": lambda kind: kind(allow_origins="*"),
    "Compress": lambda kind: kind(),
    "Compress with a 406": lambda kind: kind(not_acceptable="406"),
    "InjectHTML": lambda kind: kind(html="<b>", nonce=True),
    "RequestId": lambda kind: kind(header="X-Id"),
    "RateLimit": lambda kind: kind("1/day"),
    "RateLimit without fields": lambda kind: kind("1/day", headers=False),
    "RequestId without a field": lambda kind: kind(response=False),
    "Metrics": lambda kind: kind(),
    "Metrics with a page": lambda kind: kind(path="/metrics"),
    "DecompressRequest": lambda kind: kind(),
    "DecompressRequest with a buffer": lambda kind: kind(buffer=True),
    "Hooks": lambda kind: kind(),
    "ContextHooks": lambda kind: kind(),
}


@pytest.mark.parametrize("case", DECLARING)
def test_effects_of_a_subclass_are_declared_beside_those_that_follow_from_options(case):
    base = getattr(middleware, case.split()[0])
    facts = {"answers": True, "rewrites_body": True, "grants": True, "costs": True, "shares": True, "unique": "own"}
    names = dict.fromkeys(("sets", "reads", "provides", "requires", "needs"), frozenset({"own"}))
    mappings = {name: {"own": 1} for name in ("isolates", "unscripted")}
    kind = type("Own", (base,), {"effects": replace(base.effects, **facts, **names, **mappings)})
    of_base, own = DECLARING[case](base).declared(), DECLARING[case](kind).declared()
    added = {name: getattr(of_base, name) - getattr(base.effects, name) for name in names}
    expected = {name: names[name] | added[name] for name in names}
    expected |= {name: {**getattr(of_base, name), "own": 1} for name in mappings}
    assert own == replace(of_base, **facts, **expected)


def test_a_subclass_of_headers_may_declare_that_it_rewrites_the_body():
    class Banner(Headers):
        effects = Effects(rewrites_body=True)

        def on_response(self, environ, response):
            super().on_response(environ, response)
            response.body = [b"banner"]

    answer = serve(Banner(APP, set={"X-A": "1"}))
    assert (answer.body, answer.get("X-A")) == (b"banner", "1")


def test_a_subclass_of_headers_that_grants_needs_certainty():
    class Public(Headers):
        effects = Effects(grants=True)

    layer = Public(APP, set={"X-A": "1"}).when(match.path("/public"))
    assert [serve(layer, path).get("X-A") for path in ("/public/x", "/public/../admin")] == ["1", None]


def test_a_subclass_of_security_headers_that_answers_is_checked():
    class Closed(SecurityHeaders):
        effects = Effects(every_response=True, answers=True)

    assert [each.rule for each in Stack(Closed(), CORS()).check()] == ["answer-inside-every-response"]
