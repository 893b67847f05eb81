"""Text: numbers with their nouns, and strings as a search compares them."""

import unicodedata
from collections.abc import Sequence

DOTLESS_I = str.maketrans("ı", "i")  # its capital is I, as that of i


def counted(number: int, noun: str, plural: str = "") -> str:
    """ "1 order", "2 orders"; the plural is the noun and an s unless it is given."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(names: Sequence[str], most: int) -> str:
    """ "a, b", or "a, b and 3 more" where there are more than `most`."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def folded(text: str) -> str:
    """ "İSTANBUL", "istanbul" and "ıstanbul" are the same, as are "ÜNAL", "ünal" and "unal".

    It is stored beside the original: SQLite's `lower` knows ASCII only, PostgreSQL's depends on its
    locale.
    """
    if text.isascii():
        return text.casefold()
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    letters = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return unicodedata.normalize("NFKC", letters).casefold().translate(DOTLESS_I)
