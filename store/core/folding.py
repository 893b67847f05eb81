"""Text as it is compared in a search: without case, accents and forms of writing.

Databases fold what they know: SQLite's `lower` knows ASCII only, PostgreSQL's what its locale does.
So it is done here, and kept beside what was written.
"""

import unicodedata

DOTLESS_I = str.maketrans("ı", "i")  # the one letter whose capital Unicode shares with another


def folded(text: str) -> str:
    """ "İSTANBUL", "istanbul" and "ıstanbul" are the same, as are "ÜNAL", "ünal" and "unal"."""
    if text.isascii():
        return text.casefold()
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    kept = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return unicodedata.normalize("NFKC", kept).casefold().translate(DOTLESS_I)
