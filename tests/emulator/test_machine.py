"""Anything in any order, crashes included: what must always hold does.

The machine drives the gate and the courier without a server between, so that a crash is exact: the
files are copied between two transactions, which is what `kill -9` leaves behind.
"""

import json
import shutil
import tempfile
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

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

from store.emulator.acts import Emulator
from store.emulator.cards import TEST_CARDS
from store.emulator.config import Config
from store.emulator.errors import StripeError
from store.emulator.gate import FORM, Answer, Gate, Incoming
from tests.emulator.receiver import SECRET, Receiver
from tests.emulator.running import KEY

DAY = 86400
CARDS = st.sampled_from([card.number for card in TEST_CARDS])
PAYING_CARDS = st.sampled_from([card.number for card in TEST_CARDS if card.outcome == "succeeds"])
AMOUNTS = st.sampled_from([None, 1, 400, 999, 1000, 1500])
TERMINAL = ("complete", "expired")


class World(RuleBasedStateMachine):
    """One account, its receiver, and what has been seen of them so far."""

    sessions = Bundle("sessions")
    saved = Bundle("saved")
    challenges = Bundle("challenges")

    @initialize(target=sessions, numbers=st.lists(PAYING_CARDS, min_size=3, max_size=5))
    def begin(self, numbers: list[str]) -> MultipleResults[str]:
        """An account on disk that has sold a few things."""
        self.receiver = Receiver()
        self.folder = tempfile.TemporaryDirectory()
        self.crashes = 0
        self.ended: dict[str, str] = {}
        self.answers = 0
        self.dropped = 0
        self._open(Path(self.folder.name) / "0.db")
        bought = [self._created(1000, 1) for _ in numbers]
        for session, number in zip(bought, numbers, strict=True):
            self._paid(session, number)
        return multiple(*bought)

    def _open(self, file: Path) -> None:
        self.emulator = Emulator(
            Config(data_path=file, webhook_url=self.receiver.url, webhook_secret=SECRET)
        )
        self.gate = Gate(self.emulator.account)
        self.emulator.start()

    def ask(self, method: str, path: str, form: Any = (), key: str | None = None) -> Answer:
        """One API request, without a server between."""
        text = urllib.parse.urlencode(form).encode()
        query, body = (b"", text) if method == "POST" else (text, b"")
        return self.gate.answer(Incoming(method, path, query, body, FORM, f"Bearer {KEY}", key))

    # --- what can happen ---------------------------------------------------------------------

    @rule(target=sessions, amount=st.integers(50, 10_000), quantity=st.integers(1, 3))
    def create(self, amount: int, quantity: int) -> str:
        return self._created(amount, quantity)

    def _created(self, amount: int, quantity: int) -> str:
        answer = self.ask("POST", "/v1/checkout/sessions", session_form(amount, quantity))
        assert answer.status == 200
        return str(json.loads(answer.body)["id"])

    @rule(target=saved, amount=st.integers(40, 60))
    def create_under_a_key(self, amount: int) -> tuple[str, int, float, int, bytes]:
        self.answers += 1
        key, form = f"key-{self.answers}", session_form(amount, 1)
        answer = self.ask("POST", "/v1/checkout/sessions", form, key)
        return key, amount, self.emulator.now(), answer.status, answer.body

    @rule(target=challenges, session=sessions, number=CARDS)
    def pay(self, session: str, number: str) -> str:
        return self._paid(session, number)

    def _paid(self, session: str, number: str) -> str:
        result = self.emulator.pay_with_card(
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

    @rule(session=sessions, amount=AMOUNTS)
    def refund_twice_and_wait(self, session: str, amount: int | None) -> None:
        for given in (amount, amount, None):
            self._refunded(session, given)
        self.emulator.move_clock(40)

    @rule(challenge=consumes(challenges), passed=st.booleans())
    def answer_a_challenge(self, challenge: str, passed: bool) -> None:
        attempt(lambda: self.emulator.answer_challenge(challenge, passed))

    @rule(session=sessions, succeeds=st.booleans())
    def pay_later(self, session: str, succeeds: bool) -> None:
        self.emulator.pay_later(
            session, outcome="succeeds" if succeeds else "fails", email="ada@example.com"
        )

    @rule(session=sessions, succeeded=st.booleans())
    def settle(self, session: str, succeeded: bool) -> None:
        attempt(lambda: self.emulator.settle(self._intent(session), succeeded))

    @rule(session=sessions)
    def expire(self, session: str) -> None:
        answer = self.ask("POST", f"/v1/checkout/sessions/{session}/expire")
        assert (answer.status == 200) == (session not in self.ended)

    @rule(session=sessions, amount=AMOUNTS)
    def refund(self, session: str, amount: int | None) -> None:
        self._refunded(session, amount)

    def _refunded(self, session: str, amount: int | None) -> None:
        form = {"payment_intent": self._intent(session)} | ({"amount": amount} if amount else {})
        assert self.ask("POST", "/v1/refunds", form).status in (200, 400, 404)

    @rule(session=sessions)
    def dispute(self, session: str) -> None:
        attempt(lambda: self.emulator.dispute(self._charge(session)))

    @rule(won=st.booleans())
    def close_a_dispute(self, won: bool) -> None:
        opened = self.emulator.lists("dispute", limit=1).items
        attempt(lambda: self.emulator.close_dispute(opened[0]["id"] if opened else "du_x", won))

    @rule()
    def resend_the_latest(self) -> None:
        for event in self.emulator.lists("event", limit=1).items:
            assert self.emulator.resend(event["id"]) == 1

    @rule()
    def drop_the_next(self) -> None:
        self.emulator.cause("delivery", "drop")

    @rule(seconds=st.sampled_from([1, 40, 400, 1900, DAY - 100, DAY + 1]))
    def time_passes(self, seconds: float) -> None:
        self.emulator.move_clock(seconds)

    @rule()
    def crash(self) -> None:
        """Leave what `kill -9` leaves: the files as they are between two transactions."""
        self.crashes += 1
        old, new = self.emulator, Path(self.folder.name) / f"{self.crashes}.db"
        with old.account.storage.reading():
            for suffix in ("", "-wal"):
                source = Path(f"{old.account.storage.path}{suffix}")
                if source.exists():
                    shutil.copy(source, f"{new}{suffix}")
        old.stop()
        self._open(new)

    @rule(before=saved)
    def ask_again(self, before: tuple[str, int, float, int, bytes]) -> None:
        """The same key and parameters: for a day the same bytes."""
        key, amount, asked_at, status, body = before
        again = self.ask("POST", "/v1/checkout/sessions", session_form(amount, 1), key)
        if status == 200 and self.emulator.now() - asked_at < DAY - 1:
            assert (again.status, again.body) == (200, body)
            other = self.ask("POST", "/v1/checkout/sessions", session_form(amount + 1, 1), key)
            assert other.status == 400

    # --- what always holds -------------------------------------------------------------------

    @invariant()
    def a_session_ends_once(self) -> None:
        if not hasattr(self, "emulator"):
            return
        for session in self.emulator.lists("checkout.session", limit=100).items:
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
        for refund in self.emulator.lists("refund", limit=100).items:
            if refund["status"] != "failed":
                given[refund["charge"]] = given.get(refund["charge"], 0) + refund["amount"]
        for charge in self.emulator.lists("charge", limit=100).items:
            assert charge["amount_refunded"] == given.get(charge["id"], 0)
            assert charge["amount_refunded"] <= charge["amount_captured"]
            assert charge["refunded"] == (0 < charge["amount"] == charge["amount_refunded"])

    def teardown(self) -> None:
        """Every event arrived at least once, unless it was told to be dropped; all are genuine."""
        if not hasattr(self, "emulator"):
            return
        try:
            self._everything_arrived()
        finally:
            self.emulator.stop()
            self.receiver.close()
            self.folder.cleanup()

    def _everything_arrived(self) -> None:
        for _ in range(3):  # an attempt may fail on a busy machine: then a retry carries the event
            assert self.emulator.courier.quiet(30), self.emulator.deliveries(state="pending")
            if self.emulator.deliveries(state="pending"):
                self.emulator.move_clock(7300)
        with self.emulator.account.reading() as books:
            rows = books.connection.execute("SELECT id FROM events").fetchall()
        dropped = {delivery.event_id for delivery in self._dropped()}
        arrived = {delivery.event["id"] for delivery in self.receiver.arrived}
        assert {row["id"] for row in rows} - dropped <= arrived
        assert all(delivery.genuine() for delivery in self.receiver.arrived[:20])

    def _dropped(self) -> list[Any]:
        return list(self.emulator.deliveries(state="dropped", limit=1000))

    def _intent(self, session: str) -> str:
        found = self.emulator.session(session)
        assert found is not None
        return found["payment_intent"] or "pi_nobody"

    def _charge(self, session: str) -> str:
        intent = self.emulator.retrieve(self._intent(session))
        return (intent or {}).get("latest_charge") or "ch_nobody"


def attempt(act: Callable[[], object]) -> None:
    """Do what may be refused, in Stripe's way and no other."""
    try:
        act()
    except StripeError as refusal:
        assert refusal.status in (400, 404)


def session_form(amount: int, quantity: int) -> dict[str, Any]:
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
