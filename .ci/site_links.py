"""A hook of MkDocs: a link that leads out of docs/ becomes the path of its file, which the site does not have."""

from __future__ import annotations

import re
from posixpath import dirname, join, normpath
from typing import Any

LINK = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)\s#]+)[^)\s]*\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Return the page with such links replaced."""
    folder = dirname(page.file.src_uri)

    def replaced(found: re.Match[str]) -> str:
        path = normpath(join("docs", folder, found[2]))
        text = found[1].strip("`")
        return found[0] if path.startswith("docs/") else f"`{path}`" if text == path else f"{found[1]} (`{path}`)"

    return LINK.sub(replaced, markdown)
