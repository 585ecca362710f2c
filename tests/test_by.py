"""by: whose requests are counted together."""

from __future__ import annotations

import pytest

from middleware import ConfigError, by
from shapes import coroutine


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:0DB8:0001:0002::1", "2001:db8:1:2::/64"),  # however it is written
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        (None, ""),
        ("192.0.2.1:49152", "192.0.2.1"),  # of a proxy that writes the port into X-Forwarded-For
        ("[2001:db8:1:2::1]:49152", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::1]", "2001:db8:1:2::/64"),
        ("[::ffff:192.0.2.1]:49152", "192.0.2.1"),
        ("unix:", "unix:"),
        ("localhost", "localhost"),
    ],
)
def test_an_address_stands_for_what_one_client_has(given, key):
    """A client of IPv6 chooses among 2**64 addresses of its network, and every client among its ports."""
    assert by.address({} if given is None else {"REMOTE_ADDR": given}) == key


@pytest.mark.parametrize(
    ("key", "environ", "value"),
    [
        (by.header("X-Api-Key"), {"HTTP_X_API_KEY": "k"}, "k"),
        (by.header("x-api-key"), {"HTTP_X_API_KEY": ""}, ""),
        (by.header("X-Api-Key"), {}, None),
        (by.header("Content-Type"), {"CONTENT_TYPE": "a/b"}, "a/b"),
        (by.header("Content-Type"), {"CONTENT_TYPE": ""}, None),
        (by.header("Content-Length"), {}, None),
        (by.user, {"REMOTE_USER": "ann"}, "ann"),
        (by.user, {"REMOTE_USER": ""}, None),
        (by.user, {}, None),
        (by.path, {"SCRIPT_NAME": "/a", "PATH_INFO": "/b"}, "/a/b"),
        (by.path, {}, ""),
        (by.both(by.user, by.path), {"PATH_INFO": "/b"}, None),
    ],
)
def test_keys(key, environ, value):
    assert key(environ) == value


SPELLINGS = ["/login/", "login", "///login", "/./login", "/x/../login", "/lo\xffgin", "/login\r\n", "/@@login"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_path_is_one_key_however_it_is_spelled(spelling):
    """A framework may lead each spelling to the same view, and a client could go on without end."""
    assert by.path({"PATH_INFO": spelling}) == "/login"
    assert by.path({"SCRIPT_NAME": "/app", "PATH_INFO": spelling}) == "/app/login"


def test_different_paths_are_different_keys():
    paths = ["/", "/a", "/b", "/a/b", "/A", "/caf\xc3\xa9", "/caf", "/\u2603", "/x" * 129]
    assert len({by.path({"PATH_INFO": path}) for path in paths}) == len(paths)
    assert by.path({"PATH_INFO": "/"}) == "/"


@pytest.mark.parametrize("path", ["/x" * 129, "/" + "x" * 2048, "/x/__self__/login"])
def test_paths_that_are_not_read_are_one_key(path):
    assert by.path({"PATH_INFO": path}) == by.path({"PATH_INFO": "/y" * 129})


def test_parts_of_a_key_cannot_be_shifted_from_one_to_the_other():
    both = by.both(by.user, by.path)
    pairs = [("a", "b/c"), ("a/b", "c"), ("a", "1:b"), ("a1", ":b"), ("1:a", "b"), ("", "a"), ("ab", "")]
    keys = {both({"REMOTE_USER": user, "PATH_INFO": path}) for user, path in pairs if user}
    assert len(keys) == len(pairs) - 1


def test_a_key_that_may_be_a_credential_is_not_shown():
    assert "sesame" not in repr(by.both(by.header("X"), by.path)({"HTTP_X": "sesame"}))


def test_what_a_key_looks_at_is_known():
    assert by.address.requires == {"REMOTE_ADDR"}
    assert by.header("X").requires == frozenset()
    assert by.both(by.address, by.user, by.path, lambda environ: "x").requires == {"REMOTE_ADDR", "REMOTE_USER"}


def test_keys_are_compared_and_shown_as_they_are_written():
    assert by.both(by.address, by.header("X")) == by.both(by.address, by.header("X")) != by.both(by.address, by.path)
    assert by.address != "by.address"
    assert len({by.header("X"), by.header("X"), by.header("Y")}) == 2
    assert repr(by.both(by.address, by.header("X"))) == "by.both(by.address, by.header('X'))"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: by.header("X Y"), "by.header: the name of a header is a token"),
        (lambda: by.header(None), "by.header"),
        (by.both, "by.both: callables of environ"),
        (lambda: by.both(by.address, "user"), "by.both"),
        (lambda: by.both(by.address, coroutine), "by.both: .*; a coroutine is another key each time"),
        (lambda: by.both(by.header, by.both), r"by.header makes one: write by.header\(...\)"),
        (lambda: by.both(by.both), r"by.both makes one: write by.both\(...\)"),
    ],
)
def test_bad_keys_are_named(make, told):
    with pytest.raises(ConfigError, match=told):
        make()
