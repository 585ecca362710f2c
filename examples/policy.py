"""One policy for every application: what flask_app.py and django_app.py share.

The order is the order in which a request meets the layers. A further layer is a further line; `print(stack)` shows the
chain, and `python -m middleware check policy:stack` says whether its order is right.
"""

from middleware import Compress, Headers, SecurityHeaders, Stack, Timing

stack = Stack(
    Timing(),
    SecurityHeaders(preset="strict"),
    Headers(set={"X-App": "demo"}, default={"Cache-Control": "no-cache"}),
    Compress(),
)
