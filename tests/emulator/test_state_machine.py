"""Anything in any order, crashes included: what must always hold does.

The machine drives the request pipeline and the dispatcher without a server between, so that a
crash is exact: the files are copied between two transactions, which is what `kill -9` leaves
behind. The clock stands still unless a rule moves it, and the shop answers, fails or holds its
answer back as a rule says, so that nothing here depends on how fast the machine is.
"""

import json
import shutil
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stripe
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from stripe_emulator.api.pipeline import FORM, ApiRequest, ApiResponse, RequestPipeline
from stripe_emulator.base.config import RETRY_SCHEDULES, Config
from stripe_emulator.base.errors import StripeError
from stripe_emulator.base.models import StripeObject
from stripe_emulator.base.test_cards import TEST_CARDS
from stripe_emulator.emulator import Emulator
from tests.support.emulator import KEY
from tests.support.webhook_receiver import SECRET, Receiver

DAY = 86400
PATIENCE_SECONDS = 120
"""Only a machine that stands still takes so long for what is waited for."""
CARDS = st.sampled_from([card.number for card in TEST_CARDS])
PAYING_CARDS = st.sampled_from([card.number for card in TEST_CARDS if card.outcome == "succeeds"])
AMOUNTS = st.sampled_from([None, 1, 400, 999, 1000, 1500])
TERMINAL = ("complete", "expired")
ATTEMPTS = 1 + len(RETRY_SCHEDULES["sandbox"])
Form = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A request that was made under a key, and what came back."""

    key: str
    path: str
    form: Form
    at: float
    answer: ApiResponse


class Shop:
    """The receiving end: it takes what arrives, is down, or holds its answers back."""

    def __init__(self) -> None:
        self.receiver = Receiver()
        self.receiver.answer = self._answer
        self.up = True
        self.taken: set[str] = set()
        """Ids of the events that were answered with 200."""
        self._holding: threading.Event | None = None
        self._held = threading.Event()

    def _answer(self, event: dict[str, Any]) -> tuple[int, float]:
        if self._holding is not None:
            self._held.set()
            self._holding.wait(PATIENCE_SECONDS)
            return 500, 0
        if self.up:
            self.taken.add(event["id"])
        return (200 if self.up else 500), 0

    def hold(self) -> None:
        """Keep everybody waiting, and fail them in the end."""
        self._held.clear()
        self._holding = threading.Event()

    def wait_until_held(self) -> None:
        """Until somebody waits for an answer."""
        assert self._held.wait(PATIENCE_SECONDS)

    def release(self) -> None:
        """Answer those who wait."""
        assert self._holding
        self._holding.set()
        self._holding = None


class World(RuleBasedStateMachine):
    """One account, its receiver, and what has been seen of them so far."""

    sessions = Bundle("sessions")
    saved = Bundle("saved")
    challenges = Bundle("challenges")

    @initialize(target=sessions, numbers=st.lists(PAYING_CARDS, min_size=3, max_size=5))
    def begin(self, numbers: list[str]) -> MultipleResults[str]:
        """An account on disk that has sold a few things."""
        self.shop = Shop()
        self.folder = tempfile.TemporaryDirectory()
        self.started_at = time.time()
        self.crashes = 0
        self.ended: dict[str, str] = {}
        self.keys = 0
        self._open(Path(self.folder.name) / "0.db")
        bought = [self._created(1000, 1) for _ in numbers]
        for session, number in zip(bought, numbers, strict=True):
            self._paid(session, number)
        return multiple(*bought)

    def _open(self, file: Path) -> None:
        self.emulator = Emulator(
            Config(
                data_path=file,
                webhook_url=self.shop.receiver.url,
                webhook_secret=SECRET,
                clock=lambda: self.started_at,
                delivery_timeout_seconds=PATIENCE_SECONDS,
                redirect_wait_seconds=0,
            )
        )
        self.pipeline = RequestPipeline(self.emulator.account)
        self.emulator.start()

    def ask(self, method: str, path: str, form: Any = (), key: str | None = None) -> ApiResponse:
        """One API request, without a server between."""
        text = urllib.parse.urlencode(form).encode()
        query, body = (b"", text) if method == "POST" else (text, b"")
        return self.pipeline.handle(
            ApiRequest(method, path, query, body, FORM, f"Bearer {KEY}", key)
        )

    # --- sessions ----------------------------------------------------------------------------

    @rule(target=sessions, amount=st.integers(50, 10_000), quantity=st.integers(1, 3))
    def create(self, amount: int, quantity: int) -> str:
        return self._created(amount, quantity)

    def _created(self, amount: int, quantity: int) -> str:
        answer = self.ask("POST", "/v1/checkout/sessions", session_form(amount, quantity))
        assert answer.status == 200
        return str(json.loads(answer.body)["id"])

    @rule(target=challenges, session=sessions, number=CARDS)
    def pay(self, session: str, number: str) -> str:
        return self._paid(session, number)

    def _paid(self, session: str, number: str) -> str:
        result = self.emulator.checkout.pay_with_card(
            session,
            number=number,
            expiry="12/40",
            cvc="1234" if number.startswith("3") else "123",
            name="Ada",
            email="ada@example.com",
        )
        ended = session in self.ended
        assert (result.outcome == "invalid") == ended
        return result.challenge_id or ""

    @rule(target=sessions, amount=st.integers(50, 3000), number=CARDS)
    def buy(self, amount: int, number: str) -> str:
        session = self._created(amount, 1)
        self._paid(session, number)
        return session

    @rule(challenge=consumes(challenges), passed=st.booleans())
    def answer_a_challenge(self, challenge: str, passed: bool) -> None:
        attempt(lambda: self.emulator.checkout.answer_challenge(challenge, passed))

    @rule(session=sessions, succeeds=st.booleans())
    def pay_later(self, session: str, succeeds: bool) -> None:
        self.emulator.checkout.pay_later(
            session, outcome="succeeds" if succeeds else "fails", email="ada@example.com"
        )

    @rule(session=sessions, succeeded=st.booleans())
    def settle(self, session: str, succeeded: bool) -> None:
        attempt(lambda: self.emulator.settle_debit(self._intent(session), succeeded))

    @rule(session=sessions)
    def expire(self, session: str) -> None:
        answer = self.ask("POST", f"/v1/checkout/sessions/{session}/expire")
        assert (answer.status == 200) == (session not in self.ended)

    # --- money back --------------------------------------------------------------------------

    @rule(session=sessions, amount=AMOUNTS)
    def refund(self, session: str, amount: int | None) -> None:
        self._refunded(session, amount)

    @rule(session=sessions, amount=AMOUNTS)
    def refund_twice_and_wait(self, session: str, amount: int | None) -> None:
        for given in (amount, amount, None):
            self._refunded(session, given)
        self.emulator.move_clock(40)

    @rule(amount=st.integers(50, 3000), over=st.integers(1, 500))
    def refund_more_than_was_paid(self, amount: int, over: int) -> None:
        session = self._created(amount, 1)
        self._paid(session, "4242424242424242")
        for given in (amount + over, amount, 1):
            self._refunded(session, given)

    def _refunded(self, session: str, amount: int | None) -> None:
        """Refund: granted where the charge has it left and no dispute holds it, and only there."""
        before = self._charge(session)
        form = {"payment_intent": self._intent(session)} | ({"amount": amount} if amount else {})
        status = self.ask("POST", "/v1/refunds", form).status
        after = self._charge(session)
        if before is None or after is None or before["status"] != "succeeded":
            assert status in (400, 404)
            return
        left = before["amount_captured"] - before["amount_refunded"]
        fits = 0 < (amount or left) <= left
        assert (status == 200) == (fits and not self._is_charged_back(before)), (amount, left)
        given = (amount or left) if status == 200 else 0
        assert after["amount_refunded"] == before["amount_refunded"] + given

    def _is_charged_back(self, charge: StripeObject) -> bool:
        """An inquiry is no chargeback, and what was won is none any more."""
        return any(
            dispute["charge"] == charge["id"]
            and not dispute["is_charge_refundable"]
            and dispute["status"] != "won"
            for dispute in self.emulator.list_objects("dispute", limit=100).items
        )

    @rule(session=sessions)
    def dispute(self, session: str) -> None:
        charge = self._charge(session) or {"id": "ch_nobody"}
        attempt(lambda: self.emulator.dispute(charge["id"]))

    @rule(won=st.booleans())
    def close_a_dispute(self, won: bool) -> None:
        opened = self.emulator.list_objects("dispute", limit=1).items
        attempt(lambda: self.emulator.close_dispute(opened[0]["id"] if opened else "du_x", won))

    # --- keys --------------------------------------------------------------------------------

    @rule(target=saved, amount=st.integers(40, 60))
    def create_under_a_key(self, amount: int) -> Call:
        return self._called("/v1/checkout/sessions", session_form(amount, 1))

    @rule(target=saved, session=sessions)
    def expire_under_a_key(self, session: str) -> Call:
        return self._called(f"/v1/checkout/sessions/{session}/expire", {})

    @rule(target=saved, session=sessions, amount=st.integers(1, 1500))
    def refund_under_a_key(self, session: str, amount: int) -> Call:
        form = {"payment_intent": self._intent(session), "amount": amount}
        return self._called("/v1/refunds", form)

    def _called(self, path: str, form: Form) -> Call:
        self.keys += 1
        key, at = f"key-{self.keys}", self.emulator.now()
        return Call(key, path, form, at, self.ask("POST", path, form, key))

    @rule(call=saved)
    def ask_again(self, call: Call) -> None:
        """The same key and parameters: for a day the same bytes."""
        if call.answer.status == 200 and self.emulator.now() < call.at + DAY:
            self._replayed(call)
            other = self.ask("POST", call.path, {**call.form, "metadata[other]": "1"}, call.key)
            assert other.status == 400

    @rule(call=consumes(saved))
    def ask_again_until_a_day_is_over(self, call: Call) -> None:
        """The last second of the day answers as the first; then the key means a new request."""
        left = call.at + DAY - self.emulator.now()
        if call.answer.status == 200 and left > 1:
            self.emulator.move_clock(left - 1)
            self._replayed(call)
            self.emulator.move_clock(1)
        if self.emulator.now() >= call.at + DAY:
            again = self.ask("POST", call.path, call.form, call.key)
            assert "Idempotent-Replayed" not in again.headers
            assert again.body != call.answer.body

    def _replayed(self, call: Call) -> None:
        again = self.ask("POST", call.path, call.form, call.key)
        assert (again.status, again.body) == (call.answer.status, call.answer.body)
        assert again.headers["Idempotent-Replayed"] == "true"

    # --- deliveries, time, crashes -----------------------------------------------------------

    @rule()
    def resend_the_latest(self) -> None:
        """It arrives once more, under its own id, and no other event is made."""
        assert self.emulator.dispatcher.wait_until_idle(PATIENCE_SECONDS)
        (event,) = self.emulator.list_objects("event", limit=1).items
        arrived, known = self._arrivals(event["id"]), self.emulator.counts()

        assert self.emulator.resend(event["id"]) == 1

        assert self.emulator.dispatcher.wait_until_idle(PATIENCE_SECONDS)
        assert self._arrivals(event["id"]) == arrived + 1 or self._dropped(event["id"])
        assert self.emulator.counts() == known

    def _arrivals(self, event_id: str) -> int:
        arrived = list(self.shop.receiver.arrived)
        return sum(delivery.event["id"] == event_id for delivery in arrived)

    def _dropped(self, event_id: str) -> bool:
        newest = self.emulator.deliveries(event_id=event_id, limit=1)
        return bool(newest) and newest[0].state == "dropped"

    @rule()
    def drop_the_next(self) -> None:
        self.emulator.inject_fault("delivery", "drop")

    @rule(up=st.booleans())
    def the_shop_goes_down_or_up(self, up: bool) -> None:
        assert self.emulator.dispatcher.wait_until_idle(PATIENCE_SECONDS)
        self.shop.up = up

    @rule(seconds=st.sampled_from([1, 40, 400, 1900, DAY - 100, DAY + 1]))
    def time_passes(self, seconds: float) -> None:
        assert self.emulator.dispatcher.wait_until_idle(PATIENCE_SECONDS)
        self.emulator.move_clock(seconds)

    @rule()
    def crash(self) -> None:
        """Leave what `kill -9` leaves: the files as they are between two transactions."""
        self._reopen(self._copy())

    @rule(down=st.booleans())
    def crash_while_the_shop_has_not_answered(self, down: bool) -> None:
        """What was sent and never confirmed is sent again by who comes after."""
        assert self.emulator.dispatcher.wait_until_idle(PATIENCE_SECONDS)
        self.emulator.clear_faults()
        self.shop.hold()
        self._paid(self._created(700, 1), "4242424242424242")
        self.shop.wait_until_held()
        copy = self._copy()
        self.shop.up = not down
        self.shop.release()
        self._reopen(copy)

    def _copy(self) -> Path:
        self.crashes += 1
        old, new = self.emulator, Path(self.folder.name) / f"{self.crashes}.db"
        with old.account.storage.reading():  # nobody else comes near the files meanwhile
            for suffix in ("", "-wal"):
                source = Path(f"{old.account.storage.path}{suffix}")
                if source.exists():
                    shutil.copy(source, f"{new}{suffix}")
        return new

    def _reopen(self, file: Path) -> None:
        self.emulator.stop()
        self._open(file)

    # --- what always holds -------------------------------------------------------------------

    @invariant()
    def a_session_ends_once(self) -> None:
        if not hasattr(self, "emulator"):
            return
        for session in self.emulator.list_objects("checkout.session", limit=100).items:
            status = session["status"]
            assert (session["url"] is None) == (status in TERMINAL)
            assert self.ended.get(session["id"], status) == status
            if status in TERMINAL:
                self.ended[session["id"]] = status

    @invariant()
    def refunds_are_within_what_was_captured(self) -> None:
        if not hasattr(self, "emulator"):
            return
        given: dict[str, int] = {}
        for refund in self.emulator.list_objects("refund", limit=100).items:
            if refund["status"] != "failed":
                given[refund["charge"]] = given.get(refund["charge"], 0) + refund["amount"]
        for charge in self.emulator.list_objects("charge", limit=100).items:
            assert charge["amount_refunded"] == given.get(charge["id"], 0)
            assert charge["amount_refunded"] <= charge["amount_captured"]
            assert charge["refunded"] == (0 < charge["amount"] == charge["amount_refunded"])

    def teardown(self) -> None:
        """The shop took every event, unless it failed three times or was told to drop it."""
        if not hasattr(self, "emulator"):
            return
        try:
            self.shop.up = True
            self._everything_arrived()
        finally:
            self.emulator.stop()
            self.shop.receiver.close()
            self.folder.cleanup()

    def _everything_arrived(self) -> None:
        assert self.emulator.dispatcher.wait_until_idle(PATIENCE_SECONDS)
        while self.emulator.deliveries(state="pending", limit=1):
            self.emulator.move_clock(max(RETRY_SCHEDULES["sandbox"]))
            assert self.emulator.dispatcher.wait_until_idle(PATIENCE_SECONDS)
        with self.emulator.account.reading() as tx:
            rows = tx.connection.execute("SELECT id FROM events").fetchall()
        known = {row["id"] for row in rows}
        for event_id in known - self.shop.taken:
            ends = {delivery.state for delivery in self.emulator.deliveries(event_id=event_id)}
            tries = [len(one.attempts) for one in self.emulator.deliveries(event_id=event_id)]
            assert ends & {"dropped", "failed"}, event_id
            assert "dropped" in ends or max(tries) == ATTEMPTS, event_id
        arrived = list(self.shop.receiver.arrived)
        assert {delivery.event["id"] for delivery in arrived} <= known
        for delivery in arrived[:20]:
            text = delivery.body.decode()
            assert stripe.WebhookSignature.verify_header(text, delivery.signature, SECRET, None)

    def _intent(self, session: str) -> str:
        found = self.emulator.checkout.session(session)
        assert found is not None
        return found["payment_intent"] or "pi_nobody"

    def _charge(self, session: str) -> StripeObject | None:
        intent = self.emulator.retrieve(self._intent(session))
        return self.emulator.retrieve((intent or {}).get("latest_charge") or "ch_nobody")


def attempt(act: Callable[[], object]) -> None:
    """Do what may be refused, in Stripe's way and no other."""
    try:
        act()
    except StripeError as refusal:
        assert refusal.status in (400, 404)


def session_form(amount: int, quantity: int) -> Form:
    """A session's parameters on the wire."""
    return {
        "mode": "payment",
        "success_url": "http://127.0.0.1:1/?s={CHECKOUT_SESSION_ID}",
        "line_items[0][price_data][currency]": "usd",
        "line_items[0][price_data][unit_amount]": amount,
        "line_items[0][price_data][product_data][name]": "Shirt",
        "line_items[0][quantity]": quantity,
    }


TestWorld = World.TestCase
TestWorld.settings = settings(
    max_examples=25, stateful_step_count=40, deadline=None, derandomize=True, database=None
)
