"""For any cart: what was sent is what is stored, shown and delivered, and sums add up."""

from typing import Any
from urllib.parse import urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stripe_emulator.api.authentication import masked
from stripe_emulator.base import currencies
from stripe_emulator.parameters import form_encoding
from tests.support.emulator import EmulatorServer

FEW = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
NAMES = TEXT.filter(lambda name: not set(name) & set("[]"))
METADATA = st.dictionaries(
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="[]"), min_size=1, max_size=40
    ),
    TEXT,
    max_size=5,
)


@st.composite
def carts(draw: st.DrawFn) -> tuple[str, list[tuple[str, int, int]]]:
    """A currency and lines of (name, unit amount, quantity) that Stripe accepts in it."""
    currency = draw(st.sampled_from(sorted(currencies.CURRENCIES)))
    step = currencies.step(currency)
    least = currencies.minimum(currency) // step + 1
    amounts = st.integers(least, 10_000_000).map(lambda units: units * step)
    lines = st.lists(st.tuples(TEXT, amounts, st.integers(1, 50)), min_size=1, max_size=4)
    return currency, draw(lines)


@FEW
@given(cart=carts(), metadata=METADATA)
def test_a_session_keeps_every_cart_as_it_was_sent(
    stripe_: EmulatorServer, cart: tuple[str, list[tuple[str, int, int]]], metadata: dict[str, str]
) -> None:
    currency, lines = cart
    given_lines: Any = [
        {
            "price_data": {
                "currency": currency,
                "unit_amount": amount,
                "product_data": {"name": name},
            },
            "quantity": quantity,
        }
        for name, amount, quantity in lines
    ]

    made = stripe_.a_session(line_items=given_lines, metadata=metadata)

    session = stripe_.client.v1.checkout.sessions.retrieve(made.id, {"expand": ["line_items"]})
    assert session.line_items is not None
    assert session.metadata is not None
    assert session.metadata.to_dict() == metadata
    assert (session.currency, session.amount_total) == (
        currency,
        sum(amount * quantity for _, amount, quantity in lines),
    )
    shown = [
        (item.description, item.price.unit_amount if item.price else None, item.quantity)
        for item in session.line_items.data
    ]
    assert shown == lines


@FEW
@given(
    st.recursive(
        TEXT, lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3), max_leaves=8
    ).filter(lambda tree: isinstance(tree, dict))
)
def test_brackets_say_the_same_in_any_order(tree: Any) -> None:
    def flat(node: Any, path: str) -> list[tuple[str, str]]:
        if not isinstance(node, dict):
            return [(path, node)]
        return [
            pair
            for name, value in node.items()
            for pair in flat(value, f"{path}[{name}]" if path else name)
        ]

    pairs = flat(tree, "")
    decoded = form_encoding.decode(urlencode(pairs).encode())
    backwards = form_encoding.decode(urlencode(pairs[::-1]).encode())

    assert decoded == tree
    assert form_encoding.canonical(decoded) == form_encoding.canonical(backwards)


@FEW
@given(st.text(max_size=60), st.sampled_from(["sk_test_", "rk_test_", "sk_live_", ""]))
def test_a_masked_key_shows_at_most_four_characters_of_its_secret(rest: str, prefix: str) -> None:
    shown = masked(prefix + rest)

    visible = shown.replace("*", "").removeprefix("sk_test_").removeprefix("rk_test_")
    assert len(visible) <= 4
