"""Other people's clients, unchanged: old and new SDKs run one and the same purchase."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import foreign_packages
from tests.support.emulator import KEY, EmulatorServer

HERE = Path(__file__).parent
PYTHON = ("stripe==7.14.1", "stripe==10.12.1", "stripe==12.5.2", "stripe==16.1.0")
NODE = ("stripe@20.4.1",)
DJ_STRIPE = "dj-stripe==2.11.0"
DJ_STRIPE_KEY = "sk_test_" + "djstripe" * 4
"""It takes no shorter one."""


def command(package: str) -> list[str]:
    """How to run the purchase with one version of an SDK, and nothing else in its path."""
    if "@" in package:
        return ["node", str(HERE / "purchase.mjs"), str(foreign_packages.from_npm(package))]
    return [
        sys.executable,
        "-I",
        "-S",
        str(HERE / "purchase.py"),
        str(foreign_packages.from_pypi(package)),
    ]


@pytest.mark.parametrize("package", [*PYTHON, *NODE])
def test_an_sdk_of_any_age_buys_lists_refunds_and_verifies(
    stripe_: EmulatorServer, package: str
) -> None:
    program, *rest, folder = command(package)
    done = subprocess.run(
        [program, *rest, stripe_.config.address, KEY, folder],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    version = seen.pop("version")
    assert seen == {
        "status": "paid",
        "types": ["card"],
        "promotion_codes": True,
        "lines": ["Shirt"],
        "charged": 3998,
        "refund": ["succeeded", 999],
        "listed": [True],
        "events": ["charge.refunded", "checkout.session.completed"],
        "event_versions": [version],
    }


def test_dj_stripe_syncs_an_account_and_takes_every_event_of_a_purchase(
    stripe_: EmulatorServer, tmp_path: Path
) -> None:
    packages = str(foreign_packages.from_pypi(DJ_STRIPE))
    client = stripe_.client.v1
    customer = client.customers.create({"email": "ada@example.com", "name": "Ada Buyer"}).id
    buy(stripe_, customer)
    client.payment_methods.attach("pm_card_visa", {"customer": customer})
    client.setup_intents.create({"customer": customer})
    charge = stripe_.a_payment("4000000000000259").latest_charge
    stripe_.emulator.move_clock(5)
    django = subprocess.Popen(
        [
            *(sys.executable, "-I", "-S", str(HERE / "djstripe_project.py")),
            *(stripe_.config.address, DJ_STRIPE_KEY, packages, str(tmp_path)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert django.stdin and django.stdout
    with django:
        try:
            synced = json.loads(django.stdout.readline())
            url = json.loads(django.stdout.readline())["url"]
            buy(stripe_, customer)
            stripe_.emulator.move_clock(5)
            assert stripe_.emulator.dispatcher.wait_until_idle(30)
            django.communicate("\n", timeout=30)
        finally:
            django.kill()

    assert synced["errors"] == ""
    assert charge and [name for name, count in synced["counts"].items() if not count] == []
    answers = {
        (delivery.event_type, attempt.status, attempt.body[:300])
        for delivery in stripe_.emulator.deliveries(limit=200)
        for attempt in delivery.attempts
        if delivery.url == url
    }
    types = {event_type for event_type, _, _ in answers}
    assert {"checkout.session.completed", "charge.refunded", "product.created"} <= types
    assert [answer for answer in answers if answer[1] != 200] == []


def buy(stripe_: EmulatorServer, customer: str) -> None:
    """A purchase by a customer, of a product of the catalogue, and some money back."""
    client = stripe_.client.v1
    product = client.products.create(
        {"name": "Shirt", "default_price_data": {"currency": "usd", "unit_amount": 1999}}
    )
    lines = [{"price": str(product.default_price), "quantity": 1}]
    payment = stripe_.a_payment(customer=customer, line_items=lines)
    client.refunds.create({"payment_intent": payment.id, "amount": 100})
