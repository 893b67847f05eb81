"""Products: what is sold and in which order, and the form that adds or changes one."""

import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

import streamlit as st

from store.backoffice import actions
from store.backoffice.pages_common import OperatorAction, reader, show_next
from store.catalog import images, product_editor
from store.catalog.product_editor import ProductForm, ProductRefused
from store.core import money, settings
from store.core.errors import StoreError
from store.core.text import folded
from store.db import engine as db
from store.db.models import Product
from store.reports import search
from store.web.rendering import literal

Upload = images.Image | str  # an uploaded file as it was decoded, or why it was refused
STATES = {"active": "On sale", "archived": "Archived"}
OPEN_FORM = "product_form"
NAME, PRICE, DESCRIPTION = "product_name", "product_price", "product_description"
ON_SALE, IMAGE = "product_on_sale", "product_image"

save_product = OperatorAction(actions.save_product)
set_active = OperatorAction(actions.set_active)
move = OperatorAction(actions.move_product)


class OpenForm(NamedTuple):
    """The form in the dialog: the product's values when it was opened, and what was refused.

    `slug` and `opened` are empty for a new product. `upload_key` is new for each form, so that no
    file is left of the one before.
    """

    slug: str
    title: str
    currency: str
    opened: Mapping[str, Any]
    upload_key: str
    errors: Mapping[str, str] = {}
    sentence: str = ""


def render() -> None:
    with db.reading() as session:
        products = product_editor.all_products(session)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.html("<h1>Products</h1>")
        if st.button("Add a product", icon=":material/add:", type="primary"):
            open_form(None)
    matches = filtered(products)
    st.caption("A change applies to new orders. Placed orders keep their names and prices.")
    for product in matches:
        product_row(product, products if matches == products else ())
    if not matches:
        st.info("No product fits. Search for another name, or show all of them.")
    if OPEN_FORM in st.session_state:
        form: OpenForm = st.session_state[OPEN_FORM]
        if NAME in st.session_state:
            st.dialog(form.title, width="medium", dismissible=False)(product_form)()
        else:  # left for another page meanwhile
            close_form()


def filtered(products: list[Product]) -> list[Product]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input("Name", key="product_search", type="search", width=320)
        state = st.pills("Show", list(STATES), format_func=STATES.__getitem__, key="product_state")
    text = folded(search.clean_query(text))
    return [
        product
        for product in products
        if text in folded(f"{product.name} {product.slug}")
        and state in (None, "active" if product.active else "archived")
    ]


def product_row(product: Product, movable_in: list[Product] | tuple[()]) -> None:
    """One product; `movable_in` are all products, or none while some are filtered out."""
    slug = product.slug
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key=f"product-{slug}"
    ):
        picture(product.image, 64)
        with st.container(width="stretch", gap=None, key=f"about-{slug}"):
            st.markdown(f"**{literal(product.name)}**")
            price = reader().price(product.unit_amount, product.currency)
            st.caption(literal(f"{price} · changed {reader().moment(product.updated_at)}"))
        if product.active:
            st.badge("On sale", icon=":material/check:", color="green")
        else:
            st.badge("Archived", icon=":material/archive:", color="gray")
        with st.container(horizontal=True, width="content", gap="small"):
            if st.button("Edit", key=f"edit-{slug}"):
                open_form(product)
            args = (slug, not product.active)
            label = "Archive" if product.active else "Restore"
            st.button(label, key=f"state-{slug}", on_click=set_active, args=args)
            for label, places, end in (("Up", -1, 0), ("Down", 1, -1)):
                st.button(
                    label,
                    key=f"{label}-{slug}",
                    type="tertiary",
                    on_click=move,
                    args=(slug, places),
                    disabled=not movable_in or movable_in[end].slug == slug,
                )


def picture(name: str, width: int) -> None:
    with st.container(width=width):
        if path := images.path_of(name):
            st.image(path, width=width, alt="")


def open_form(product: Product | None) -> None:
    """Fill the dialog's fields, which keep what is typed until it is saved or cancelled."""
    values = product_editor.values_of(product) if product else {}
    currency = product.currency if product else settings.current().currency
    st.session_state[OPEN_FORM] = OpenForm(
        slug=product.slug if product else "",
        title=f"Edit {literal(product.name)}" if product else "Add a product",
        currency=currency,
        opened=values,
        upload_key=f"product_upload_{secrets.token_hex(8)}",
    )
    price = money.input_text(values["unit_amount"], currency, reader().language) if values else ""
    fields = {
        NAME: values.get("name", ""),
        DESCRIPTION: values.get("description", ""),
        PRICE: price,
        IMAGE: values.get("image"),
        ON_SALE: values.get("active", True),
    }
    st.session_state.update(fields)


def close_form() -> None:
    st.session_state.pop(OPEN_FORM, None)


def product_form() -> None:
    """The dialog. A refused form keeps every field, with the reason below the field."""
    form: OpenForm | None = st.session_state.get(OPEN_FORM)
    if form is None:  # saved or cancelled
        st.rerun()
    if form.sentence:
        st.error(literal(form.sentence))
    upload = picture_field(form)
    with st.form("product_fields", border=False):
        st.text_input("Name", key=NAME, max_chars=product_editor.MAX_NAME_LENGTH)
        field_error(form, "name")
        st.text_input(f"Price in {form.currency.upper()}", key=PRICE)
        field_error(form, "unit_amount")
        limit = product_editor.MAX_DESCRIPTION_LENGTH
        st.text_area("Description", key=DESCRIPTION, max_chars=limit, height=100)
        field_error(form, "description")
        st.toggle("On sale", key=ON_SALE)
        field_error(form, "active")
        with st.container(horizontal=True):
            label = "Save" if form.slug else "Add to the shop"
            st.form_submit_button(label, type="primary", on_click=save, args=(form, upload))
            st.form_submit_button("Cancel", on_click=close_form)


def field_error(form: OpenForm, field: str) -> None:
    if field in form.errors:
        st.error(literal(form.errors[field]))


def picture_field(form: OpenForm) -> Upload | None:
    """The picture as it will be shown, and two ways to another one."""
    preview, choice = st.columns([1, 2.4], vertical_alignment="top")
    with choice, st.container(key="product_picture"):
        upload = uploaded(form.upload_key)
        if isinstance(upload, str):
            st.error(literal(upload))
        else:
            field_error(form, "image")
        st.selectbox(
            "Or one that the shop has",
            images.listed(),
            key=IMAGE,
            placeholder="Choose a picture",
            disabled=upload is not None,
        )
    with preview:
        if isinstance(upload, images.Image):
            st.image(upload.data, width=180, alt="The uploaded picture")
        elif name := st.session_state.get(IMAGE):
            picture(name, 180)
    return upload


def uploaded(key: str) -> Upload | None:
    """The uploaded file, decoded once; refused files stay until they are replaced or removed."""
    file = st.file_uploader(
        f"Picture (PNG, JPEG or WebP, up to {images.MAX_UPLOAD_MB} MB)",
        type=list(images.UPLOAD_TYPES),
        max_upload_size=images.MAX_UPLOAD_MB,
        key=key,
    )
    if file is None:
        return None
    decoded: dict[str, Upload] = st.session_state.setdefault(f"{key}_decoded", {})
    if file.file_id not in decoded:
        decoded.clear()
        try:
            decoded[file.file_id] = images.read_upload(file.getvalue())
        except images.ImageRefused as refused:
            decoded[file.file_id] = str(refused)
    return decoded[file.file_id]


def save(form: OpenForm, upload: Upload | None) -> None:
    state = st.session_state
    if isinstance(upload, str):
        return
    entered = ProductForm(
        name=state[NAME],
        description=state[DESCRIPTION],
        price=state[PRICE],
        image=state[IMAGE] or "",
        active=state[ON_SALE],
        locale=reader().language,
    )
    try:
        show_next(save_product.run(form.slug, entered, form.opened, upload))
    except ProductRefused as refused:
        opened = {**form.opened, **refused.current}  # the next save replaces what is seen now
        sentence = "" if refused.fields else str(refused)
        state[OPEN_FORM] = form._replace(opened=opened, errors=refused.fields, sentence=sentence)
    except StoreError as error:
        state[OPEN_FORM] = form._replace(errors={}, sentence=error.for_operator)
    else:
        close_form()
