"""Products as operators change them; orders keep the names and prices of their own day."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from store import money, pictures, settings
from store.errors import StoreError
from store.models import Product

LONGEST_NAME = 120
LONGEST_DESCRIPTION = 500


class ProductRefused(StoreError):
    """What was written cannot be a product; the sentence says which field and why."""


@dataclass(frozen=True)
class Form:
    """A product as an operator wrote it down; `price` in major units of the currency.

    `seen` is the `updated_at` that the form was filled in from, empty for a new product.
    """

    name: str
    description: str
    price: str
    image: str
    active: bool
    seen: str = ""


def every(session: Session) -> list[Product]:
    return list(session.exec(select(Product).order_by(col(Product.id))))


def change(session: Session, slug: str, form: Form) -> list[str]:
    """Change a product; answers what is different now, in words.

    Raises:
        ProductRefused: a field is wrong, the product is gone, or somebody else changed it since.
    """
    product = session.exec(
        select(Product).where(col(Product.slug) == slug).with_for_update()
    ).first()
    if product is None:
        raise ProductRefused("There is no such product.")
    if form.seen != product.updated_at.isoformat():
        raise ProductRefused(
            f"Somebody else has changed {product.name} meanwhile. Look at it again, then decide."
        )
    wanted = checked(form, product.currency)
    told = []
    for field, value in wanted.items():
        before = getattr(product, field)
        if before != value:
            setattr(product, field, value)
            told.append(_difference(field, before, value, product.currency))
    return told


def _difference(field: str, before: Any, after: Any, currency: str) -> str:
    if field == "unit_amount":
        return f"price {money.text(before, currency)} → {money.text(after, currency)}"
    if field == "active":
        return "on sale again" if after else "no longer on sale"
    return f"{field} {before} → {after}"


def add(session: Session, form: Form) -> Product:
    """Add a product, named in addresses after what it is called.

    Raises:
        ProductRefused
    """
    currency = settings.current().currency
    wanted = checked(form, currency)
    plain = unicodedata.normalize("NFKD", form.name).encode("ascii", "ignore").decode().lower()
    root = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or "product"
    taken = {product.slug for product in every(session)}
    names = (root, *(f"{root}-{count}" for count in range(2, len(taken) + 3)))
    product = Product(
        slug=next(name for name in names if name not in taken), currency=currency, **wanted
    )
    session.add(product)
    return product


def checked(form: Form, currency: str) -> dict[str, Any]:
    """The columns of a product, each found good.

    Raises:
        ProductRefused
    """
    try:
        amount = money.exact(form.price.strip(), currency)
    except ValueError as error:
        raise ProductRefused(f"Price: {error}") from None
    if not 0 < amount <= money.maximum(currency):  # a cart of cheap things may be dear enough
        most = money.text(money.maximum(currency), currency)
        raise ProductRefused(f"Price: write an amount above 0 and at most {most}.")
    if form.image not in pictures.listed():
        raise ProductRefused("Picture: choose one of the list, or bring one.")
    return {
        "name": line(form.name, "Name", LONGEST_NAME),
        "description": line(form.description, "Description", LONGEST_DESCRIPTION),
        "unit_amount": amount,
        "image": form.image,
        "active": form.active,
    }


def line(text: str, field: str, longest: int) -> str:
    """One line of text, without needless spaces. Raises ProductRefused, naming the field."""
    words = " ".join(text.split())
    if not words:
        raise ProductRefused(f"{field}: write something; Stripe shows it to the buyer.")
    if len(words) > longest:
        raise ProductRefused(f"{field}: at most {longest} characters, please; it has {len(words)}.")
    if not words.isprintable():
        raise ProductRefused(f"{field}: there is an invisible control character in it.")
    return words
