"""The troubles that come through the webhook door. Each answers with what it saw, never with
what should have been.
"""

from store import views
from store.rehearsal.errors import Untried
from store.rehearsal.stage import TRIES, Seen, Stage, at_once
from store.rehearsal.webhook_door import Answer

CROWD = 100
THREE_DAYS_SECONDS = 3 * 86_400
TEN_MINUTES_SECONDS = 600


def word(status: str) -> str:
    return views.STATUS_BADGES[status].word.lower()


def webhook_twice(stage: Stage) -> Seen:
    """A payment's event is delivered once more by the emulator."""
    door = stage.door
    number = stage.paid()
    event = stage.stripe.completed(stage.session_id(number))
    if not stage.heard(event["id"]):
        door.post(event)
    attempt = stage.stripe.resend(event["id"])
    again = Answer.of(attempt["status"], attempt["body"])
    return Seen(number, f"the second is {again.words}", again.outcome == "duplicate")


def hundred_at_once(stage: Stage) -> Seen:
    """The event of a payment that nobody has told us of arrives a hundred times at once."""
    door = stage.door
    number, event = stage.paid_unheard()
    answers = at_once([lambda: door.post(event)] * CROWD)
    outcomes = [answer.outcome for answer in answers if isinstance(answer, Answer)]
    applied, ignored = outcomes.count("applied"), outcomes.count("duplicate")
    got = f"{applied} takes effect, {ignored} are ignored"
    if others := CROWD - applied - ignored:
        got += f", {others} neither"
    # None takes effect where the reconciler happened to look at Stripe in that very moment.
    settled = stage.order(number).status == "paid"
    return Seen(number, got, settled and applied <= 1 and not others)


def out_of_order(stage: Stage) -> Seen:
    """A refund is told before the payment it gives back."""
    for _ in range(TRIES):
        number, event = stage.paid_unheard()
        _hear_of_a_refund(stage, number)
        before = stage.order(number)
        stage.stripe.resend(event["id"])
        after = stage.order(number)
        if before.paid_at is None:  # else the reconciler happened to look in between
            got = f"refund first: {word(before.status)}; then {word(after.status)}"
            return Seen(number, got, after.status == "partially_refunded")
    raise Untried("The payments were found out before their refunds. Try again.")


def _hear_of_a_refund(stage: Stage, number: str) -> None:
    """Give money back at Stripe, as in its dashboard, and wait until a webhook has told us."""
    payment, half = stage.payment_id(number), stage.order(number).total_amount // 2
    refund = stage.stripe.post("refunds", payment_intent=payment, amount=half)
    told = next(
        event["id"]
        for event in stage.stripe.every("events", type="refund.created")
        if event["data"]["object"]["id"] == refund["id"]
    )
    if not stage.hears(told):
        raise Untried("The refund's webhook did not come.")


def three_days_late(stage: Stage) -> Seen:
    """Stripe signs each attempt anew, so an event may be old and its signature fresh."""
    door = stage.door
    number, event = stage.paid_unheard()
    answer = door.post(event | {"created": event["created"] - THREE_DAYS_SECONDS})
    status = stage.order(number).status
    accepted = "accepted" if answer.status == 200 else answer.words
    got = f"{accepted}, the order is {word(status)}"
    return Seen(number, got, answer.status == 200 and status == "paid")


def forged(stage: Stage) -> Seen:
    """Somebody who does not know the secret says that an open order is paid."""
    door = stage.door
    number = stage.open()
    answer = door.post(stage.claim(number), secret="whsec_somebody_elses")  # noqa: S106
    return _still_open(stage, number, answer.words, answer.status == 400)


def live_mode(stage: Stage) -> Seen:
    """A well signed event of live mode says that an open order of this test shop is paid."""
    door = stage.door
    number = stage.open()
    answer = door.post(stage.claim(number, livemode=True) | {"livemode": True})
    return _still_open(stage, number, answer.words, answer.outcome == "livemode")


def _still_open(stage: Stage, number: str, said: str, as_expected: bool) -> Seen:
    status = stage.order(number).status
    stage.cancel(number)
    return Seen(number, f"{said}, the order is {word(status)}", as_expected and status == "open")


def old_signature(stage: Stage) -> Seen:
    """Somebody recorded a genuine delivery and plays it again ten minutes later."""
    door = stage.door
    number, event = stage.paid_unheard()
    old = door.post(event, age_seconds=TEN_MINUTES_SECONDS)
    unheard = stage.heard(event["id"]) is None
    fresh = door.post(event)
    status = stage.order(number).status
    got = f"{old.words}; signed afresh, {word(status)}"
    return Seen(
        number, got, old.status == 400 and unheard and fresh.status == 200 and status == "paid"
    )


def other_amount(stage: Stage) -> Seen:
    """A well signed event says that an order was paid with another amount than it costs."""
    door = stage.door
    number = stage.open()
    wrong = stage.order(number).total_amount - 1
    door.post(stage.claim(number, amount_total=wrong))
    doubted = stage.order(number).status
    stage.pay(number)
    stage.becomes(number, "paid")
    status = stage.order(number).status
    got = f"{word(doubted)}; after the right amount, {word(status)}"
    return Seen(number, got, doubted == "review" and status == "paid")
