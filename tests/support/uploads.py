"""Sites that read uploads, behind limits and decoders, as servers serve them."""

from __future__ import annotations

import json
import os

from middleware import BodyLimit, DecompressRequest, Stack

MOST = 100_000


def reads(environ, start_response):
    """Says how much it has read."""
    data = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"read %d" % len(data)]


def limited():
    return Stack(BodyLimit(max_bytes=MOST)).wrap(reads)


def in_flask():
    from flask import Flask, request

    site = Flask(__name__)

    @site.post("/form")
    def form():
        return {"name": request.form["name"], "file": len(request.files["file"].read()) if request.files else 0}

    @site.post("/json")
    def read_json():
        return {"got": request.get_json()}

    return Stack(DecompressRequest(max_bytes=MOST)).wrap(site)


def in_django():
    import django
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import JsonResponse
    from django.urls import path

    def form(request):
        size = len(request.FILES["file"].read()) if request.FILES else 0
        return JsonResponse({"name": request.POST["name"], "file": size})

    def read_json(request):
        return JsonResponse({"got": json.loads(request.body)})

    urls = type("urls", (), {"urlpatterns": [path("form", form), path("json", read_json)]})
    settings.configure(ROOT_URLCONF=urls, ALLOWED_HOSTS=["*"])
    django.setup()
    return Stack(DecompressRequest(max_bytes=MOST, buffer=True)).wrap(WSGIHandler())


application = {"flask": in_flask, "django": in_django}.get(os.environ.get("SITE", ""), limited)()
