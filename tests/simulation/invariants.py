"""What must always hold, checked on our records and Stripe's after every step.

The shop's tables and Stripe's objects are read as they lie there, by none of the shop's code
but its rank tables. Whoever changes a rule of money has to change it here too, in other words.
"""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import create_engine

from store.orders.status_rules import (
    DISPUTE_RANK,
    PAID,
    PAYMENT_RANK,
    REFUND_RANK,
    REFUND_VOID,
    SESSION_RANK,
)
from tests.simulation.in_process_shop import STRAY, SimulatedShop
from tests.simulation.incremental_reader import Reader, Row, Table
from tests.support.counting import Payment, count, judge

OURS = ("orders", "refunds", "disputes")
PAID_LINES = (
    "SELECT * FROM (SELECT id, order_id FROM order_history"
    """ WHERE payload LIKE '%"payment_status":"paid"%') AS paid"""
)
ORDER_STATUSES_PAID = frozenset(["paid", "partially_refunded", "refunded", "disputed"])


class Records:
    """Our records and Stripe's as they are, and as they were after the step before."""

    def __init__(self, simulated: SimulatedShop, database_url: str) -> None:
        self.simulated = simulated
        self.engine = create_engine(database_url, isolation_level="AUTOCOMMIT")
        self.connection = self.engine.raw_connection()
        self.tables = {name: Table(f"SELECT * FROM {name}", make=dict) for name in OURS}
        self.tables["stripe_events"] = Table("SELECT id, deliveries FROM stripe_events", make=dict)
        self.tables["order_history"] = Table(PAID_LINES, make=dict)
        sqlite = self.engine.dialect.name == "sqlite"
        self.ours = Reader(self._ask_ours, self.tables, sqlite=sqlite)
        objects = Table("SELECT id, kind, body FROM objects", order="seq", make=_parsed)
        self.theirs = Reader(self._ask_stripe, {"objects": objects}, sqlite=True)
        self.stripes: dict[str, dict[str, Row]] = {}
        self.sessions: list[Row] = []
        self._commits = self._answered = -1

    def close(self) -> None:
        """Let go of the database."""
        self.connection.close()
        self.engine.dispose()

    @property
    def orders(self) -> dict[int, Row]:
        return self.tables["orders"].rows

    @property
    def refunds(self) -> dict[int, Row]:
        return self.tables["refunds"].rows

    @property
    def disputes(self) -> dict[int, Row]:
        return self.tables["disputes"].rows

    def check(self) -> None:
        """Hold every invariant that can be held in the middle of things."""
        before = self.orders, self.refunds, self.disputes
        answered, self._answered = self._answered, sum(self.simulated.arrived.values())
        count("checks")
        if not self.read() and answered == self._answered:
            return  # nothing was written or answered since the last check
        self._nothing_goes_back(*before)
        self._nothing_counts_twice()
        self._one_payable_session()
        self._one_kept_payment()
        self._paid_means_paid()
        self._refunds_fit()

    def accept_deletions(self) -> None:
        """Compare the next step with the records as they are: rows were deleted on purpose."""
        self.read(whole=True)

    def read(self, *, whole: bool = False) -> bool:
        """Read both sides anew; returns whether anything was written on one of them."""
        ours, theirs = set[str](), self.theirs.read(whole=whole)
        if whole or self._commits != self.simulated.commits:
            self._commits = self.simulated.commits
            ours = self.ours.read(whole=whole)
        if theirs:
            self._sort_theirs()
        return bool(ours or theirs)

    def _sort_theirs(self) -> None:
        """Stripe's objects by kind."""
        self.stripes = {kind: {} for kind in ("checkout.session", "charge", "refund")}
        for name, thing in self.theirs.tables["objects"].rows.items():
            if thing["object"] in self.stripes:
                self.stripes[thing["object"]][name] = thing
        self.sessions = [
            session
            for session in self.stripes["checkout.session"].values()
            if STRAY not in session["metadata"]
        ]

    def _ask_ours(self, question: str) -> Any:
        cursor = self.connection.cursor()
        cursor.execute(question)
        return cursor

    def _ask_stripe(self, question: str) -> Any:
        with self.simulated.emulator.account.reading() as records:
            return records.connection.execute(question)

    def order(self, number: str) -> Row:
        """One of our orders."""
        return next(order for order in self.orders.values() if order["number"] == number)

    def _nothing_goes_back(
        self, orders: dict[int, Row], refunds: dict[int, Row], disputes: dict[int, Row]
    ) -> None:
        """I5: every ranked column only moves forward, and nothing that was written is unwritten."""
        for rows, now, ranks in (
            (
                orders,
                self.orders,
                {"checkout_status": SESSION_RANK, "payment_status": PAYMENT_RANK},
            ),
            (refunds, self.refunds, {"status": REFUND_RANK}),
            (disputes, self.disputes, {"status": DISPUTE_RANK}),
        ):
            assert rows.keys() <= now.keys(), "I5: a row is gone"
            for identifier, row in rows.items():
                if row is now[identifier]:
                    continue
                for name, rank in ranks.items():
                    assert rank[row[name]] <= rank[now[identifier][name]], f"I5: {now[identifier]}"
                for name in FIXED & row.keys():
                    assert row[name] in (None, now[identifier][name]), f"I5: {now[identifier]}"

    def _nothing_counts_twice(self) -> None:
        """I3: an event is one row, an effect happens once, and what was answered is written."""
        for identifier, answered in self.simulated.arrived.items():
            event = self.tables["stripe_events"].rows.get(identifier)
            assert event and event["deliveries"] >= answered, f"I3, I6: {identifier} was lost"
        paid = Counter(line["order_id"] for line in self.tables["order_history"].rows.values())
        twice = [order for order, times in paid.items() if times > 1]
        assert not twice, f"I3: paid twice in the history of {twice}"
        known = Counter(row["stripe_refund_id"] for row in self.refunds.values())
        assert all(count == 1 for name, count in known.items() if name), "I3: a refund is two rows"

    def _one_payable_session(self) -> None:
        """I7: per order, and per buyer."""
        buyer = {order["number"]: order["buyer_hash"] for order in self.orders.values()}
        payable = [s for s in self.sessions if s["status"] == "open"]
        for session in payable:
            assert session["metadata"]["order_number"] in buyer, "I7: a session without an order"
        buyers = Counter(buyer[s["metadata"]["order_number"]] for s in payable)
        assert all(count == 1 for count in buyers.values()), f"I7: {[s['id'] for s in payable]}"

    def _one_kept_payment(self) -> None:
        """I1: the shop's own sessions take money once per order."""
        paid = Counter(
            s["metadata"]["order_number"] for s in self.sessions if s["payment_status"] == "paid"
        )
        assert all(count == 1 for count in paid.values()), f"I1: {paid}"

    def _paid_means_paid(self) -> None:
        """I2, one way, and I11: what we call paid, Stripe calls paid, with everything fitting."""
        for order in self.orders.values():
            if order["payment_status"] not in PAID:
                assert order["status"] not in ORDER_STATUSES_PAID, f"I2: {order}"
                continue
            session = self.stripes["checkout.session"][order["checkout_session_id"]]
            assert session["payment_status"] in PAID, f"I2: {order}"
            assert session["amount_total"] == order["total_amount"], f"I2: {order}"
            assert session["currency"] == order["currency"], f"I2: {order}"
            assert session["metadata"]["order_number"] == order["number"], f"I2: {order}"
            assert session["livemode"] is False, f"I11: {order}"
            assert order["status"] in ORDER_STATUSES_PAID, f"I2: {order}"

    def _refunds_fit(self) -> None:
        """I4: at Stripe and here no more goes back than came in, and one wish goes back once."""
        refunds, back = self.stripes["refund"], self._given_back()
        for charge in self.stripes["charge"].values():
            if charge["status"] == "succeeded":
                assert back[charge["payment_intent"]] <= charge["amount_captured"], f"I4: {charge}"
        wishes = Counter(refund["metadata"].get("refund_key") for refund in refunds.values())
        assert all(count == 1 for key, count in wishes.items() if key), f"I4: {wishes}"
        ours = Counter[str]()
        for row in self.refunds.values():
            stripes = refunds.get(row["stripe_refund_id"] or "")
            if stripes and stripes["status"] not in REFUND_VOID:
                assert stripes["amount"] == row["amount"], f"I4: {row}"
                ours[row["payment_intent_id"]] += row["amount"]
        for payment, amount in ours.items():
            assert amount <= back[payment], f"I4: {payment}"

    # --- while some objects are stuck -------------------------------------------------------

    def others_are_settled(self, stuck: set[str], began: datetime) -> None:
        """After a pass: no item has kept another from being settled, refunded or recorded.

        A refund may meet a failure that Stripe has saved, and then has its next key; asked it was.
        """
        ours = {order["number"]: order for order in self.orders.values()}
        for session in self.sessions:
            about = {session["id"], session["payment_intent"]}
            if about & (stuck | self.simulated.forgotten | self.simulated.unmissed):
                continue
            order = ours[session["metadata"]["order_number"]]
            paid = session["payment_status"] in PAID
            assert order["checkout_status"] == session["status"], f"held up: {order}"
            assert paid == (order["payment_status"] in PAID), f"held up: {order}"
        disputed = {row["payment_intent_id"] for row in self.disputes.values()}
        since, now = (f"{at:%Y-%m-%d %H:%M:%S.%f}" for at in (began, self.simulated.clock.now(UTC)))
        for row in self.refunds.values():
            waits = row["refusal"] or (row["next_try_at"] or "") > now or row["updated_at"] >= since
            if row["payment_intent_id"] not in stuck | disputed and not waits:
                assert row["status"] != "requested", f"never asked: {row}"

    # --- when everything has been said ------------------------------------------------------

    def check_at_rest(self) -> None:
        """The other way of I1 and I2: nothing that happened at Stripe is missing here."""
        self.check()
        kept = self.orders, self.refunds, self.disputes, self.stripes
        self.read(whole=True)
        assert kept == (self.orders, self.refunds, self.disputes, self.stripes), "misread"
        self.judge()
        ours = {order["checkout_session_id"]: order for order in self.orders.values()}
        for session in self.sessions:
            order = ours.get(session["id"])
            if session["id"] in self.simulated.unmissed:
                continue
            if order is None and session["id"] in self.simulated.forgotten:
                continue  # Stripe forgot it before its answer had come here
            assert order, f"I8: nobody knows {session['id']}"
            assert order["checkout_status"] == session["status"], f"I8: {order}"
            paid = session["payment_status"] in PAID
            assert paid == (order["payment_status"] in PAID), f"I2: {order}"
        for order in self.orders.values():
            assert order["checkout_status"] != "none", f"I8: never asked for {order}"
        self._second_payments_went_back()
        sent = {row["stripe_refund_id"]: row for row in self.refunds.values()}
        nobodys = {
            session["payment_intent"]
            for name, session in self.stripes["checkout.session"].items()
            if name in self.simulated.unmissed
        }
        for refund in self.stripes["refund"].values():
            if refund["payment_intent"] in nobodys:
                continue
            assert refund["id"] in sent, f"I8: nobody knows {refund['id']}"
            assert sent[refund["id"]]["status"] == refund["status"], f"I8: {refund['id']}"
        assert not [row for row in self.refunds.values() if row["status"] == "requested"]

    def judge(self) -> None:
        """I1, I8: each payment at Stripe is known here, and no order keeps two."""
        back, known = self._given_back(), defaultdict[str, set[str]](set)
        for order in self.orders.values():
            known[order["number"]].add(order["payment_intent_id"] or "")
        for row in self.refunds.values():
            known[self.orders[row["order_id"]]["number"]].add(row["payment_intent_id"])
        judge(
            (
                Payment(
                    session["payment_intent"],
                    session["metadata"]["order_number"],
                    kept=back[session["payment_intent"]] < session["amount_total"],
                )
                for session in self.stripes["checkout.session"].values()
                if session["payment_status"] == "paid"
                and session["id"] not in self.simulated.unmissed
            ),
            known,
        )

    def _given_back(self) -> Counter[str]:
        """What went back at Stripe, by payment."""
        back = Counter[str]()
        for refund in self.stripes["refund"].values():
            if refund["status"] not in REFUND_VOID:
                back[refund["payment_intent"]] += refund["amount"]
        return back

    def _second_payments_went_back(self) -> None:
        """I1: each payment by a stray session has gone back, all of it."""
        back = self._given_back()
        for session in self.stripes["checkout.session"].values():
            if session["id"] in self.simulated.unmissed:
                continue
            if STRAY in session["metadata"] and session["payment_status"] == "paid":
                payment = session["payment_intent"]
                rows = [row for row in self.refunds.values() if row["payment_intent_id"] == payment]
                assert back[payment] == session["amount_total"], f"I1: {session['id']}: {rows}"


FIXED = frozenset(
    "number buyer_hash total_amount currency idempotency_key checkout_parameters"
    " checkout_session_id payment_intent_id paid_at amount"
    " stripe_refund_id stripe_dispute_id".split()
)


def _parsed(row: Row) -> Row:
    """An object at Stripe."""
    found: Row = json.loads(row["body"])
    return found
