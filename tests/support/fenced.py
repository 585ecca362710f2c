"""Guards in front of an application that tells what it was asked, for servers: by http, and told that it is https."""

from __future__ import annotations

import json

from middleware import BasicAuth, CrossOriginProtection, HTTPSRedirect, Redirect, Stack, TrustedHosts, match

KEYS = ("PATH_INFO", "QUERY_STRING", "HTTP_HOST", "REQUEST_URI", "RAW_URI", "middleware.host", "REMOTE_USER")


def tell(environ, start_response):
    """Answer with what a request is here."""
    body = json.dumps({key: environ.get(key) for key in KEYS}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


application = Stack(
    TrustedHosts(hosts=["a.example", "*.b.example"]).when(~match.header("X-Untold")),
    HTTPSRedirect().when(~match.header("X-Told")),
    CrossOriginProtection(),
    BasicAuth(verify=lambda user, password: (user, password) == ("j\xfcrgen", "x:y")).when(match.path("/admin")),
    Redirect(lambda environ: f"https://new.example{environ['PATH_INFO']}").when(match.header("X-Moved")),
).wrap(tell)
