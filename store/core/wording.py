"""Numbers with their nouns, for messages."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """ "1 order", "2 orders"; the plural is the noun and an s unless it is given."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
