"""Twenty buyers in a process of their own: their work must not keep anybody from killing in time.

Each buyer places orders, goes to Stripe through whichever storefront answers, pays, cancels,
changes the cart, asks for refunds and comes back.
"""

import multiprocessing
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import httpx

from store.catalog import products
from store.core.errors import StoreError
from store.db import engine as db
from store.orders import checkout, refunds
from store.reports.cart import Cart
from store.web import buyer_cookie
from tests.support import loopback

BUYERS = 20
CARTS = ({"red-t-shirt": 2}, {"blue-jeans": 1}, {"sneakers": 1, "red-t-shirt": 1})


@dataclass
class Crowd:
    """The buyers of one seed. `shops` and `stripe` are the addresses that they go to."""

    seed: int
    shops: list[str]
    stripe: str
    counts: Counter[str] = field(default_factory=Counter)
    secrets: set[str] = field(default_factory=set)
    """What must never be in a log: the buyers' cookies."""

    @contextmanager
    def shopping(self) -> Iterator[None]:
        """They shop until the end of the block, and are then counted here."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=run_buyers, args=(self, theirs), daemon=True)
        process.start()
        theirs.close()
        assert ours.recv() == "ready"
        try:
            yield
        finally:
            ours.send("stop")
            counted, secrets = ours.recv()
            process.join()
        self.counts.update(counted)
        self.secrets |= secrets


def run_buyers(crowd: Crowd, server: "Connection[Any, Any]") -> None:
    """The life of the buyers' process."""
    over = threading.Event()
    workers = [threading.Thread(target=shop, args=(crowd, n, over)) for n in range(BUYERS)]
    for worker in workers:
        worker.start()
    server.send("ready")
    server.recv()
    over.set()
    for worker in workers:
        worker.join()
    server.send((crowd.counts, crowd.secrets))


def shop(crowd: Crowd, number: int, over: threading.Event) -> None:
    chance = random.Random(f"{crowd.seed}/{number}")
    cookie = buyer_cookie.new_cookie()
    crowd.secrets |= {cookie, buyer_cookie.buyer_hash(cookie)}
    while not over.is_set():
        with suppress(StoreError, httpx.HTTPError):
            visit(crowd, chance, cookie)
        time.sleep(chance.random() * 0.3)


def visit(crowd: Crowd, chance: random.Random, cookie: str) -> None:
    """One visit; whatever fails on the way, the next visit starts anew."""
    buyer, cart = buyer_cookie.buyer_hash(cookie), chance.choice(CARTS)
    with db.reading() as session:
        shown = Cart.of(products.active_products(session), cart).total
    number = checkout.place(buyer, cart, shown_amount=shown, store_url=crowd.shops[0], again=True)
    crowd.counts["clicks"] += 1
    for _ in range(chance.randint(1, 2)):  # some click twice
        answer = loopback.get(
            f"{chance.choice(crowd.shops)}/go/{number}",
            cookies={buyer_cookie.COOKIE_NAME: cookie},
            timeout=30,
        )
    if "/c/pay/" not in answer.headers.get("location", ""):
        return
    session_id = answer.headers["location"].rpartition("/")[2]
    if chance.random() < 0.2:
        checkout.cancel(buyer, number)
        return
    paying = f"{crowd.stripe}/emulator/sessions/{session_id}/pay"
    paid = loopback.post(paying, json={}, timeout=30).json()
    crowd.counts["payments"] += paid.get("outcome") == "succeeded"
    if chance.random() < 0.5:
        checkout.refresh_order(buyer, number)
    if chance.random() < 0.2:
        row = refunds.create_refund(number, chance.choice([None, 500]), key=f"storm-{number}")
        refunds.submit_refund(row, source="operator")
