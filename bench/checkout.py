"""What a click on Pay costs beyond Stripe itself: from the click to the address of Stripe's page.

`python -m store bench checkout [--turns 7] [--clicks 20]`

Each click is a new buyer's, over the storefront's own WebSocket and then `/go/…`, as a browser
does; Stripe is the emulator. The shop asks Stripe once, to create a session, so in each turn the
bare SDK does the same, with the parameters that the shop sent; what the click took longer than
that is our own.
"""

import argparse
import http.client
import json
import re
import statistics
import tempfile
import time
from pathlib import Path

import stripe
from sqlmodel import col, select

from bench.support.report import Report, machine_now, parser, publish, verdict
from bench.support.servers import running
from bench.support.statistics import figure, spread
from store.catalog import seeding
from store.core.settings import EMULATOR_KEY
from store.db import engine as db
from store.db.models import Order
from store.web import buyer_cookie
from tests.support import sample_shop
from tests.support.ports import free_port
from tests.support.websocket_client import Visitor

AT_MOST_MILLISECONDS = 15
SECRET = "whsec_benchmark"  # noqa: S105 - of this benchmark alone
GO = re.compile(r"/go/([A-Z0-9-]+)")
SHIRTS = 2.0


def click(port: int) -> float:
    """Milliseconds from a new buyer's click to the address of Stripe's page."""
    cookie = buyer_cookie.new_cookie()
    answers = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    answers.connect()
    with Visitor(port, cookie=cookie) as visitor:
        chosen = {next(iter(visitor.numbers.values())): SHIRTS}
        visitor.seconds(**chosen)
        (pay,) = (name for label, name in visitor.buttons.items() if label.startswith("Pay $"))
        started = time.perf_counter()
        number = None
        run = visitor.run(**chosen, **{pay: True})
        while number is None:
            if found := GO.search(next(run).delta.new_element.html.body):
                number = found[1]
        answers.request(
            "GET", f"/go/{number}", headers={"Cookie": f"{buyer_cookie.COOKIE_NAME}={cookie}"}
        )
        answer = answers.getresponse()
        milliseconds = (time.perf_counter() - started) * 1000
        answer.read()
        assert "/c/pay/" in answer.headers["Location"], answer.headers["Location"]
        for _ in run:
            pass
    answers.close()
    return milliseconds


def ask(client: stripe.StripeClient, parameters: dict[str, object]) -> float:
    """Milliseconds of the same question, asked by nothing but the SDK."""
    started = time.perf_counter()
    made = client.v1.checkout.sessions.create(parameters)  # type: ignore[arg-type]
    assert made.url
    return (time.perf_counter() - started) * 1000


def measure(arguments: argparse.Namespace, folder: Path) -> tuple[list[float], list[float]]:
    """The medians of each turn: a click, and the bare question."""
    emulator, storefront = free_port(), free_port()
    environment = sample_shop.environment(
        f"sqlite:///{(folder / 'store.db').as_posix()}", folder, SECRET
    )
    environment["STRIPE_API_BASE"] = f"http://127.0.0.1:{emulator}"
    data = ("--data", str(folder / "emulator.db"), "--secret", SECRET)
    stripes = ["stripe_emulator", "--port", str(emulator), *data]
    streamlit = ["streamlit", "run", "streamlit_app.py", "--server.port", str(storefront)]
    client = stripe.StripeClient(
        EMULATOR_KEY, base_addresses={"api": environment["STRIPE_API_BASE"]}
    )
    clicks, bare = [], []
    with running(stripes, emulator), sample_shop.entered(environment):
        seeding.migrate()
        with running(
            [*streamlit, "--server.headless", "true"], storefront, environment=environment
        ):
            click(storefront)
            with db.reading() as session:
                frozen = session.exec(select(col(Order.checkout_parameters))).one()
            for turn in range(arguments.turns + 1):  # the first one warms up
                pairs = [
                    (click(storefront), ask(client, json.loads(frozen)))
                    for _ in range(arguments.clicks)
                ]
                if turn:
                    clicks.append(statistics.median(pair[0] for pair in pairs))
                    bare.append(statistics.median(pair[1] for pair in pairs))
    return clicks, bare


def main() -> None:
    command = parser("checkout", __doc__)
    command.add_argument("--turns", type=int, default=7)
    command.add_argument("--clicks", type=int, default=20)
    arguments = command.parse_args()
    here = machine_now()
    stripe.enable_telemetry = False
    with tempfile.TemporaryDirectory() as name:
        clicks, bare = measure(arguments, Path(name))
    own = spread(mine - theirs for mine, theirs in zip(clicks, bare, strict=True))
    publish(
        Report(
            name="checkout",
            machine=here,
            columns=("click to Stripe's page ms", "bare SDK ms", "our own ms"),
            rows=[[str(spread(clicks)), str(spread(bare)), str(own)]],
            verdicts=[
                verdict(
                    f"our own {figure(own.median)} ms, at most {AT_MOST_MILLISECONDS} ms",
                    own.median <= AT_MOST_MILLISECONDS,
                )
            ],
            figures={"clicks": clicks, "bare": bare},
        ),
        dry=arguments.dry,
    )


if __name__ == "__main__":
    main()
