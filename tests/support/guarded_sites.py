"""Sites with views below /admin, in six frameworks and mounted in each other; each says which view a path leads to.

Each answers `admin` for what lies below /admin, and `other` for everything else that it has.
"""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from wsgiref.util import setup_testing_defaults, shift_path_info

import pytest

ADMIN, OTHER = "admin", "other"


def flask_site(*, merge_slashes=True):
    """Routes, a catch-all below the prefix and one beside it, a blueprint."""
    from flask import Blueprint, Flask

    app = Flask("guarded")
    app.url_map.merge_slashes = merge_slashes
    blueprint = Blueprint("area", __name__, url_prefix="/admin")
    for rule in ("", "/", "/x", "/<path:p>"):
        blueprint.add_url_rule(rule, rule or "none", lambda p=None: ADMIN)
    app.register_blueprint(blueprint)
    for rule in ("/public", "/public/<path:p>"):
        app.add_url_rule(rule, rule, lambda p=None: OTHER)
    return app


def flask_site_that_keeps_slashes():
    """Flask where runs of slashes are not merged."""
    return flask_site(merge_slashes=False)


def django_site():
    """Routes, a catch-all, an include, and a pattern that ends in `$`."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.test import override_settings
    from django.urls import include, path, re_path

    if not settings.configured:
        settings.configure(LOGGING_CONFIG=None)

    def admin(_, **__):
        return HttpResponse(ADMIN)

    def other(_, **__):
        return HttpResponse(OTHER)

    class Urls:
        urlpatterns = (
            path("admin", admin),
            re_path("^admin/exact$", admin),
            path("admin/", include([path("", admin), path("x", admin), path("<path:p>", admin)])),
            path("public", other),
            path("public/<path:p>", other),
        )

    with override_settings(MIDDLEWARE=[]):
        app = get_wsgi_application()
    return override_settings(ROOT_URLCONF=Urls, ALLOWED_HOSTS=["*"], MIDDLEWARE=[])(app)


def bottle_site():
    """Routes, static and not, and catch-alls."""
    import bottle

    app = bottle.Bottle()
    for rule in ("/admin", "/admin/", "/admin/x", "/admin/<p:path>", "/admin/<p:re:.*>"):
        app.route(rule, callback=lambda p=None: ADMIN)
    for rule in ("/public", "/public/<p:path>"):
        app.route(rule, callback=lambda p=None: OTHER)
    return app


def _pyramid(configure):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports pkg_resources, which warns of itself and of what it finds
        from pyramid.config import Configurator
    with Configurator() as config:
        configure(config)
    return config.make_wsgi_app()


def pyramid_site():
    """Routes and catch-alls."""
    from pyramid.response import Response

    def answering(said):
        return lambda _: Response(said)

    def configure(config):
        places = {"/admin": ADMIN, "/admin/": ADMIN, "/admin/x": ADMIN, "/admin/*p": ADMIN}
        places |= {"/public": OTHER, "/public/*p": OTHER}
        for path, said in places.items():
            config.add_route(path, path)
            config.add_view(answering(said), route_name=path)

    return _pyramid(configure)


def pyramid_traversal():
    """A tree of resources, in which the path is looked up segment by segment, and a view by name."""
    from pyramid.response import Response

    class Node(dict):
        def __getitem__(self, name):
            return self.get(name) or (self if self is not root else dict.__getitem__(self, name))

    root = Node()
    admin, public = Node(), Node()
    root.update(admin=admin, public=public)

    def view(context, _):
        if context is root:
            return Response("root")
        return Response(ADMIN if context is admin else OTHER)

    def configure(config):
        config.set_root_factory(lambda _: root)
        config.add_view(view, context=Node)
        config.add_view(lambda context, _: Response(OTHER if context is public else ADMIN), context=Node, name="admin")

    return _pyramid(configure)


def falcon_site():
    """Routes, and a sink below the prefix."""
    import falcon

    def answering(said):
        def answer(request, response, **_):
            response.text = said

        return SimpleNamespace(on_get=answer), answer

    app = falcon.App(media_type=falcon.MEDIA_TEXT)
    admin, serve_admin = answering(ADMIN)
    other, serve_other = answering(OTHER)
    for path in ("/admin", "/admin/x", "/admin/{p}", "/admin/deep/{p:path}"):
        app.add_route(path, admin)
    app.add_sink(serve_admin, "/admin/")
    app.add_route("/public", other)
    app.add_sink(serve_other, "/public/")
    return app


def cherrypy_site(mounted=""):
    """A tree of handlers, by names of attributes, one of which is a method."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of what it imports
        import cherrypy
        from cherrypy import _cptree

    cherrypy.config.update({"environment": "embedded", "log.screen": False, "engine.autoreload.on": False})

    def saying(said):
        class Node:
            @cherrypy.expose
            def index(self):
                return said

            @cherrypy.expose
            def default(self, *_):
                return said

        return Node()

    class Root:
        admin, public = saying(ADMIN), saying(OTHER)

        @cherrypy.expose
        def health(self, *_):
            return OTHER

    tree = _cptree.Tree()
    tree.mount(Root(), mounted, {"/": {"tools.trailing_slash.on": False}})
    return tree


def served(site, script_name, path_info):
    """What a site answers with 200; None, if it does not, or raises. No path is too odd to be asked for."""
    environ = {"SCRIPT_NAME": script_name, "PATH_INFO": path_info}
    setup_testing_defaults(environ)
    statuses = []
    try:
        body = site(environ, lambda status, *_: statuses.append(status))
        said = b"".join(body).decode("latin-1")
    except Exception:  # noqa: BLE001 - Pyramid raises on what it cannot decode
        return None
    getattr(body, "close", bool)()
    return said if statuses[-1].startswith("200") else None


# -- mounted at /app ---------------------------------------------------------------------------------------------------


def flask_in_a_dispatcher():
    """Werkzeug's DispatcherMiddleware."""
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    return DispatcherMiddleware(_nowhere, {"/app": flask_site()})


def traversal_in_a_dispatcher():
    """Pyramid, which resolves what follows its mount."""
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    return DispatcherMiddleware(_nowhere, {"/app": pyramid_traversal()})


def flask_in_bottle():
    """Bottle's mount, which takes empty segments away."""
    import bottle

    app = bottle.Bottle()
    app.mount("/app/", flask_site())
    return app


def traversal_after_a_shift():
    """Wsgiref's shift_path_info, which takes empty segments and dots away."""
    site = pyramid_traversal()

    def run(environ, start_response):
        return (site if shift_path_info(environ) == "app" else _nowhere)(environ, start_response)

    return run


def cherrypy_mounted():
    """CherryPy's own tree."""
    return cherrypy_site("/app")


def _nowhere(_, start_response):
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"nowhere"]


SITES = [
    *(flask_site, flask_site_that_keeps_slashes, django_site, bottle_site, falcon_site, cherrypy_site),
    *(pyramid_site, pyramid_traversal),
]
MOUNTED = [flask_in_a_dispatcher, traversal_in_a_dispatcher, flask_in_bottle, traversal_after_a_shift, cherrypy_mounted]
every_site = pytest.mark.parametrize("made", SITES, ids=lambda made: made.__name__)
every_mounted_site = pytest.mark.parametrize("made", MOUNTED, ids=lambda made: made.__name__)
