"""What a page says to the person in front of it, beside what it shows."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Notice:
    """One sentence for the buyer, and the order it is about."""

    sentence: str
    tone: str = "waiting"
    order: str | None = None


@dataclass(frozen=True)
class Question:
    """The buyer pressed Pay for what they bought moments ago."""

    sentence: str
    shown_amount: int


DATABASE_DOWN = Notice(
    "The shop's database does not answer. This page comes back by itself.", "warning"
)
