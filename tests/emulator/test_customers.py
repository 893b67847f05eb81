"""Customers, alone and on sessions."""

from typing import Any

import pytest
import stripe

from tests.support.emulator import EmulatorServer, line

HOME = {"line1": "1 Main St", "city": "Berlin", "country": "DE", "postal_code": "10115"}


def test_a_customer_is_created_changed_listed_and_deleted(stripe_: EmulatorServer) -> None:
    customers = stripe_.client.v1.customers
    ada = customers.create(
        {"email": "ada@example.com", "name": "Ada", "metadata": {"a": "1"}, "shipping": ""}
    )
    bob = customers.create({"email": "bob@example.com", "address": {"city": "Paris"}})

    changed = customers.update(ada.id, {"phone": "+49 30", "metadata": {"b": "2"}})
    unset = customers.update(bob.id, {"address": ""})

    assert (changed.name, changed.phone, changed.email) == ("Ada", "+49 30", "ada@example.com")
    assert (bob.address is not None, unset.address) == (True, None)
    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {"a": "1", "b": "2"}
    assert [one.id for one in customers.list().data] == [bob.id, ada.id]
    assert [one.id for one in customers.list({"email": "ada@example.com"}).data] == [ada.id]
    assert customers.delete(ada.id).deleted
    assert customers.retrieve(ada.id).deleted
    assert [one.id for one in customers.list().data] == [bob.id]
    assert stripe_.event_types() == [
        *("customer.created", "customer.created"),
        *("customer.updated", "customer.updated", "customer.deleted"),
    ]


def test_a_deleted_or_unknown_customer_is_not_found(stripe_: EmulatorServer) -> None:
    customers = stripe_.client.v1.customers
    gone = customers.create().id
    customers.delete(gone)

    for customer_id in (gone, "cus_nobody"):
        with pytest.raises(stripe.InvalidRequestError, match="No such customer") as unknown:
            customers.update(customer_id, {"name": "Ada"})
        assert unknown.value.http_status == 404
        with pytest.raises(stripe.InvalidRequestError, match="No such customer") as refused:
            stripe_.a_session(customer=customer_id)
        assert (refused.value.http_status, refused.value.param) == (400, "customer")


@pytest.mark.parametrize("email", ["nonsense", "ada.example.com"])
def test_an_email_without_an_at_sign_is_refused(stripe_: EmulatorServer, email: str) -> None:
    customers = stripe_.client.v1.customers
    made = customers.create({"email": "ada@example.com"})

    with pytest.raises(stripe.InvalidRequestError, match="Invalid email address"):
        customers.create({"email": email})
    with pytest.raises(stripe.InvalidRequestError, match="Invalid email address"):
        customers.update(made.id, {"email": email})


def test_a_session_its_payment_and_its_charge_name_the_customer(stripe_: EmulatorServer) -> None:
    customer = stripe_.client.v1.customers.create({"email": "ada@example.com", "name": "Ada"})
    session = stripe_.a_session(customer=customer.id)
    assert (session.customer, session.customer_email) == (customer.id, None)
    assert session.customer_details is not None
    assert session.customer_details.email == "ada@example.com"
    assert 'value="ada@example.com"' in stripe_.raw("GET", f"/c/pay/{session.id}")[2].decode()

    stripe_.pay(session.id)

    client = stripe_.client.v1
    intent = stripe_.intent_of(session.id)
    assert (intent.customer, stripe_.charge_of(intent).customer) == (customer.id, customer.id)
    by_customer: Any = {"customer": customer.id}
    assert [one.id for one in client.payment_intents.list(by_customer).data] == [intent.id]
    assert [one.id for one in client.checkout.sessions.list(by_customer).data] == [session.id]
    assert len(client.charges.list(by_customer).data) == 1
    expanded = client.checkout.sessions.retrieve(session.id, {"expand": ["customer"]}).customer
    assert isinstance(expanded, stripe.Customer)
    assert expanded.name == "Ada"


@pytest.mark.parametrize(
    ("name", "value"), [("customer_email", "a@example.com"), ("customer_creation", "if_required")]
)
def test_a_session_has_a_customer_or_an_email(
    stripe_: EmulatorServer, name: str, value: str
) -> None:
    customer = stripe_.client.v1.customers.create().id

    with pytest.raises(stripe.InvalidRequestError, match="only specify one of these") as refused:
        stripe_.a_session(customer=customer, **{name: value})

    assert refused.value.param == name


@pytest.mark.parametrize("wanted", ["auto", "never"])
def test_answers_become_the_customers_where_the_session_says_so(
    stripe_: EmulatorServer, wanted: str
) -> None:
    customer = stripe_.client.v1.customers.create({"email": "ada@example.com"})
    session = stripe_.a_session(
        customer=customer.id,
        customer_update={"address": wanted, "name": wanted, "shipping": wanted},
        billing_address_collection="required",
        shipping_address_collection={"allowed_countries": ["DE"]},
    )
    answers = {
        f"{kind}_{name}": text for kind in ("billing", "shipping") for name, text in HOME.items()
    }

    stripe_.control(
        "POST",
        f"sessions/{session.id}/pay",
        number="4242424242424242",
        email="ada@example.com",
        name="Ada Buyer",
        answers=answers | {"shipping_name": "Ada"},
    )

    after = stripe_.client.v1.customers.retrieve(customer.id)
    kept = wanted == "auto"
    assert after.name == ("Ada Buyer" if kept else None)
    assert (after.address is not None and after.address.city == "Berlin") == kept
    assert (after.shipping is not None and after.shipping.name == "Ada") == kept
    assert ("customer.updated" in stripe_.event_types()) == kept


def test_customer_update_needs_a_customer(stripe_: EmulatorServer) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="can only be used with `customer`"):
        stripe_.a_session(customer_update={"name": "auto"})


def test_a_refund_from_a_customer_balance_is_refused_as_unsupported(
    stripe_: EmulatorServer,
) -> None:
    customer = stripe_.client.v1.customers.create().id

    with pytest.raises(stripe.InvalidRequestError, match="does not imitate refunds from the"):
        stripe_.client.v1.refunds.create({"customer": customer, "amount": 1})


@pytest.mark.parametrize("number", ["4242424242424242", "4000000000000002"])
def test_a_customer_is_created_by_the_first_try_to_pay_where_the_session_says_so(
    stripe_: EmulatorServer, number: str
) -> None:
    session = stripe_.a_session(customer_creation="always")
    assert (session.customer, session.customer_creation) == (None, "always")
    stripe_.pay(session.id, number)
    stripe_.pay(session.id)

    (customer,) = stripe_.client.v1.customers.list().data
    intent = stripe_.intent_of(session.id)
    assert (customer.email, customer.name) == ("ada@example.com", "Ada Buyer")
    assert stripe_.client.v1.checkout.sessions.retrieve(session.id).customer == customer.id
    assert intent.customer == customer.id
    assert {one.customer for one in stripe_.client.v1.charges.list().data} == {customer.id}
    assert stripe_.event_types().count("customer.created") == 1


def test_a_free_order_makes_its_customer_too(stripe_: EmulatorServer) -> None:
    session = stripe_.a_session(line_items=[line(0)], customer_creation="always")

    stripe_.emulator.checkout.confirm(session.id, email="ada@example.com", name="Ada", answers={})

    (customer,) = stripe_.client.v1.customers.list().data
    assert stripe_.client.v1.checkout.sessions.retrieve(session.id).customer == customer.id


def test_no_customer_is_created_unless_requested(stripe_: EmulatorServer) -> None:
    session = stripe_.a_session()

    stripe_.pay(session.id)

    assert stripe_.client.v1.customers.list().data == []
    assert stripe_.client.v1.checkout.sessions.retrieve(session.id).customer is None
