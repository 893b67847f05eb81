"""Text as a search compares it: without case, accents and Unicode variants.

It is folded here and stored beside the original, because databases differ: SQLite's `lower` knows
ASCII only, PostgreSQL's depends on its locale.
"""

import unicodedata

DOTLESS_I = str.maketrans("ı", "i")  # its capital is I, as that of i


def folded(text: str) -> str:
    """ "İSTANBUL", "istanbul" and "ıstanbul" are the same, as are "ÜNAL", "ünal" and "unal"."""
    if text.isascii():
        return text.casefold()
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    letters = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return unicodedata.normalize("NFKC", letters).casefold().translate(DOTLESS_I)
