"""Escaped: text from clients, escaped so that it cannot forge a log line or control a terminal."""

from contextlib import suppress


def escaped(value: object) -> str:
    """The value as one line of printable text, for a log line.

    Text of an environ is decoded as UTF-8 (PEP 3333). Characters that are not printable (`str.isprintable`) become
    backslash escapes: control characters, line separators (U+2028), invisible characters and those that reorder text
    (U+202E) can all make a line look like another one. Backslashes, and bytes that are not UTF-8, are escaped too.
    """
    text = str(value)
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    with suppress(UnicodeEncodeError):  # not text of an environ
        text = text.encode("latin-1").decode("utf-8", "surrogateescape")
    return "".join(map(_escape, text))


def _escape(character: str) -> str:
    if character.isprintable() and character != "\\":
        return character
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
