"""Payments that are dated back, for sample data: all their times move, and nothing else does."""

import time

from tests.support.emulator import EmulatorServer

DAY = 86_400


def test_a_payment_dated_back_is_older_in_every_list_and_keeps_its_amounts(
    stripe_: EmulatorServer,
) -> None:
    other, sample = stripe_.a_payment(), stripe_.a_session()
    stripe_.pay(sample.id)
    intent = stripe_.intent_of(sample.id)
    refund = stripe_.client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000})
    now = int(time.time())
    stripe_.control("POST", "clock", seconds=2)  # the charge's balance transaction is there

    for _ in range(2):  # again changes nothing
        stripe_.control("POST", "date_back", sessions={sample.id: now - 20 * DAY})

    session = stripe_.client.v1.checkout.sessions.retrieve(sample.id)
    dated = [session.created, stripe_.intent_of(sample.id).created]
    dated.append(stripe_.charge_of(intent).created)
    dated.append(stripe_.client.v1.refunds.retrieve(refund.id).created)
    assert all(abs(created - (now - 20 * DAY)) < 5 for created in dated)
    assert session.expires_at - session.created == sample.expires_at - sample.created
    assert (session.amount_total, stripe_.charge_of(intent).amount_refunded) == (3998, 1000)
    assert stripe_.client.v1.payment_intents.retrieve(other.id).created >= now - 5
    listed = stripe_.client.v1.payment_intents.list().data
    assert [one.id for one in listed] == [other.id, intent.id]
    old = stripe_.client.v1.payment_intents.list({"created": {"lt": now - DAY}}).data
    assert [one.id for one in old] == [intent.id]
    events = stripe_.client.v1.events.list({"limit": 100}).data
    about = [
        e for e in events if intent.id in str(e.data.object) or sample.id in str(e.data.object)
    ]
    assert about
    assert all(event.created < now - 19 * DAY for event in about)
    created = [event.created for event in events]
    assert created == sorted(created, reverse=True)


def test_nothing_is_dated_into_the_future_and_an_unknown_session_is_refused(
    stripe_: EmulatorServer,
) -> None:
    session = stripe_.a_session()

    stripe_.control("POST", "date_back", sessions={session.id: session.created + DAY})
    status, *_ = stripe_.raw(
        "POST",
        "/emulator/date_back",
        b'{"sessions": {"cs_test_nobody": 1}}',
        Content_Type="application/json",
    )

    assert stripe_.client.v1.checkout.sessions.retrieve(session.id).created == session.created
    assert status == 404
