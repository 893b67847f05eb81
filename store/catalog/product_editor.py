"""Changes of products by operators. An order keeps the names and prices at which it was placed.

Each change is one transaction with the product's row locked. Two operators who save at the same
time are serialised: fields that only one of them changed are merged, a field that both changed is
refused until the second operator has seen the first one's value. What cannot be saved, or concerns
a product that does not exist, raises ProductRefused.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select, update

from store.catalog import images
from store.core import money, settings
from store.core.errors import StoreError
from store.db.models import Product

MAX_NAME_LENGTH = 120
MAX_DESCRIPTION_LENGTH = 500
MAX_SLUG_LENGTH = 60
LABELS = {
    "name": "Name",
    "description": "Description",
    "unit_amount": "Price",
    "image": "Picture",
    "active": "On sale",
}
FIELDS = tuple(LABELS)

Values = Mapping[str, Any]  # a product's columns, by the names in `FIELDS`


class ProductRefused(StoreError):
    """The form cannot be saved; `fields` has one sentence for each wrong field.

    `current` has the present values of those fields that another operator has changed since.
    """

    def __init__(
        self, fields: Mapping[str, str], sentence: str = "", current: Mapping[str, Any] = {}
    ) -> None:
        named = (f"{LABELS[field]}: {text}" for field, text in fields.items())
        super().__init__(sentence or " ".join(named))
        self.fields, self.current = fields, current


@dataclass(frozen=True)
class ProductForm:
    """The fields of the form; `price` is text in major units, written as in `locale`."""

    name: str
    description: str
    price: str
    image: str
    active: bool
    locale: str | None = None

    def values(self, currency: str) -> dict[str, Any]:
        """The validated columns; ProductRefused has a sentence for every wrong field."""
        readers: dict[str, Callable[[], Any]] = {
            "name": lambda: one_line(self.name, MAX_NAME_LENGTH),
            "description": lambda: one_line(self.description, MAX_DESCRIPTION_LENGTH),
            "unit_amount": lambda: _price(self.price, currency, self.locale),
            "image": lambda: _image(self.image),
        }
        values, refused = dict[str, Any](active=self.active), dict[str, str]()
        for field, read in readers.items():
            try:
                values[field] = read()
            except ValueError as error:
                refused[field] = str(error)
        if refused:
            raise ProductRefused(refused)
        return values


def one_line(text: str, max_length: int) -> str:
    """The text with single spaces; ValueError if it is empty, too long or cannot be printed."""
    line = " ".join(text.split())
    if not line:
        raise ValueError("write something; Stripe shows it to the buyer.")
    if len(line) > max_length:
        raise ValueError(f"at most {max_length} characters, please; it has {len(line)}.")
    if not line.isprintable():
        raise ValueError("there is an invisible control character in it.")
    return line


def _price(text: str, currency: str, locale: str | None) -> int:
    amount = money.parse_amount(text, currency, locale)
    if not 0 < amount <= money.maximum(currency):
        most = money.text(money.maximum(currency), currency, locale)
        raise ValueError(f"write an amount above 0 and at most {most}.")
    return amount


def _image(name: str) -> str:
    if name not in images.listed():
        raise ValueError("choose one, or upload one.")
    return name


def all_products(session: Session) -> list[Product]:
    """Every product, on sale or not, in the order that the shop shows."""
    return list(session.exec(select(Product).order_by(col(Product.position), col(Product.id))))


def values_of(product: Product) -> dict[str, Any]:
    """The columns that the form can change."""
    return {field: getattr(product, field) for field in FIELDS}


def find(session: Session, slug: str, *, lock: bool = False) -> Product:
    """The product with this slug, locked for a change on request."""
    query = select(Product).where(col(Product.slug) == slug)
    product = session.exec(query.with_for_update() if lock else query).first()
    if product is None:
        raise ProductRefused({}, "This product does not exist any more.")
    return product


def change(session: Session, slug: str, form: ProductForm, opened: Values) -> list[str]:
    """Save the fields that differ from `opened`, the product's values when the form was opened.

    Returns the differences in words. Unchanged fields keep what another operator has saved since.

    Raises:
        ProductRefused: also where another operator has changed one of the same fields.
    """
    product = find(session, slug, lock=True)
    values = form.values(product.currency)
    current = values_of(product)
    changed = [name for name in FIELDS if values[name] not in (opened[name], current[name])]
    conflicts = {
        name: f"another operator changed this to {_shown(name, current[name], product.currency)} "
        "meanwhile. Your entry is still here: save again to replace theirs."
        for name in changed
        if current[name] != opened[name]
    }
    if conflicts:
        raise ProductRefused(conflicts, current={name: current[name] for name in conflicts})
    for name in changed:
        setattr(product, name, values[name])
    return [_difference(name, current[name], values[name], product.currency) for name in changed]


def _difference(name: str, before: Any, after: Any, currency: str) -> str:
    if name == "active":
        return "on sale again" if after else "no longer on sale"
    if name == "image":
        return "new picture"
    old, new = (_shown(name, value, currency) for value in (before, after))
    return f"{LABELS[name].lower()} {old} → {new}"


def _shown(name: str, value: Any, currency: str) -> str:
    if name == "unit_amount":
        return money.text(value, currency)
    if name == "active":
        return "on sale" if value else "not on sale"
    return "another one" if name == "image" else f"“{value}”"


def add(session: Session, form: ProductForm) -> Product:
    """Add a product at the end of the shop; its slug is made from its name.

    Of two concurrent additions with one slug, the unique constraint refuses the second.
    """
    currency = settings.current().currency
    values = form.values(currency)
    products = all_products(session)
    slug = _new_slug(form.name, {product.slug for product in products})
    position = 1 + max((product.position for product in products), default=0)
    product = Product(slug=slug, currency=currency, position=position, **values)
    session.add(product)
    return product


def _new_slug(name: str, taken: set[str]) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    root = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_SLUG_LENGTH].strip("-") or "product"
    candidates = (root, *(f"{root}-{count}" for count in range(2, len(taken) + 3)))
    return next(slug for slug in candidates if slug not in taken)


def set_active(session: Session, slug: str, *, active: bool) -> bool:
    """Put a product on sale or archive it. Returns False if nothing changed."""
    product = find(session, slug, lock=True)
    before, product.active = product.active, active
    return before != active


def move(session: Session, slug: str, places: int) -> tuple[int, int]:
    """Move a product up (-1) or down (1). Returns its new position and the number of products.

    Moving beyond either end changes nothing. All rows are locked in id order, so two moves cannot
    deadlock. `updated_at` of the products does not change.
    """
    rows = session.exec(select(Product).order_by(col(Product.id)).with_for_update()).all()
    ordered = sorted(rows, key=lambda product: (product.position, product.id))
    start = ordered.index(find(session, slug))
    end = min(max(start + places, 0), len(ordered) - 1)
    ordered.insert(end, ordered.pop(start))
    for position, product in enumerate(ordered, start=1):
        if product.position != position:
            row = update(Product).where(col(Product.id) == product.id)
            values = {"position": position, "updated_at": product.updated_at}
            session.connection().execute(row.values(**values))
    return end + 1, len(ordered)
