"""Escaped: what a client sent, as text that cannot forge a log line or steer a terminal."""

from contextlib import suppress


def escaped(value: object) -> str:
    """The value as one line of printable text, for a log line.

    Text of an environ is shown as the UTF-8 that it holds (PEP 3333). Whatever `str.isprintable` says cannot be printed
    is a backslash escape: control characters, line separators (U+2028), invisible characters and those that reorder
    text (U+202E) can all make a line look like another one. So is a backslash, and a byte that is no UTF-8.
    """
    text = str(value)
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    with suppress(UnicodeEncodeError):  # it is no text of an environ
        text = text.encode("latin-1").decode("utf-8", "surrogateescape")
    return "".join(map(_escape, text))


def _escape(character: str) -> str:
    if character.isprintable() and character != "\\":
        return character
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
