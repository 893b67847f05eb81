"""One purchase with whichever version of stripe-python is in the path; prints what it saw.

Started by `test_other_clients.py` with the emulator's address, a key and a folder of packages.
It imports nothing of this project.
"""

import json
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

address, key, packages = sys.argv[1:]
sys.path.insert(0, packages)

import stripe  # noqa: E402 - from the folder

stripe.api_base, stripe.api_key = address, key
stripe.enable_telemetry = False
arrived = []
events = {"checkout.session.completed", "charge.refunded"}
complete = threading.Event()


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        arrived.append((body, self.headers["Stripe-Signature"]))
        self.send_response(200)
        self.end_headers()
        if len(arrived) == len(events):
            complete.set()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Hook)
threading.Thread(target=server.serve_forever, daemon=True).start()
endpoint = stripe.WebhookEndpoint.create(
    url=f"http://127.0.0.1:{server.server_port}/",
    enabled_events=sorted(events),
    api_version=stripe.api_version,
)
# The parameter has another name since this version.
renamed = stripe.api_version >= "2026-09-30"
methods = {"allowed_payment_method_types" if renamed else "payment_method_types": ["card"]}
price = {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Shirt"}}
session = stripe.checkout.Session.create(
    mode="payment",
    line_items=[{"price_data": price, "quantity": 2, "adjustable_quantity": {"enabled": True}}],
    allow_promotion_codes=True,
    phone_number_collection={"enabled": False},
    metadata={"order": "1"},
    success_url="http://127.0.0.1:1/",
    cancel_url="http://127.0.0.1:1/",
    **methods,
)
answers = {"number": "4242424242424242", "expiry": "12/34", "cvc": "123"}
body = json.dumps({**answers, "name": "Ada", "email": "ada@example.com"}).encode()
paying = urllib.request.Request(f"{address}/emulator/sessions/{session.id}/pay", body)
paying.add_header("Content-Type", "application/json")
urllib.request.urlopen(paying).close()

session = stripe.checkout.Session.retrieve(
    session.id, expand=["line_items", "payment_intent.latest_charge", "total_details.breakdown"]
)
refund = stripe.Refund.create(payment_intent=session.payment_intent.id, amount=999)
listed = stripe.checkout.Session.list(limit=1)
assert complete.wait(20)
seen = [stripe.Webhook.construct_event(*each, endpoint.secret) for each in arrived]
sys.stdout.write(
    json.dumps(
        {
            "version": stripe.api_version,
            "status": session.payment_status,
            "types": session.payment_method_types,
            "promotion_codes": session.allow_promotion_codes,
            "lines": [item.description for item in session.line_items.data],
            "charged": session.payment_intent.latest_charge.amount,
            "refund": [refund.status, refund.amount],
            "listed": [each.id == session.id for each in listed.data],
            "events": sorted(event.type for event in seen),
            "event_versions": sorted({event.api_version for event in seen}),
        }
    )
)
