"""The order rules: which demands they make of which facts, their exemptions, and that a printed fix has been tried."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import serve
from middleware import (
    CORS,
    NONCE,
    AccessLog,
    BasicAuth,
    BodyLimit,
    Compress,
    ConcurrencyLimit,
    DecompressRequest,
    Effects,
    External,
    Headers,
    Hooks,
    Metrics,
    Middleware,
    OrderError,
    RateLimit,
    RequestId,
    SecurityHeaders,
    Stack,
    Timing,
    TrustedHosts,
    by,
    match,
)
from middleware.hooks import ContextHooks


class Layer(Middleware):
    """A layer with the effects that a test gives it."""

    def __init__(self, name="layer", **effects):
        super().__init__()
        self.name = name
        self.declares = Effects(**effects)

    def declared(self):
        return self.declares


# What the layers declare, by their names.
FACTS = {
    "RequestId": {
        "identifies": True,
        "every_response": True,
        "provides": ["middleware.request_id"],
        "sets": ["X-Request-Id"],
    },
    "AccessLog": {"observes": True, "measures": True, "requires": ["REMOTE_ADDR", "middleware.request_id"]},
    "Metrics": {"observes": True, "measures": True, "requires": ["REMOTE_ADDR"]},
    "Page": {"observes": True, "measures": True, "answers": True, "own_page": True, "requires": ["REMOTE_ADDR"]},
    "Timing": {"measures": True, "every_response": True, "sets": ["Server-Timing"]},
    "Proxy": {"provides": ["REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST"], "unique": "proxy"},
    "Security": {"every_response": True},
    "Nonce": {"every_response": True, "provides": ["middleware.csp_nonce"]},
    "TrustedHosts": {"answers": True, "refuses": True, "requires": ["HTTP_HOST"], "provides": ["middleware.host"]},
    "HTTPSRedirect": {"answers": True, "requires": ["wsgi.url_scheme", "HTTP_HOST", "middleware.host"]},
    "ByAddress": {"answers": True, "sets": ["RateLimit", "RateLimit-Policy"], "requires": ["REMOTE_ADDR"]},
    "ByUser": {"answers": True, "sets": ["RateLimit", "RateLimit-Policy"], "requires": ["REMOTE_USER"]},
    "ByBoth": {"answers": True, "refuses": True, "requires": ["REMOTE_USER", "REMOTE_ADDR"]},
    "Concurrency": {"answers": True, "costs": True},
    "BasicAuth": {"answers": True, "provides": ["REMOTE_USER", "AUTH_TYPE"]},
    "BodyLimit": {"answers": True, "limits_input": True},
    "Decompress": {"answers": True, "decodes_input": True},
    "Buffering": {"answers": True, "decodes_input": True, "costs": True},
    "Hooks": {"answers": True, "reads_input": True},
    "Compress": {"encodes_body": True, "reads": ["Content-Type", "ETag"], "sets": ["ETag", "Content-Encoding"]},
    "Conditional": {"validates": True, "reads": ["ETag", "Last-Modified"], "sets": ["ETag"]},
    "Inject": {"rewrites_body": True, "reads": ["Content-Type", "Content-Encoding"], "sets": ["ETag"]},
    "InjectNonce": {"rewrites_body": True, "needs": ["middleware.csp_nonce"]},
    "Reporter": {"reports": True},
    "Plain": {},
}


def named(*names):
    return Stack(*(Layer(name, **FACTS[name]) for name in names))


# the layers, outermost first -> the rules that they break
ORDERS = [
    ("RequestId AccessLog Timing Security TrustedHosts HTTPSRedirect Compress Conditional Inject", []),
    ("AccessLog RequestId", ["provide-outside-require"]),
    ("TrustedHosts AccessLog", ["observe-outside-answer", "measure-outermost"]),
    ("HTTPSRedirect TrustedHosts", ["provide-outside-require"]),
    ("Proxy AccessLog Timing", []),  # what it requires stands outside
    ("Proxy Timing", []),  # an effect that is `provides` alone takes no time
    ("BasicAuth Timing", ["answer-inside-every-response", "measure-outermost"]),
    ("RequestId Timing", []),
    ("Timing RequestId", []),
    ("Page Security AccessLog", ["measure-outermost"]),
    ("Page RequestId", []),
    ("Security Page", ["measure-outermost"]),
    ("Page AccessLog", []),
    ("AccessLog Page", []),
    ("TrustedHosts Page", ["observe-outside-answer", "measure-outermost"]),  # it tells of none that is refused
    ("Conditional Compress", ["validate-between"]),
    ("Inject Conditional", ["validate-between", "set-inside-read"]),
    ("Inject Compress", ["rewrite-inside-encode"]),
    ("Compress Conditional Inject", []),
    ("Headers-etag Conditional", ["set-inside-read"]),
    ("Hooks BodyLimit", ["limit-outside-input", "refuse-before-cost"]),
    ("Decompress BodyLimit", ["limit-outside-input"]),
    ("Buffering BodyLimit", ["limit-outside-input", "refuse-before-cost"]),
    ("BodyLimit Decompress Hooks", []),
    ("Hooks Decompress", ["decode-outside-read"]),
    ("Concurrency TrustedHosts", ["refuse-before-cost"]),
    ("Concurrency ByAddress", ["refuse-before-cost"]),
    ("Concurrency BodyLimit", ["refuse-before-cost"]),
    ("Hooks ByAddress", ["refuse-before-cost"]),
    ("TrustedHosts ByAddress BodyLimit Concurrency Buffering Hooks", []),
    ("BasicAuth ByAddress", ["count-before-verify"]),
    ("ByAddress BasicAuth", []),
    ("ByUser BasicAuth", ["provide-outside-require", "count-before-verify"]),
    ("BasicAuth ByUser", []),
    ("BasicAuth ByBoth", []),
    ("InjectNonce", ["need-provided"]),
    ("InjectNonce Nonce", ["need-provided"]),
    ("Nonce InjectNonce", []),
    ("Nonce InjectNonce Nonce-2", []),
    ("Reporter Plain", ["report-inside-respond"]),
    ("Timing Plain Reporter", []),
    ("Reporter Reporter-2", []),
]
FACTS |= {
    "Nonce-2": FACTS["Nonce"],
    "Reporter-2": FACTS["Reporter"],
    "X": {"provides": ["w"], "requires": ["z"]},
    "W": {"requires": ["w"]},
    "Y": {"provides": ["y"]},
    "Z": {"provides": ["z"], "requires": ["y"]},
    "Headers-etag": {"sets": ["ETag"]},
}


@pytest.mark.parametrize(("order", "rules"), ORDERS, ids=lambda value: value if isinstance(value, str) else "")
def test_an_order_breaks_these_rules(order, rules):
    assert [finding.rule for finding in named(*order.split()).check()] == rules


def test_what_no_layer_provides_is_told_with_one_layer():
    [finding] = named("InjectNonce", "Plain").check()
    assert finding.layers == ("InjectNonce",)
    assert finding.message == (
        "InjectNonce needs middleware.csp_nonce, which no layer provides: responses lack what depends on it"
    )
    assert finding.fix == "stack.remove('InjectNonce')  # or add a layer that provides middleware.csp_nonce"


def test_what_is_needed_is_arranged_inside_what_provides_it():
    assert named("InjectNonce", "Plain", "Nonce").arranged().names == ("Nonce", "InjectNonce", "Plain")
    assert "inside Nonce (need-provided)" in str(named("Nonce", "InjectNonce"))


def test_hooks_read_the_request_body():
    limit = Layer("limit", limits_input=True)
    for hooks in (Hooks(), ContextHooks()):
        assert "limit-outside-input" in {finding.rule for finding in Stack(hooks, limit).check()}


LIMIT = RateLimit("5/minute")
BY_USER = RateLimit("5/minute", key=by.user)
LOGIN = BasicAuth(verify=lambda user, password: True)
BUSY = ConcurrencyLimit(limit=1)


@pytest.mark.parametrize(
    ("layers", "rules"),
    [
        ((BUSY, LIMIT), {"refuse-before-cost"}),
        ((BUSY, TrustedHosts(hosts="*")), {"refuse-before-cost"}),
        ((BUSY, BodyLimit(max_bytes=1)), {"refuse-before-cost"}),
        ((DecompressRequest(buffer=True), LIMIT), {"refuse-before-cost"}),
        ((DecompressRequest(), LIMIT), set()),
        ((Hooks(), RateLimit("5/minute", headers=False)), {"refuse-before-cost"}),
        (
            (LIMIT, TrustedHosts(hosts="*"), BodyLimit(max_bytes=1), BUSY, DecompressRequest(buffer=True), Hooks()),
            set(),
        ),
        ((LOGIN, LIMIT), {"count-before-verify"}),
        ((LIMIT, LOGIN, BY_USER.named("by-user")), {"unique"}),
        ((BY_USER, LOGIN), {"provide-outside-require", "count-before-verify"}),
        ((RequestId(), AccessLog(), Metrics(path="/metrics"), Timing(), SecurityHeaders(), LIMIT, LOGIN), set()),
    ],
)
def test_the_layers_declare_what_the_rules_look_at(layers, rules):
    assert {finding.rule for finding in Stack(*layers).check()} == rules


# -- an error reporter -----------------------------------------------------------------------------------------------


def failing(environ, start_response):
    raise KeyError("gone")


def reporting(seen):
    def factory(app):
        def run(environ, start_response):
            try:
                return app(environ, start_response)
            except Exception as error:
                seen.append(error)
                raise

        return run

    return External(factory, effects=Effects(reports=True))


def test_an_innermost_reporter_gets_the_error_that_the_stack_answers(caplog):
    """With a layer further in, errors are answered inside of it: that is what `report-inside-respond` is for."""
    seen = []
    answer = serve(Stack(Headers(set={"X": "1"}), reporting(seen)).wrap(failing))
    assert (answer.status[:3], answer.get("X"), len(seen)) == ("500", "1", 1)
    serve(Stack(reporting(seen), Headers()).wrap(failing, waive="report-inside-respond"))
    assert len(seen) == 1
    assert len(caplog.records) == 2


# -- fixes -----------------------------------------------------------------------------------------------------------

KEYS = st.sets(st.sampled_from("kl"), max_size=1)
FIELDS = st.sets(st.sampled_from(["ratelimit", "etag"]), max_size=1)
FLAGS = [
    *("answers", "every_response", "measures", "rewrites_body", "encodes_body", "validates", "observes", "own_page"),
    *("identifies", "limits_input", "decodes_input", "reads_input", "refuses", "costs", "reports", "shares"),
]
made_up = st.builds(
    lambda flags, rest, name: Layer(name, **dict.fromkeys(flags, True), **rest),
    st.sets(st.sampled_from(FLAGS), max_size=3),
    st.fixed_dictionaries(
        {},
        optional={
            "provides": KEYS,
            "requires": KEYS,
            "needs": KEYS,
            "sets": FIELDS,
            "reads": FIELDS,
            "unique": st.just("kind"),
        },
    ),
    st.sampled_from("ab"),
)
CONDITIONS = [None, match.path("/a"), match.path("/b"), ~match.path("/a"), match.method("GET")]
told = st.sampled_from([Layer(name, **facts) for name, facts in FACTS.items()])
REAL = [
    *(Timing(), SecurityHeaders(), SecurityHeaders(csp={"script-src": [NONCE]}), CORS(), CORS(allow_origins="*")),
    *(Compress(), Headers(set={"Content-Type": "text/html", "ETag": '"1"'}), Hooks(), ContextHooks()),
]
layer = st.builds(
    lambda each, condition: each if condition is None else each.when(condition),
    st.one_of(made_up, told, st.sampled_from(REAL)),
    st.sampled_from(CONDITIONS),
)


def counted(findings, severities):
    """How often each rule is broken."""
    rules = [finding.rule for finding in findings if finding.severity in severities]
    return {rule: rules.count(rule) for rule in rules}


@given(st.lists(layer, min_size=2, max_size=7))
@settings(max_examples=400, deadline=None)
def test_a_printed_fix_ends_its_finding_and_adds_none_as_severe(layers):
    stack = Stack(*layers)
    findings = stack.check()
    for finding in findings:
        severities = ("error",) if finding.severity == "error" else ("error", "warning")
        before = counted(findings, severities)
        fixed = eval(finding.fix, {"stack": stack})  # noqa: S307 - the fix is an edit to type
        after = counted(fixed.check(), severities)
        assert after.get(finding.rule, 0) < before[finding.rule]
        assert all(after[rule] <= before.get(rule, 0) for rule in after), (finding, before, after)


@given(st.lists(layer, min_size=2, max_size=7))
@settings(max_examples=100, deadline=None)
def test_no_layer_is_removed_where_an_order_satisfies_the_rules(layers):
    stack = Stack(*layers)
    try:
        stack.arranged()
    except OrderError:
        return
    positions = [finding for finding in stack.check() if finding.rule not in {"unique", "encode-once"}]
    assert [finding for finding in positions if "# no order" in finding.fix] == []


# outermost first -> the edit that is printed for the first finding
FIXES = [
    ("Inject Compress", "stack.move('Compress', outside='Inject')"),
    ("BasicAuth Security AccessLog RequestId", "stack.move('Security', outside='BasicAuth')"),
    # Either move to the neighbour breaks another rule: further out, or in, or all at once.
    ("X Y Z", "stack.move('X', inside='Z')"),
    ("W Y X", "stack.move('X', outside='W')"),
    ("X W Y Z", "stack.arranged()"),
]


@pytest.mark.parametrize(("order", "fix"), FIXES)
def test_the_smallest_edit_that_helps_is_printed(order, fix):
    assert named(*order.split()).check()[0].fix == fix


def test_what_cannot_be_ordered_is_removed_with_what_needs_it():
    """Of two that demand each other outside, the one that goes takes along what cannot do without it."""
    stack = Stack(
        Layer("one", provides=["k"], requires=["l"]),
        Layer("two", provides=["l"], requires=["k"]),
        Layer("three", needs=["k"]),
        Layer("four", needs=["l"]),
    )
    [finding] = stack.check()
    assert finding.fix == "stack.remove('four').remove('two')  # no order of all these layers satisfies the rules"
    assert stack.remove("four").remove("two").check() == ()


def test_an_error_is_fixed_at_the_price_of_a_warning_where_there_is_no_other_order():
    stack = Stack(Layer("in", requires=["k"], reads=["f"]), Layer("out", provides=["k"], sets=["f"]))
    [finding] = stack.check()
    assert (finding.severity, finding.fix) == ("error", "stack.move('out', outside='in')")
    assert [(f.rule, f.severity) for f in stack.move("out", outside="in").check()] == [("set-inside-read", "warning")]


class Turns(Middleware):
    """A layer whose option ends a clash and begins another."""

    def __init__(self, app=None, /, *, open_to_all=False):
        super().__init__(app)
        self.open_to_all = open_to_all

    def declared(self):
        if self.open_to_all:
            return Effects(encodes_body=True)
        return Effects(isolates={"open_to_all": True})


def test_an_option_that_would_add_a_finding_is_not_printed():
    stack = Stack(CORS(allow_origins="*"), Turns(), Compress())
    [finding] = stack.check()
    assert (finding.rule, finding.fix) == ("corp-blocks-cors", "stack.remove('Turns')")
