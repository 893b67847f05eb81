"""Products: what is sold, each with the form that changes it, and one for a new product."""

import streamlit as st

from store import assortment, db, listing, money, pictures, settings
from store.backoffice.pages_common import put
from store.folding import folded


def render() -> None:
    with db.reading() as session:
        every = assortment.every(session)
    query = st.query_params
    text, shown = listing.tidy(query.get("q", "")), query.get("shown", "")
    products = [
        product
        for product in every
        if folded(text) in folded(f"{product.name} {product.slug}")
        and shown in ("", "active" if product.active else "inactive")
    ]
    put(
        "products",
        products=products,
        images=pictures.listed(),
        text=text,
        shown=shown,
        major=lambda product: str(money.major(product.unit_amount, product.currency)),
        limits=assortment,
        currency=settings.current().currency,
    )
