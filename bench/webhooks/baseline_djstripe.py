"""Yardstick: dj-stripe's endpoint, and a receiver that marks the order paid.

Runs in a virtual environment of its own, so it imports nothing of this project.
`python -m bench.webhooks.baseline_djstripe` makes the tables; with a PORT it serves.

dj-stripe asks Stripe for each object that an event is about. Here that question is answered at
once from the event itself, which is faster than any network, and the event names no payment, for
which it would ask as well.
"""

import json
import os
import sys
import threading
import uuid

import django
import stripe
import waitress
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import include, path

ENDPOINT = uuid.UUID(int=1)
KEY = "sk_test_" + "benchmark0" * 4
SECRET = os.environ["STRIPE_WEBHOOK_SECRET"]

settings.configure(
    DATABASES={"default": {**json.loads(os.environ["DJANGO_DATABASE"]), "CONN_MAX_AGE": None}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "djstripe"],
    # Says how long an answer is; else waitress ends the connection after each.
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="benchmark",  # noqa: S106 - nobody signs in here
    USE_TZ=True,
    STRIPE_TEST_SECRET_KEY=KEY,
    STRIPE_LIVE_MODE=False,
    DJSTRIPE_FOREIGN_KEY_TO_FIELD="id",
    LOGGING_CONFIG=None,  # nothing but errors, on the standard error
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from djstripe import models, signals  # noqa: E402
from djstripe.event_handlers import djstripe_receiver  # noqa: E402

urlpatterns = [path("stripe/", include("djstripe.urls", namespace="djstripe"))]
current = threading.local()


def remember(instance: models.WebhookEventTrigger, **_more: object) -> None:
    current.session = instance.json_body["data"]["object"]


def retrieve(**_question: object) -> stripe.checkout.Session:
    return stripe.checkout.Session.construct_from(current.session, KEY)


signals.webhook_pre_process.connect(remember)
stripe.checkout.Session.retrieve = retrieve


@djstripe_receiver("checkout.session.completed")
def settle(event: models.Event, **_more: object) -> None:
    number = event.data["object"]["metadata"]["order_number"]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE orders SET status = 'paid' WHERE number = %s", [number])


def prepare() -> None:
    """Make the tables, the endpoint, and the account behind the key, so that nobody asks for it."""
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE orders (number varchar(40) PRIMARY KEY, status varchar(20) NOT NULL)"
        )
    account = models.Account.objects.create(
        id="acct_benchmark", livemode=False, stripe_data={"id": "acct_benchmark"}
    )
    models.APIKey.objects.create(
        id="key_benchmark",
        secret=KEY,
        type="secret",
        livemode=False,
        djstripe_owner_account=account,
    )
    models.WebhookEndpoint.objects.create(
        id="we_benchmark",
        livemode=False,
        secret=SECRET,
        url="http://127.0.0.1/",
        enabled_events=["*"],
        status="enabled",
        djstripe_uuid=ENDPOINT,
        djstripe_owner_account=account,
    )


if __name__ == "__main__":
    if len(sys.argv) == 1:
        prepare()
    else:
        # SQLite lets one writer in at a time, and threads that wait for its lock are slower.
        threads = 1 if connection.vendor == "sqlite" else 8
        waitress.serve(
            get_wsgi_application(), host="127.0.0.1", port=int(sys.argv[1]), threads=threads
        )
