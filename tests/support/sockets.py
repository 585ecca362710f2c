"""WebSocket echoes behind every layer, and servers that hand their connection to the application.

`python sockets.py NAME` serves them, and tells on stdout how each request ended for on_close and for teardown hooks.
"""

from __future__ import annotations

import sys

if sys.argv[1:] == ["gevent"]:
    from gevent import monkey

    monkey.patch_all()
if sys.argv[1:] == ["eventlet"]:
    import eventlet

    eventlet.monkey_patch()

from flask import Flask
from flask_sock import Sock

from middleware import CORS, Compress, ContextHooks, Headers, Hooks, Middleware, SecurityHeaders, Stack, Timing

hooks = Hooks()
hooks.teardown_request(lambda error: tell(f"torn down {error!r}"))
hooks.errorhandler(Exception)(lambda error: ("handled", 500))


def tell(what):
    sys.stdout.write(f'event {{"what": "{what}"}}\n')
    sys.stdout.flush()


class Told(Middleware):
    def on_close(self, environ, error):
        tell(f"{environ['PATH_INFO']} closed {error!r}")


def of_eventlet(environ, start_response):
    """An echo by the API of eventlet, for which simple-websocket has a thread that ends by a traceback of its own."""
    from eventlet.websocket import WebSocketWSGI

    def echo(ws):
        while (message := ws.wait()) is not None:
            ws.send(message)
            if environ["PATH_INFO"] == "/eventlet/once":
                return

    return WebSocketWSGI(echo)(environ, start_response)


flask = Flask(__name__)
sock = Sock(flask)


@sock.route("/echo")
def echo(ws):
    while True:
        ws.send(ws.receive())


@sock.route("/once")
def once(ws):
    ws.send(ws.receive())


@flask.route("/page")
def page():
    return "page\n"


def routes(environ, start_response):
    app = of_eventlet if environ["PATH_INFO"].startswith("/eventlet/") else flask
    return app(environ, start_response)


def around(app):
    """The layers of a site, nested, with hooks of either kind, and one that watches for the end."""
    inner = Stack(Headers(set={"X-Inner": "1"}), hooks, ContextHooks()).wrap(app)
    return Stack(
        Told(),
        Timing(on_complete=lambda measurement: None),
        SecurityHeaders(),
        CORS(allow_origins="*"),
        Headers(set={"X-Outer": "1"}),
        Compress(minimum_size=0),
    ).wrap(inner, waive="measure-outermost")


application = around(routes)


def by_werkzeug(app):
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, app, threaded=True)
    sys.stdout.write(f"http://127.0.0.1:{server.port}\n")
    sys.stdout.flush()
    server.serve_forever()


def by_gevent(app):
    from gevent.pywsgi import WSGIServer

    server = WSGIServer(("127.0.0.1", 0), app)
    server.start()
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


def by_eventlet(app):
    import eventlet
    from eventlet import wsgi

    listener = eventlet.listen(("127.0.0.1", 0))
    sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    wsgi.server(listener, app)


if __name__ == "__main__":
    globals()[f"by_{sys.argv[1]}"](application)
