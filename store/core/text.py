"""Text: numbers with their nouns, and strings as a search compares them."""

import unicodedata

DOTLESS_I = str.maketrans("ı", "i")  # its capital is I, as that of i


def counted(number: int, noun: str, plural: str = "") -> str:
    """ "1 order", "2 orders"; the plural is the noun and an s unless it is given."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


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
