"""A Django project with dj-stripe: syncs an account, then takes webhooks; prints what it has.

Started by `test_other_clients.py` with the emulator's address, a key, a folder of packages and one
for its database. After it printed its webhook's address it waits for a line on its standard
input. It imports nothing of this project.
"""

import io
import json
import sys
import threading
import uuid

address, key, packages, folder = sys.argv[1:]
sys.path.insert(0, packages)

from wsgiref.simple_server import WSGIRequestHandler, make_server  # noqa: E402

import django  # noqa: E402 - from the folder
from django.conf import settings  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import include, path  # noqa: E402

MODELS = (
    "Account Product Price Customer PaymentMethod PaymentIntent Charge Refund BalanceTransaction "
    "Session Event SetupIntent Dispute"
).split()

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder}/db.sqlite"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "djstripe"],
    MIGRATION_MODULES=dict.fromkeys(("contenttypes", "auth", "djstripe")),  # made at once
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="of a test",
    USE_TZ=True,
    STRIPE_API_HOST=address,
    STRIPE_TEST_SECRET_KEY=key,
    STRIPE_LIVE_MODE=False,
    DJSTRIPE_FOREIGN_KEY_TO_FIELD="id",
    LOGGING_CONFIG=None,
)
django.setup()

import stripe  # noqa: E402
from django.core.management import call_command  # noqa: E402
from djstripe import models  # noqa: E402

stripe.api_base = address
stripe.enable_telemetry = False
ENDPOINT = uuid.UUID(int=1)
urlpatterns = [path("stripe/", include("djstripe.urls", namespace="djstripe"))]


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def counts():
    return {name: getattr(models, name).objects.count() for name in MODELS}


def say(**words):
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def sync():
    said, errors = io.StringIO(), io.StringIO()
    call_command("djstripe_sync_models", *MODELS, stdout=said, stderr=errors)
    return errors.getvalue()


call_command("migrate", verbosity=0, run_syncdb=True)
say(errors=sync(), counts=counts())
server = make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/stripe/webhook/{ENDPOINT}/"
made = stripe.WebhookEndpoint.create(api_key=key, url=url, enabled_events=["*"])
models.WebhookEndpoint.objects.create(
    id=made.id,
    livemode=False,
    secret=made.secret,
    url=url,
    enabled_events=["*"],
    status="enabled",
    djstripe_uuid=ENDPOINT,
    djstripe_owner_account=models.Account.objects.get(),
)
say(url=url)
sys.stdin.readline()
say(counts=counts(), triggers=models.WebhookEventTrigger.objects.filter(processed=True).count())
