"""PasteDeploy: every layer by its entry point, what the strings of an .ini mean, and how a wrong one is told."""

from __future__ import annotations

import inspect

import pytest
from paste.deploy import loadapp, loadfilter

from gateway import serve
from middleware import (
    CORS,
    HSTS,
    AccessLog,
    BasicAuth,
    BodyLimit,
    Compress,
    ConcurrencyLimit,
    ConfigError,
    CrossOriginProtection,
    DecompressRequest,
    Gzip,
    Headers,
    HTTPSRedirect,
    Metrics,
    RateLimit,
    Redirect,
    RequestId,
    Respond,
    SecurityHeaders,
    Timing,
    TrustedHosts,
    by,
    paste,
)
from middleware.testing import assert_wsgi_transparent
from shapes import returning

APP = returning([b"x" * 2000], headers=[("Content-Type", "text/plain")])[0]
EGG = "egg:wsgi-middleware-stack"


@pytest.fixture
def written(tmp_path):
    """Write a section of a filter, after other sections; return the address of the file."""

    def write(kind, section="one", before="", **keys):
        lines = [before, f"[filter:{section}]", f"use = {EGG}#{kind}"]
        lines += [f"{key} = {value}" for key, value in keys.items()]
        (tmp_path / "app.ini").write_text("\n".join(lines), encoding="utf-8")
        return f"config:{tmp_path / 'app.ini'}"

    return write


def made(address, section="one"):
    return loadfilter(address, name=section)(APP)


SECURE = {"wsgi.url_scheme": "https"}
ASKING = {"HTTP_ACCEPT_ENCODING": "gzip"}
FROM = {"HTTP_ORIGIN": "https://app.example"}

# kind, keys as they are written, the same layer in Python, what a request has
LAYERS = [
    ("request-id", {"header": "X-Id", "accept": "yes"}, RequestId(header="X-Id"), {"HTTP_X_ID": "a"}),
    ("request-id", {"accept": "no", "response": "off"}, RequestId(accept=False, response=False), {}),
    (
        "access-log",
        {"format": "json", "logger": "site.access", "level": "debug", "redact": "token key", "fields": "X-Tenant"},
        AccessLog(format="json", logger="site.access", level="DEBUG", redact=["token", "key"], fields=["X-Tenant"]),
        {},
    ),
    ("access-log", {"level": "10"}, AccessLog(level=10), {}),
    ("metrics", {"path": "/metrics"}, Metrics(path="/metrics"), {}),
    ("metrics", {"path": "none", "buckets": " ".join(map(str, Metrics().buckets))}, Metrics(), {}),
    ("headers", {}, Headers(), {}),
    (
        "headers",
        {"set.X-App": "demo", "default.Cache-Control": "no-cache", "remove": "Server, X-Old\n  X-Older"},
        Headers(set={"X-App": "demo"}, default={"Cache-Control": "no-cache"}, remove=["Server", "X-Old", "X-Older"]),
        {},
    ),
    (
        "headers",
        {"append.Link": "\n  </a>\n  </b>", "append.X-Long": "one"},
        Headers(append=[("Link", "</a>"), ("Link", "</b>"), ("X-Long", "one")]),
        {},
    ),
    ("headers", {"set.X-Two-Lines": "1\n  2"}, Headers(set={"X-Two-Lines": "1 2"}), {}),
    (
        "timing",
        {
            "metric": "app",
            "description": "all of it",
            "header": "X-Timing",
            "response_time_header": "X-Time",
            "expose": "yes",
            "layers": "on",
            "precision": "1",
        },
        Timing(
            metric="app",
            description="all of it",
            header="X-Timing",
            response_time_header="X-Time",
            expose=True,
            layers=True,
            precision=1,
        ),
        {},
    ),
    ("timing", {"description": "none", "expose": "0"}, Timing(expose=False), {}),
    (
        "security-headers",
        {
            "preset": "strict",
            "csp": "\n  default-src 'self';\n  img-src *",
            "csp_report_only": "img-src 'self'",
            "hsts": "max-age=31536000; includeSubDomains; preload",
            "frame_options": "deny",
            "nosniff": "false",
            "referrer_policy": "no-referrer, origin",
            "permissions_policy.camera": "",
            "coop": "none",
            "permissions_policy.fullscreen": "self https://a.example",
            "coep": "off",
            "corp": "cross-origin",
            "reporting_endpoints.default": "https://r.example/",
            "permitted_cross_domain_policies": "none",
            "remove": "X-Powered-By Server",
        },
        SecurityHeaders(
            preset="strict",
            csp="default-src 'self'; img-src *",
            csp_report_only="img-src 'self'",
            hsts=HSTS(31536000, preload=True),
            frame_options="deny",
            nosniff=False,
            referrer_policy="no-referrer, origin",
            permissions_policy={"camera": (), "fullscreen": ["self", "https://a.example"]},
            coop=None,
            coep=None,
            corp="cross-origin",
            reporting_endpoints={"default": "https://r.example/"},
            permitted_cross_domain_policies="none",
            remove=["X-Powered-By", "Server"],
        ),
        SECURE,
    ),
    ("security-headers", {"hsts": "MAX-AGE=5"}, SecurityHeaders(hsts=HSTS(5, include_subdomains=False)), SECURE),
    ("security-headers", {"hsts": "no", "csp": "none"}, SecurityHeaders(hsts=None, csp=None), SECURE),
    (
        "cors",
        {
            "allow_origins": "https://app.example https://*.shop.example",
            "expose_headers": "X-One,X-Two",
            "allow_credentials": "true",
            "timing_origins": "*",
        },
        CORS(
            allow_origins=["https://app.example", "https://*.shop.example"],
            expose_headers=["X-One", "X-Two"],
            allow_credentials=True,
            timing_origins=["*"],
        ),
        FROM,
    ),
    (
        "cors",
        {
            "allow_origins": "*",
            "allow_methods": "GET\n  PUT",
            "allow_headers": "*",
            "max_age": "60",
            "allow_private_network": "1",
            "preflight_status": "200",
        },
        CORS(
            allow_origins="*",
            allow_methods=["GET", "PUT"],
            allow_headers="*",
            max_age=60,
            allow_private_network=True,
            preflight_status=200,
        ),
        {
            **FROM,
            "REQUEST_METHOD": "OPTIONS",
            "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PUT",
            "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": "x-a",
            "HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK": "true",
        },
    ),
    (
        "cors",
        {"allow_origins": "*", "max_age": "none"},
        CORS(allow_origins="*", max_age=None),
        {**FROM, "REQUEST_METHOD": "OPTIONS", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "GET"},
    ),
    (
        "trusted-hosts",
        {"hosts": "example.com, *.example.com"},
        TrustedHosts(hosts=["example.com", "*.example.com"]),
        {},
    ),
    (
        "https-redirect",
        {"status": "307", "host": "a.example", "port": "8443", "exempt": f"{__name__}:passes"},
        HTTPSRedirect(status=307, host="a.example", port=8443, exempt=lambda environ: environ["PATH_INFO"] != "/http"),
        {"PATH_INFO": "/http"},
    ),
    ("https-redirect", {"host": "none", "port": "none"}, HTTPSRedirect(), {}),
    (
        "cross-origin-protection",
        {"trusted_origins": "https://b.example"},
        CrossOriginProtection(trusted_origins="https://b.example"),
        {**FROM, "REQUEST_METHOD": "POST"},
    ),
    (
        "basic-auth",
        {"verify": f"{__name__}:verified", "realm": "the  site", "charset": "ISO-8859-1"},
        BasicAuth(verify=lambda user, password: False, realm="the site", charset="ISO-8859-1"),
        {},
    ),
    (
        "respond",
        {"status": "503", "body": "Back\n  soon", "content_type": "text/html", "headers.Retry-After": "9"},
        Respond(503, "Back soon", content_type="text/html", headers={"Retry-After": "9"}),
        {},
    ),
    (
        "redirect",
        {"to": "/new", "status": "301", "keep_query": "no"},
        Redirect("/new", status=301, keep_query=False),
        {},
    ),
    ("body-limit", {"max_bytes": "3"}, BodyLimit(max_bytes=3), {"CONTENT_LENGTH": "4", "REQUEST_METHOD": "POST"}),
    (
        "concurrency-limit",
        {"limit": "2", "wait": "0.5", "retry_after": "9", "key": "middleware.by:address"},
        ConcurrencyLimit(limit=2, wait=0.5, retry_after=9, key=by.address),
        {},
    ),
    (
        "rate-limit",
        {
            "limits": "2/minute;\n  9/day",
            "storage": "redis://127.0.0.1:1",
            "strategy": "fixed-window",
            "storage_options.socket_timeout": "0.25",
            "storage_options.db": "2",
            "storage_options.client_name": "x",
            "name": "api",
            "cost": "2",
            "headers": "no",
            "on_storage_error": "deny",
            "key": "middleware.by:path",
        },
        RateLimit(
            "2/minute; 9/day",
            storage="redis://127.0.0.1:1",
            storage_options={"socket_timeout": 0.25, "db": 2, "client_name": "x"},
            strategy="fixed-window",
            name="api",
            cost=2,
            headers=False,
            on_storage_error="deny",
            key=by.path,
        ),
        {},
    ),
    (
        "decompress-request",
        {"codings": "gzip br", "max_bytes": "7", "buffer": "yes"},
        DecompressRequest(codings=["gzip", "br"], max_bytes=7, buffer=True),
        {"HTTP_CONTENT_ENCODING": "zstd", "REQUEST_METHOD": "POST"},
    ),
    ("gzip", {"level": "9", "minimum_size": "5000"}, Gzip(level=9, minimum_size=5000), ASKING),
    ("gzip", {"level": "0"}, Gzip(level=0), ASKING),
    ("security-headers", {"csp": "0", "hsts": "0", "corp": "0"}, SecurityHeaders(csp=None, hsts=None, corp=None), {}),
    ("cors", {"allow_origins": "*", "max_age": "0"}, CORS(allow_origins="*", max_age=0), {}),
    ("access-log", {"level": "0"}, AccessLog(level=0), {}),
    ("gzip", {"level": "none", "content_types": "text/plain", "etag": "weak"}, Gzip(etag="weak"), ASKING),
    (
        "compress",
        {"codings": "gzip", "levels.gzip": "1", "flush": "never", "backend": "zlib", "not_acceptable": "406"},
        Compress(codings="gzip", levels={"gzip": 1}, flush="never", backend="zlib", not_acceptable="406"),
        ASKING,
    ),
    ("compress", {"codings": "gzip, br", "breach_padding": "0", "content_types": "text/*"}, Compress(), ASKING),
    (
        "compress",
        {"codings": "gzip", "content_types": "image/svg+xml"},
        Compress(content_types=["image/svg+xml"]),
        ASKING,
    ),
]


@pytest.mark.parametrize(("kind", "keys", "layer", "asked"), LAYERS)
def test_a_section_is_the_layer_that_one_would_write(written, kind, keys, layer, asked):
    """The same class with the same options, and the same answer of it."""
    loaded = made(written(kind, **keys))
    assert type(loaded) is type(layer)
    method = asked.get("REQUEST_METHOD", "GET")
    seen, owed = (serve(app, method=method, **asked) for app in (loaded, layer.wrap(APP)))
    assert (seen.status, seen.body, seen.error) == (owed.status, owed.body, None)
    assert [name for name, _ in seen.headers] == [name for name, _ in owed.headers]
    if not isinstance(layer, Timing):
        assert seen.headers == owed.headers


@pytest.mark.parametrize("name", paste.KINDS)
def test_every_option_of_a_layer_is_in_its_table(name):
    kind = paste.KINDS[name]
    options = [parameter for parameter in inspect.signature(kind.layer).parameters if parameter != "app"]
    assert sorted([*kind.options, *kind.functions]) == sorted(options)


@pytest.mark.parametrize("name", paste.KINDS)
def test_every_layer_that_a_filter_makes_is_transparent(name):
    factory = getattr(paste, name.replace("-", "_"))
    if name not in ANSWERING:
        assert_wsgi_transparent(lambda app: factory(app, {}, **PASSING.get(name, {})))


# What a filter needs to let a request pass; those that let none pass.
PASSING = {
    "body-limit": {"max_bytes": "1000000"},
    "basic-auth": {"verify": f"{__name__}:verified"},
    "inject-html": {"html": "<i>added</i>"},
    "https-redirect": {"exempt": f"{__name__}:passes"},
    "trusted-hosts": {"hosts": "*"},
}
ANSWERING = {"basic-auth", "redirect", "respond"}
ANSWERING |= {"access-log", "concurrency-limit", "metrics", "request-id"}  # these watch the body
ANSWERING |= {"rate-limit"}  # which changes each response


def verified(user, password):
    return (user, password) == ("ann", "secret")


def passes(environ):
    return environ["PATH_INFO"] != "/http"


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("basic-auth", "verify"),
        ("redirect", "to"),
        ("respond", "status"),
        ("trusted-hosts", "hosts"),
        ("inject-html", "html"),
    ],
)
def test_a_filter_without_what_it_needs_says_so(name, needed):
    with pytest.raises(ConfigError, match=rf"^{name}: \w+ needs {needed}$"):
        getattr(paste, name.replace("-", "_"))(APP, {})


# kind, key, value, the rule
WRONG = [
    ("timing", "expose", "maybe", "true or false (yes and no, on and off, 1 and 0 are the same)"),
    ("timing", "precision", "1.5", "a whole number"),
    ("timing", "precision", "", "a whole number"),
    ("timing", "precison", "1", "one of the options metric, header, description, response_time_header, expose"),
    ("timing", "clock", "time:time", "is not a key of a filter: put the layer into a Stack, in Python"),
    ("security-headers", "clear_site_data", "cookies", "is not a key of a filter"),
    ("security-headers", "hsts", "31536000", "as it is sent: max-age=31536000; includeSubDomains; preload"),
    ("security-headers", "hsts", "max-age=1; preload", "takes a year and the subdomains"),
    ("headers", "set", "X-App: demo", "one of the options set.*, default.*, append.*, remove"),
    ("headers", "set.", "demo", "one of the options set.*, default.*, append.*, remove"),
    ("headers", "remove.X", "demo", "one of the options set.*, default.*, append.*, remove"),
    ("gzip", "codings", "br", "one of the options level, minimum_size"),
    ("cors", "max_age", "an hour", "a whole number"),
    ("metrics", "buckets", "1 two", "numbers"),
    ("access-log", "skip", "site:health", "is not a key of a filter"),
    ("concurrency-limit", "wait", "-1", "seconds, such as 0.5"),
    ("basic-auth", "verify", "no.such.module:verify", "a name such as package.module:function (No module named 'no')"),
    ("basic-auth", "verify", "os:no_such", "a name such as package.module:function (module 'os' has no attribute"),
    ("https-redirect", "exempt", "2 words", "a name such as package.module:function (invalid format"),
]


@pytest.mark.parametrize(("kind", "key", "value", "rule"), WRONG)
def test_a_string_that_means_nothing_is_told_with_section_key_rule_and_value(written, kind, key, value, rule):
    address = written(kind, before=f"[filter:other]\nuse = {EGG}#{kind}\n", **{key: value})
    with pytest.raises(ConfigError) as caught:
        made(address)
    said = str(caught.value)
    assert said.startswith(f"[filter:one] in {address.removeprefix('config:')}: {key}: ")
    assert rule in said
    assert said.endswith(f"; got {value!r}")


def test_every_wrong_key_of_a_section_is_told_at_once(written):
    with pytest.raises(ConfigError, match=r"2 options are wrong:\n  - precision: .*\n  - expose: "):
        made(written("timing", precision="x", expose="x"))


@pytest.mark.parametrize(
    ("kind", "key", "value", "said"),
    [
        ("headers", "set.Content-Length", "1", "Headers: set: the server frames the response by it"),
        ("timing", "precision", "11", "Timing: precision: an int from 0 to 9; got 11"),
        ("https-redirect", "port", "0", "HTTPSRedirect: port: an int from 1 to 65535, or None; got 0"),
        ("cors", "allow_origins", "https://App.example", 'write "https://app.example"'),
        ("respond", "status", "99", "Respond: status: an int from 200 to 599"),
    ],
)
def test_what_a_layer_refuses_is_told_with_the_section(written, kind, key, value, said):
    with pytest.raises(ConfigError) as caught:
        made(written(kind, **{key: value}))
    assert str(caught.value).startswith("[filter:one] in ")
    assert said in str(caught.value)


SECTIONS = f"""
[DEFAULT]
debug = true

[app:main]
precision = x

[filter:same]
use = {EGG}#timing
set debug = false
precision = 2

[filter:more]
use = {EGG}#timing
precision = 2
expose = true
"""


INHERITING = f"""
[DEFAULT]
places = 3

[filter:base]
use = {EGG}#timing
metric = app

[filter:inheriting]
use = base
get precision = places
expose = x

[filter-app:before]
use = base
next = app
require = PasteDeploy
layers = x

[filter:circle]
use = turn

[filter:turn]
use = circle
"""


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ("filter:inheriting", {"metric": "app", "precision": "3", "expose": "x"}),
        ("filter-app:before", {"metric": "app", "layers": "x"}),
    ],
)
def test_a_section_that_uses_another_is_found_by_the_keys_of_both(tmp_path, section, keys):
    (tmp_path / "app.ini").write_text(f"{INHERITING}\n[app:app]\npaste.app_factory = site:make\n")
    with pytest.raises(ConfigError) as caught:
        paste.timing(APP, {"__file__": str(tmp_path / "app.ini")}, **keys)
    assert str(caught.value).startswith(f"[{section}] in ")


def test_the_section_of_an_application_with_a_filter_is_named(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "site_with_a_filter.py").write_text("def make(global_conf):\n    return print\n")
    lines = INHERITING + "[app:app]\npaste.app_factory = site_with_a_filter:make"
    (tmp_path / "app.ini").write_text(lines)
    with pytest.raises(ConfigError, match=r"^\[filter-app:before\] in .*: layers: true or false"):
        loadapp(f"config:{tmp_path / 'app.ini'}", name="before")
    with pytest.raises(ConfigError, match=r"^\[filter:inheriting\] in .*: expose: true or false"):
        loadfilter(f"config:{tmp_path / 'app.ini'}", name="inheriting")(APP)


@pytest.mark.parametrize(
    ("member", "text", "value"),
    [
        ("db", "2", 2),
        ("db", "-1", -1),
        ("db", "0", 0),
        ("socket_timeout", "0.50", 0.5),
        ("client_name", "007", "007"),
        ("client_name", "+44", "+44"),
        ("password", "00123", "00123"),
        ("password", "123", "123"),
        ("sentinel_password", "1.50", "1.50"),
        ("username", "44", "44"),
    ],
)
def test_an_option_of_a_storage_is_a_number_only_if_it_is_written_as_one(member, text, value):
    layer = paste.rate_limit(
        APP, {}, limits="5/day", **{"storage": "redis://127.0.0.1:1", f"storage_options.{member}": text}
    )
    found = layer.storage_options[member]
    assert (found, type(found)) == (value, type(value))


def test_sections_that_the_keys_cannot_tell_apart_are_both_named(written):
    with pytest.raises(ConfigError, match=r"^\[filter:same\] or \[filter:one\] in "):
        made(written("timing", before=SECTIONS, precision="x"))


@pytest.mark.parametrize("global_conf", [None, {}, {"__file__": "/no/such/file.ini"}])
def test_a_factory_that_is_told_no_file_names_the_layer(global_conf):
    with pytest.raises(ConfigError, match=r"^security-headers: nosniff: true or false"):
        paste.security_headers(APP, global_conf, nosniff="x")


def test_a_section_that_is_in_no_file_is_named_for_its_layer(tmp_path):
    """As when it was made by another file than the one that PasteDeploy names."""
    (tmp_path / "empty.ini").write_bytes(b"[filter:\xff]\n")
    with pytest.raises(ConfigError, match=r"^gzip in .*empty\.ini: level: a whole number"):
        paste.gzip(APP, {"__file__": str(tmp_path / "empty.ini")}, level="x")


def test_a_pipeline_runs_outermost_first(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "named_in_an_ini.py").write_text(
        "def application(global_conf):\n"
        "    def app(environ, start_response):\n"
        "        start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "        return [b'hello']\n"
        "    return app\n",
        encoding="utf-8",
    )
    (tmp_path / "app.ini").write_text(
        f"[pipeline:main]\npipeline = outer inner app\n"
        f"[filter:outer]\nuse = {EGG}#headers\nset.X-Who = outer\n"
        f"[filter:inner]\nuse = {EGG}#headers\nset.X-Who = inner\nset.X-Percent = 100%%\n"
        f"[app:app]\npaste.app_factory = named_in_an_ini:application\n",
        encoding="utf-8",
    )
    answer = serve(loadapp(f"config:{tmp_path / 'app.ini'}"))
    assert (answer.get_all("X-Who"), answer.get("X-Percent"), answer.body) == (["outer"], "100%", b"hello")
