"""set_cookie: no part of a cookie can add an attribute of its own (RFC 6265 4.1.1)."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import flask
import pytest

from hooked import ask
from middleware import Hooks
from middleware.hooks import Response

ATTRIBUTE = "; Domain=evil.example"
BAD: list[tuple[str, dict[str, Any]]] = [
    (f"a{ATTRIBUTE}", {}),
    ("a=b; Secure; c", {}),
    ("a=b", {}),
    ("a b", {}),
    ("a,b", {}),
    ('a"', {}),
    ("a\r\nSet-Cookie: b", {}),
    ("a\n", {}),
    ("a\0", {}),
    ("a\x7f", {}),
    ("\xe4", {}),
    ("\u2603", {}),
    ("", {}),
    ("a", {"domain": f"x.example{ATTRIBUTE}"}),
    ("a", {"domain": "x.example; Secure"}),
    ("a", {"domain": "x.example, y.example"}),
    ("a", {"domain": "x.example\r\nSet-Cookie: b=c"}),
    ("a", {"domain": "x.example\n"}),
    ("a", {"domain": "x.example\0"}),
    ("a", {"domain": "x example"}),
    ("a", {"domain": "x.example:80; Secure"}),
    ("a", {"domain": "x.example/a"}),
    ("a", {"domain": "x..example"}),
    ("a", {"domain": "[::1]"}),
    ("a", {"domain": "."}),
    ("a", {"expires": f"Sun, 06 Nov 1994 08:49:37 GMT{ATTRIBUTE}"}),
    ("a", {"expires": "whenever; Secure"}),
    ("a", {"expires": "whenever\r\nSet-Cookie: b=c"}),
    ("a", {"expires": "whenever\n"}),
    ("a", {"expires": "whenever\0"}),
    ("a", {"expires": "\u2603"}),
    ("a", {"path": f"/{ATTRIBUTE}"}),
    ("a", {"path": "/a;b"}),
    ("a", {"path": "/a\r\nSet-Cookie: b=c"}),
    ("a", {"path": "/a\n"}),
    ("a", {"path": "/a\0"}),
    ("a", {"path": "/a\x7f"}),
    ("a", {"samesite": f"Lax{ATTRIBUTE}"}),
    ("a", {"samesite": "Lax\n"}),
    ("a", {"max_age": f"60{ATTRIBUTE}"}),
]


@pytest.mark.parametrize(("name", "options"), BAD, ids=lambda value: repr(value))
def test_a_part_that_could_be_more_than_that_is_a_value_error(name, options):
    response = Response("x")
    with pytest.raises(ValueError, match=r"cookie|samesite|int\(\)|label"):
        response.set_cookie(name, "v", **options)
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, options) for name, options in BAD if not {"expires", "max_age", "samesite"} & options.keys()],
    ids=lambda value: repr(value),
)
def test_so_it_is_where_a_cookie_is_deleted(name, options):
    with pytest.raises(ValueError, match=r"cookie|label"):
        Response("x").delete_cookie(name, **options)


# What Flask sends, and what is sound
SAME: list[tuple[str, str, dict[str, Any]]] = [
    ("a", "b", {}),
    ("__Host-a", "b", {"secure": True}),
    ("a!#$%&'*+-.^_`|~0", "b", {}),
    ("a", ATTRIBUTE, {}),
    ("a", "b\r\nSet-Cookie: c=d", {}),
    ("a", 'x"\\\0\u2603', {}),
    ("a", "b", {"domain": ".x.example"}),
    ("a", "b", {"domain": "x.example:8080"}),
    ("a", "b", {"domain": "localhost"}),
    ("a", "b", {"domain": "127.0.0.1"}),
    ("a", "b", {"domain": "under_score.X.example"}),
    ("a", "b", {"domain": "b\xfccher.example"}),
    ("a", "b", {"path": "/a b/%2F\xfc?#\u2603"}),
    ("a", "b", {"path": "/a,b=c:d@e"}),
    ("a", "b", {"path": None}),
    ("a", "b", {"expires": "whenever"}),
    ("a", "b", {"expires": "Sun, 06 Nov 1994 08:49:37 GMT"}),
    ("a", "b", {"expires": datetime(2030, 1, 2, tzinfo=timezone.utc)}),
    ("a", "b", {"expires": 1_000_000_000}),
    ("a", "b", {"samesite": "lax"}),
    ("a", "b", {"partitioned": True}),
    ("a", "b", {"partitioned": True, "samesite": "None", "httponly": True, "path": "/p", "domain": "x.example"}),
]


@pytest.mark.parametrize(("name", "value", "options"), SAME, ids=lambda value: repr(value))
def test_what_is_sound_is_what_flask_sends(name, value, options):
    ours, theirs = Response("x"), flask.Response("x")
    for response in (ours, theirs):
        response.set_cookie(name, value, **options)
    assert ours.headers.getlist("Set-Cookie") == theirs.headers.getlist("Set-Cookie")


def test_in_a_hook_it_is_a_500():
    hooks = Hooks()

    @hooks.after_request
    def remember(response):
        response.set_cookie(f"a{ATTRIBUTE}", "v")
        return response

    answer = ask(hooks)
    assert (answer.status[:3], answer.get("Set-Cookie")) == ("500", None)
    assert isinstance(answer.environ["middleware.exception"], ValueError)
