"""Middleware as a value: constructed once, compared, printed, copied, never changed."""

from __future__ import annotations

import importlib
import inspect
from datetime import timedelta

import pytest

import middleware
from gateway import environ, serve
from middleware import (
    CORS,
    Compress,
    ConfigError,
    CrossOriginProtection,
    DecompressRequest,
    Effects,
    External,
    Headers,
    Middleware,
    RequestId,
    Response,
    SecurityHeaders,
    Stack,
    Timing,
    TrustedHosts,
    match,
)
from shapes import returning

APP = returning([b"x"])[0]


class Tag(Middleware):
    """Adds X-Tag."""

    def __init__(self, app=None, /, *, value="tag", note=None):
        self.value = value  # before or after super().__init__: both are right
        super().__init__(app)
        self.note = note

    def on_response(self, environ, response):
        response.headers["X-Tag"] = self.value


class Positional(Middleware):
    def __init__(self, value):
        self.value = value

    def on_response(self, environ, response):
        response.headers["X-Tag"] = self.value


@pytest.mark.parametrize(
    "application",
    [Tag(APP), Tag().wrap(APP), Stack(Tag()).wrap(APP), Positional("tag").wrap(APP)],
    ids=["alone", "wrap", "stack", "positional"],
)
def test_one_class_works_alone_and_in_a_stack(application):
    assert serve(application).get("X-Tag") == "tag"


def test_as_wsgi_people_write_it():
    class Framework:
        wsgi_app = staticmethod(APP)

    app = Framework()
    app.wsgi_app = Tag(app.wsgi_app, value="x")
    assert serve(app.wsgi_app).get("X-Tag") == "x"
    assert app.wsgi_app.app is APP


def test_without_an_application_a_call_says_what_to_write():
    with pytest.raises(
        TypeError, match=r"Tag\(app, \.\.\.\), Tag\(\.\.\.\)\.wrap\(app\) or Stack\(Tag\(\.\.\.\)\)\.wrap\(app\)"
    ):
        Tag()(environ(), None)


@pytest.mark.parametrize("make", [lambda: Tag(5), lambda: Tag().wrap(5), lambda: Tag().wrap("app")])
def test_an_application_is_callable(make):
    with pytest.raises(TypeError, match="Tag: a WSGI application is a callable"):
        make()


@pytest.mark.parametrize("options", [{"no_such": 1}, {"Value": "x"}])
@pytest.mark.parametrize("kind", [Tag, Headers, Timing])
def test_an_unknown_option_is_a_type_error(kind, options):
    with pytest.raises(TypeError, match=next(iter(options))):
        kind(**options)


def test_options_are_keyword_only():
    with pytest.raises(TypeError, match="by keyword"):
        Headers(None, {"X": "1"})


# Options in another form than their defaults, of the same meaning.
AS_BY_DEFAULT = [
    Headers(remove=[], append=None),
    SecurityHeaders(remove=["X-Powered-By"]),
    SecurityHeaders(csp_report_only=False, clear_site_data=False),
    CORS(allow_methods=["GET", "HEAD", "POST"], allow_headers=[]),
    CORS(max_age=timedelta(minutes=10)),
]


@pytest.mark.parametrize(
    ("layer", "shown"),
    [
        (Tag(), "Tag()"),
        (Tag(value="tag"), "Tag()"),
        (Tag(value="x", note=None), "Tag(value='x')"),
        (Tag(APP, value="x"), "Tag(value='x')"),
        (Tag().named("other"), "Tag().named('other')"),
        (Tag().when(match.path("/a")), "Tag().when(path('/a'))"),
        (Tag(value="x").named("n").when(match.method("GET")), "Tag(value='x').named('n').when(method('GET'))"),
        (Positional("v"), "Positional('v')"),
        (Timing(metric="total", precision=1), "Timing(precision=1)"),
        (Headers(set={"X": "1"}, remove="Server"), "Headers(set={'X': '1'}, remove=('Server',))"),
        *((layer, f"{layer.name}()") for layer in AS_BY_DEFAULT),
        (External(Tag, value="x"), "External(Tag, value='x')"),
        (External(sum, 1, effects=Effects(answers=True)), "External(sum, 1, effects=Effects(answers=True))"),
    ],
)
def test_repr_shows_what_differs_from_the_defaults(layer, shown):
    assert repr(layer) == shown


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (Tag(), Tag(), True),
        (Tag(value="tag"), Tag(), True),
        (Tag(value="x"), Tag(), False),
        *((layer, type(layer)(), True) for layer in AS_BY_DEFAULT),
        (Tag(), Tag().named("other"), False),
        (Tag().when(match.path("/a")), Tag().when(match.path("/a")), True),
        (Tag().when(match.path("/a")), Tag().when(match.path("/b")), False),
        (Tag(), Positional("tag"), False),
        (Positional("a"), Positional("b"), False),
        (Tag(APP), Tag(), False),
        (Tag(), "Tag()", False),
        (External(Tag, value="x"), External(Tag, value="x"), True),
        (External(Tag, value="x"), External(Tag, value="y"), False),
        (External(Tag), External(Positional), False),
    ],
)
def test_equality_compares_options(one, other, equal):
    assert (one == other) == equal
    assert not equal or hash(one) == hash(other)


@pytest.mark.parametrize("layer", [Tag(), Headers(), Timing(), Positional("x"), Tag(APP), External(Tag)])
def test_it_cannot_be_changed(layer):
    with pytest.raises(AttributeError, match="immutable"):
        layer.value = "other"
    with pytest.raises(AttributeError, match="immutable"):
        layer.brand_new = 1
    with pytest.raises(AttributeError, match="immutable"):
        del layer.name


def test_copies_leave_the_original_alone():
    layer = Tag(value="x")
    named, conditional = layer.named("n"), layer.when(match.path("/a"))
    assert (layer.name, layer.condition, named.name, named.value) == ("Tag", None, "n", "x")
    assert conditional.condition == match.path("/a")
    bound = layer.wrap(APP)
    assert (layer.app, bound.app) == (None, APP)
    assert serve(bound.when(match.path("/a"))).get("X-Tag") is None


@pytest.mark.parametrize("name", ["", " ", 5, None, "a\nb"])
def test_a_name_is_text(name):
    with pytest.raises(TypeError, match=r"Tag\.named: a name is a str"):
        Tag().named(name)


@pytest.mark.parametrize("predicate", [None, "path", True])
def test_a_predicate_is_callable(predicate):
    with pytest.raises(TypeError, match=r"Tag\.when: a predicate is a callable"):
        Tag().when(predicate)


def test_the_signature_is_that_of_the_constructor():
    assert str(inspect.signature(Tag)) == "(app=None, /, *, value='tag', note=None)"


def test_a_class_may_name_itself():
    class Named(Middleware):
        name = "by-class"

    class ByInstance(Middleware):
        def __init__(self):
            super().__init__()
            self.name = "by-instance"

    assert (Named().name, ByInstance().name, repr(ByInstance())) == ("by-class", "by-instance", "ByInstance()")


def test_the_base_does_nothing():
    """Each method of the base may be called by a subclass and changes nothing."""
    layer = Middleware()
    request, response = environ(), Response()
    assert layer.on_request(request) is layer.on_response(request, response) is layer.on_close(request, None) is None
    assert layer.on_build([layer]) == [layer]
    assert serve(Middleware(APP)).body == b"x"


def test_what_it_does_is_told_by_its_docstring():
    assert list(Tag().describe()) == [("does", "Adds X-Tag.")]
    assert list(Positional("x").describe()) == [("does", "something of its own")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"answers": 1}, "answers: True or False; got 1"),
        ({"unique": 5}, "unique: True or False"),
        ({"shares": "yes"}, "shares: True or False; got 'yes'"),
        ({"isolates": "corp"}, "isolates: option -> value; got 'corp'"),
        ({"sets": 5}, "sets: an iterable of names; got 5"),
        ({"reads": ["a b"]}, "reads: field names are tokens"),
        ({"provides": [1]}, "provides: environ keys are str"),
        ({"requires": [""]}, "requires: "),
    ],
)
def test_effects_are_checked(options, said):
    with pytest.raises(ConfigError) as refused:
        Effects(**options)
    assert said in str(refused.value)


def test_effects_keep_names_as_sets():
    effects = Effects(sets="Content-Type", reads=["ETag", "etag"], provides={"wsgi.url_scheme"}, requires=())
    assert effects.sets == {"content-type"}
    assert effects.reads == {"etag"}
    assert (effects.provides, effects.requires) == ({"wsgi.url_scheme"}, frozenset())


def test_effects_are_values():
    one, other = (Effects(isolates={"corp": value}) for value in ("cross-origin", "same-site"))
    assert one == Effects(isolates={"corp": "cross-origin"}) != other
    assert len({one, Effects(isolates={"corp": "cross-origin"}), other}) == 2


CHANGED = [
    (Tag(value="x"), {"note": "n"}, Tag(value="x", note="n")),
    (Tag(value="x"), {"value": "y"}, Tag(value="y")),
    (Tag(value="x"), {}, Tag(value="x")),
    (Tag(APP, value="x"), {"value": "y"}, Tag(APP, value="y")),
    (Tag(value="x").wrap(APP), {"value": "y"}, Tag(value="y").wrap(APP)),
    (Tag().named("n").when(match.path("/a")), {"value": "y"}, Tag(value="y").named("n").when(match.path("/a"))),
    (Headers(remove=iter(["Server"])), {"set": {"X": "1"}}, Headers(remove=["Server"], set={"X": "1"})),
    (External(Tag, value="x"), {"value": "y"}, External(Tag, value="y")),
]


@pytest.mark.parametrize(("layer", "options", "expected"), CHANGED)
def test_a_copy_with_other_options_is_what_the_constructor_makes_of_them(layer, options, expected):
    before = repr(layer)
    changed = layer.with_options(**options)
    assert (changed, repr(changed)) == (expected, repr(expected))
    assert repr(layer) == before


def test_a_copy_with_an_option_that_is_none_is_refused():
    with pytest.raises(TypeError, match="no_such"):
        Tag().with_options(no_such=1)


def test_the_package_has_its_names_and_no_others():
    assert set(dir(middleware)) == set(middleware.__all__)
    assert importlib.reload(middleware).__getattr__("match").path is match.path
    with pytest.raises(AttributeError, match="has no attribute 'no_such'"):
        middleware.no_such  # noqa: B018


ONE = "https://a.example"


@pytest.mark.parametrize(
    ("make", "given"),
    [
        (lambda given: CORS(allow_origins=given), [ONE]),
        (lambda given: TrustedHosts(hosts=given), ["a.example"]),
        (lambda given: CrossOriginProtection(trusted_origins=given), {ONE}),
        (lambda given: Headers(remove=given), ["X-A"]),
        (lambda given: Headers(set=given), {"X-A": "1"}),
        (lambda given: SecurityHeaders(csp={"img-src": given}), [ONE]),
    ],
)
def test_options_are_those_of_the_time_at_which_a_layer_was_made(make, given):
    layer = make(given)
    before = repr(layer)
    given.clear()
    assert repr(layer) == repr(layer.with_options()) == before
    assert layer.with_options() == layer


@pytest.mark.parametrize("base", [Timing, DecompressRequest, RequestId, Compress, Headers])
def test_a_subclass_is_told_of_the_end_whatever_its_base_needs(base):
    told = []

    class Told(base):
        def on_close(self, environ, error):
            told.append(error)
            super().on_close(environ, error)

    serve(Told().wrap(returning([b"x"])[0]))
    assert told == [None]


@pytest.mark.parametrize("kept", [[], {}, set()])
def test_a_copy_with_other_options_shares_what_a_layer_was_given_to_share(kept):
    class Record(Middleware):
        def __init__(self, app=None, /, *, into, tag="x"):
            super().__init__(app)
            self.into, self.tag = into, tag

    assert Record(into=kept).with_options(tag="y").into is kept


# -- options that a subclass takes in its own way ----------------------------------------------------------------------


@pytest.mark.parametrize("option", ["name", "condition", "effects", "options", "wrap"])
def test_an_option_named_like_an_attribute_of_the_base_is_shown_and_compared(option):
    class Vendor(Middleware):
        def __init__(self, app=None, /, **options):
            super().__init__(app)
            self.kept = options

    one, other = Vendor(**{option: "a"}), Vendor(**{option: "b"})
    assert repr(one) == f"Vendor({option}='a')"
    assert one != other
    assert one == Vendor(**{option: "a"})


def test_with_options_keeps_an_argument_that_stands_after_the_application():
    class Sub(Headers):
        def __init__(self, app=None, /, extra="", **options):
            super().__init__(app, **options)
            self.extra = extra

    copy = Sub(APP, "given", set={"X": "1"}).with_options(default={"Y": "2"})
    assert (copy.extra, copy.app, copy.default) == ("given", APP, {"Y": "2"})


def test_with_options_is_about_the_application_that_is_wrapped_now():
    other = returning([b"y"])[0]
    layer = Headers(Headers(APP, set={"A": "1"}), set={"A": "2"}).wrap(other)
    assert layer.with_options(set={"A": "1"}).app is other
