"""Media types that are worth compressing: data only, which .ci/compressible.py writes. It says why, too.

Text, and what mime-db 1.54.0 of 2025-03-17 marks as compressible, less images of disks and application/octet-stream,
which says nothing of its content. A range stands for its types, and a suffix for those that end in it.
"""

from __future__ import annotations

from typing import Final

TYPES: Final = frozenset(
    (
        "+json",
        "+json-seq",
        "+xml",
        "+yaml",
        "application/dart",
        "application/ecmascript",
        "application/javascript",
        "application/json",
        "application/json-seq",
        "application/jsonl",
        "application/postscript",
        "application/rtf",
        "application/tar",
        "application/toml",
        "application/vnd.dart",
        "application/vnd.ms-fontobject",
        "application/vnd.ms-opentype",
        "application/wasm",
        "application/x-httpd-php",
        "application/x-javascript",
        "application/x-ndjson",
        "application/x-ns-proxy-autoconfig",
        "application/x-sh",
        "application/x-tar",
        "application/x-virtualbox-ovf",
        "application/x-virtualbox-vbox",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/xml-dtd",
        "application/yaml",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/vnd.adobe.photoshop",
        "image/vnd.microsoft.icon",
        "image/vnd.ms-dds",
        "image/x-icon",
        "image/x-ms-bmp",
        "message/rfc822",
        "model/gltf-binary",
        "text/*",
        "x-shader/x-fragment",
        "x-shader/x-vertex",
    )
)
