"""BasicAuth: which credentials are credentials (RFC 7617, RFC 4648), who passes, and that no password is told."""

from __future__ import annotations

import base64
import logging
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import serve
from middleware import BasicAuth, ConfigError, Effects, External, Respond, Stack, match
from shapes import coroutine, returning


def told(environ, start_response):
    """Answer with what the layer left in environ."""
    start_response("200 OK", [("Content-Type", "text/plain; charset=latin-1")])
    return [f"{environ['AUTH_TYPE']} {environ['REMOTE_USER']}".encode("latin-1")]


def asked(authorization, **options):
    """What a site says whose users are all that can be read, and the user and password that were read."""
    seen = []

    def verify(user, password):
        seen.append((user, password))
        return True

    fields = {} if authorization is None else {"HTTP_AUTHORIZATION": authorization}
    return serve(BasicAuth(told, verify=verify, **options), **fields), seen


def basic(text, charset="utf-8"):
    return f"Basic {base64.b64encode(text.encode(charset)).decode()}"


# RFC 7617 2 and 2.1
READ = [
    ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", ("Aladdin", "open sesame")),
    ("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", ("Aladdin", "open sesame")),
    ("BASIC   QWxhZGRpbjpvcGVuIHNlc2FtZQ==", ("Aladdin", "open sesame")),
    ("Basic dGVzdDoxMjPCow==", ("test", "123\xa3")),
    (basic("ann:a:b:c"), ("ann", "a:b:c")),
    (basic("ann:"), ("ann", "")),
    (basic(":secret"), ("", "secret")),
    (basic(":"), ("", "")),
    (basic("j\xfcrgen:\u20ac"), ("j\xfcrgen", "\u20ac")),
    (basic("ann\xa0b:\u200b"), ("ann\xa0b", "\u200b")),
]
NOT_READ = [
    *(None, "", "Basic", "Basic ", "Basic  ", "Basic\tOg==", "BasicOg==", "Basic=Og==", "Bearer Og==", "Digest Og=="),
    *("Basic Og== ", " Basic Og==", "Basic Og==, Basic Og==", "Basic O g==", "Basic Og==\n", "Basic\nOg=="),
    *("Basic Og", "Basic Og=", "Basic Og===", "Basic =Og=", "Basic ====", "Basic O", "Basic Oh==", "Basic YTpiYx"),
    *("Basic YTpiYyE=x", "Basic YTp-_w==", "Basic YTpiYz\xe9=", "Basic YTpi%3D", "Basic realm=x"),
    basic("ann"),  # no colon
    *(basic(f"ann{control}:secret") for control in "\x00\t\n\r\x1f\x7f\x85"),
    *(basic(f"ann:sec{control}ret") for control in "\x00\t\n\r\x1f\x7f\x85"),
    *("Basic //8=", "Basic /zpi", "Basic wK86"),  # no UTF-8
]


@pytest.mark.parametrize(("authorization", "read"), READ)
def test_credentials_are_read_as_they_were_meant(authorization, read):
    answer, seen = asked(authorization)
    assert (answer.status, seen) == ("200 OK", [read])


@pytest.mark.parametrize("authorization", NOT_READ)
def test_what_is_no_credentials_is_a_401_and_verify_is_not_asked(authorization):
    answer, seen = asked(authorization)
    assert (answer.status, seen) == ("401 Unauthorized", [])


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=":")), st.text())
def test_what_a_client_encodes_is_what_verify_gets(user, password):
    password = "".join(character for character in password if character.isprintable())
    assert asked(basic(f"{user}:{password}"))[1] == [(user, password)]


@given(st.text(st.sampled_from("ABQgw048+/=- \t:"), max_size=9))
def test_base64_is_what_a_strict_decoder_takes(text):
    """And what is encoded again the same way: no stray bits."""
    try:
        strict = base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
    except ValueError:
        strict = False
    _, seen = asked(f"Basic {text}", charset="ISO-8859-1")
    assert not seen or strict
    assert (
        seen
        or not strict
        or b":" not in base64.b64decode(text)
        or any(c < 32 for c in base64.b64decode(text))
        or (any(0x7F <= c < 0xA0 for c in base64.b64decode(text)))
    )


def test_a_charset_is_asked_for_where_it_is_utf_8_and_decodes():
    answer, _ = asked(None)
    assert answer.get("WWW-Authenticate") == 'Basic realm="Restricted", charset="UTF-8"'
    answer, _ = asked(None, charset="iso-8859-1", realm='the "inner" \\ circle')
    assert answer.get("WWW-Authenticate") == r'Basic realm="the \"inner\" \\ circle"'
    assert asked(basic("j\xfcrgen:x", "latin-1"), charset="ISO-8859-1")[1] == [("j\xfcrgen", "x")]
    assert asked(basic("j\xfcrgen:x", "latin-1"))[0].status == "401 Unauthorized"


def test_the_application_is_told_who_it_is_as_pep_3333_has_text():
    assert asked(basic("j\xfcrgen:x"))[0].body.decode() == "Basic j\xfcrgen"
    assert asked(basic("\u0141ukasz:x"))[0].body.decode() == "Basic \u0141ukasz"


def test_what_the_server_says_of_the_user_is_replaced():
    answer = serve(BasicAuth(told, verify=lambda *_: True), HTTP_AUTHORIZATION=basic("ann:x"), REMOTE_USER="bob")
    assert answer.body == b"Basic ann"


@pytest.mark.parametrize("said", [False, None, 1, "yes", object(), [True]])
def test_only_true_lets_a_request_pass(said):
    app = BasicAuth(told, verify=lambda user, password: said)
    assert serve(app, HTTP_AUTHORIZATION=basic("ann:x")).status == "401 Unauthorized"


def test_a_refusal_is_kept_by_no_cache_and_challenges():
    answer, _ = asked(None)
    assert (answer.body, answer.get("Cache-Control")) == (b"A user and a password are needed.\n", "no-store")


def test_what_verify_raises_is_an_error_of_the_request(caplog):
    def verify(user, password):
        raise LookupError("no database")

    app = Stack(BasicAuth(verify=verify)).wrap(told)
    answer = serve(app, HTTP_AUTHORIZATION=basic("ann:s3cret"))
    assert answer.status == "500 Internal Server Error"
    assert "s3cret" not in caplog.text
    assert base64.b64encode(b"ann:s3cret").decode() not in caplog.text


class Users:
    """Shows what it holds."""

    def __init__(self, **passwords):
        self.passwords = passwords

    def __repr__(self):
        return f"Users({self.passwords})"

    def check(self, user, password):
        return self.passwords.get(user) == password

    __call__ = check


def check(passwords, user, password):
    return passwords.get(user) == password


@pytest.mark.parametrize(
    "verify", [Users(ann="s3cret"), Users(ann="s3cret").check, partial(check, {"ann": "s3cret"})], ids=type
)
def test_no_password_is_in_a_repr_a_description_or_a_log(verify, caplog):
    layer = BasicAuth(verify=verify, realm="site")
    app = Stack(layer).wrap(told)
    with caplog.at_level(logging.DEBUG):
        assert serve(app, HTTP_AUTHORIZATION=basic("ann:s3cret")).status == "200 OK"
        assert serve(app, HTTP_AUTHORIZATION=basic("ann:wr0ng")).status == "401 Unauthorized"
    shown = [repr(layer), repr(layer.named("x")), str(Stack(layer)), repr(app), caplog.text]
    assert not [text for text in shown if "s3cret" in text or "wr0ng" in text]
    assert repr(layer).endswith(", realm='site')")


def test_nor_in_an_error_of_configuration():
    with pytest.raises(ConfigError) as caught:
        BasicAuth(verify={"ann": "s3cret"})
    assert "s3cret" not in str(caught.value)
    assert "verify: a callable (user, password) -> bool" in str(caught.value)


async def grants(user, password):
    return True


class Grants:
    async def __call__(self, user, password):
        return True


@pytest.mark.parametrize("verify", [grants, partial(grants), Grants()])
def test_a_coroutine_function_is_refused(verify):
    with pytest.raises(ConfigError, match=r"verify: .* not a coroutine function"):
        BasicAuth(verify=verify)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"realm": "caf\xe9"}, "realm: printable ASCII"),
        ({"realm": "a\r\nb"}, "realm: printable ASCII"),
        ({"realm": None}, "realm: printable ASCII"),
        ({"charset": "utf-16"}, 'charset: "UTF-8" or "ISO-8859-1"'),
        ({"charset": None}, "charset: "),
        ({"answer": "401"}, "answer: a WSGI application"),
        ({"answer": lambda: "401"}, "answer: a WSGI application"),
        ({"answer": coroutine}, "answer: a WSGI application"),
        ({"answer": Respond(401)}, "answer: a WSGI application (environ, start_response), or None; a layer is none"),
    ],
)
def test_what_cannot_be_right_is_refused(options, rule):
    with pytest.raises(ConfigError) as caught:
        BasicAuth(verify=Users().check, **options)
    assert str(caught.value).startswith(f"BasicAuth: {rule}")


# An answer of one's own: status, its headers -> WWW-Authenticate and Cache-Control of the response.
CHALLENGE = 'Basic realm="Restricted", charset="UTF-8"'
OWN = [
    ("401 Unauthorized", [], CHALLENGE, "no-store"),
    ("401 Unauthorized", [("www-authenticate", "Bearer")], "Bearer", "no-store"),
    ("401 Unauthorized", [("Cache-Control", "private")], CHALLENGE, "private"),
    ("200 OK", [], None, "no-store"),
    ("303 See Other", [("Location", "/login")], None, "no-store"),
]


@pytest.mark.parametrize(("status", "headers", "challenge", "stored"), OWN)
def test_an_answer_of_ones_own_keeps_the_challenge_of_a_401(status, headers, challenge, stored):
    own = returning([b"log in"], status=status, headers=[("Content-Type", "text/plain"), *headers])[0]
    answer, _ = asked(None, answer=own)
    assert (answer.status, answer.body) == (status, b"log in")
    fields = [(name.lower(), value) for name, value in answer.headers]
    assert [value for name, value in fields if name == "www-authenticate"] == [challenge] * (challenge is not None)
    assert [value for name, value in fields if name == "cache-control"] == [stored]


def test_an_answer_of_ones_own_may_replace_its_head():
    def own(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            raise LookupError
        except LookupError as error:
            start_response("401 Unauthorized", [("Content-Type", "text/plain")], (LookupError, error, None))
        return [b"log in"]

    answer, _ = asked(None, answer=own)
    assert (answer.status, answer.get("WWW-Authenticate")) == ("401 Unauthorized", CHALLENGE)


def test_of_a_part_of_a_site_it_misses_no_reading_of_a_path():
    layer = BasicAuth(verify=Users().check).when(match.path("/admin"))
    app = layer.wrap(returning([b"x"])[0])
    for path in ("/admin", "//admin", "/x/../admin", "/admin/../x"):
        assert serve(app, path, lint=False).status == "401 Unauthorized"
    assert serve(app, "/").status == "200 OK"


def test_it_stands_outside_what_requires_the_user():
    needs = External(lambda app: app, effects=Effects(requires={"REMOTE_USER"}))
    layer = BasicAuth(verify=Users().check)
    assert Stack(layer, needs).check() == ()
    assert [finding.rule for finding in Stack(needs, layer).check()] == ["provide-outside-require"]
