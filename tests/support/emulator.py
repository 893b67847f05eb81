"""The emulator under uvicorn in a thread, and the real SDK that drives it."""

import http.client
import json
import urllib.error
import urllib.request
from email.message import Message
from typing import Any

import stripe

from stripe_emulator.app import create_app
from stripe_emulator.base.config import Config
from stripe_emulator.base.models import PaymentResult
from stripe_emulator.emulator import Emulator
from tests.support.server_thread import ServerThread

KEY = "sk_test_emulator0123456789"
VISA = "4242424242424242"
DECLINED = "4000000000000002"
SUCCESS = "http://127.0.0.1:1/order?session_id={CHECKOUT_SESSION_ID}"


class EmulatorServer:
    """One emulator, served; with shortcuts for what tests do all the time."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.app = create_app(config)
        self.emulator: Emulator = self.app.state.emulator
        self._server = ServerThread(self.app, host=config.host, port=config.port, date_header=False)
        self.client = self.sdk()

    def sdk(self, key: str = KEY, retries: int = 0) -> stripe.StripeClient:
        """The real SDK, with nothing special about it but the address."""
        return stripe.StripeClient(
            key,
            base_addresses={"api": self.config.address},
            max_network_retries=retries,
        )

    def stop(self) -> None:
        """Stop serving and close the account."""
        self._server.stop()

    # --- what tests do all the time ----------------------------------------------------------

    def a_session(self, key: str | None = None, **changes: Any) -> stripe.checkout.Session:
        """A session for two shirts, 39.98 in all."""
        params = session_params(**changes)
        options: Any = {"idempotency_key": key} if key else {}
        return self.client.v1.checkout.sessions.create(params, options)

    def pay(self, session_id: str, number: str = VISA) -> PaymentResult:
        """Pay as the pay page does."""
        return self.emulator.checkout.pay_with_card(
            session_id,
            number=number,
            expiry="12 / 34",
            cvc="1234" if number.startswith("3") else "123",
            name="Ada Buyer",
            email="ada@example.com",
        )

    def a_payment(self, number: str = VISA, **changes: Any) -> stripe.PaymentIntent:
        """A paid session's PaymentIntent, with its charge inside."""
        session = self.a_session(**changes)
        assert self.pay(session.id, number).outcome == "succeeded"
        return self.intent_of(session.id)

    def intent_of(self, session_id: str) -> stripe.PaymentIntent:
        """The PaymentIntent of a session, with its charge inside."""
        session = self.client.v1.checkout.sessions.retrieve(
            session_id, {"expand": ["payment_intent.latest_charge"]}
        )
        assert isinstance(session.payment_intent, stripe.PaymentIntent)
        return session.payment_intent

    def charge_of(self, intent: stripe.PaymentIntent) -> stripe.Charge:
        """The one charge of an intent, as it is now."""
        (charge,) = self.client.v1.charges.list({"payment_intent": intent.id}).data
        return charge

    def event_types(self) -> list[str]:
        """The types of all events, oldest first."""
        events = self.client.v1.events.list({"limit": 100}).auto_paging_iter()
        return [str(event.type) for event in events][::-1]

    def raw(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, Message, bytes]:
        """A request without the SDK: status, headers, body."""
        sent = {"Authorization": f"Bearer {KEY}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.config.address + path, body, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.headers, refusal.read()

    def post_form(self, path: str, body: bytes) -> tuple[int, Message]:
        """What a page's form does in a browser, without following a redirect."""
        connection = http.client.HTTPConnection(self.config.host, self.config.port, timeout=20)
        try:
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            response.read()
            return response.status, response.headers
        finally:
            connection.close()

    def control(self, method: str, path: str, **body: Any) -> Any:
        """A call of the controls under /emulator."""
        text = json.dumps(body).encode() if body else b"{}"
        status, _, answer = self.raw(
            method, f"/emulator/{path}", text, Content_Type="application/json"
        )
        assert status == 200, answer
        return json.loads(answer)


def session_params(**changes: Any) -> Any:
    """Parameters of a session for two shirts."""
    price = {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Red T-Shirt"}}
    return {
        "mode": "payment",
        "success_url": SUCCESS,
        "cancel_url": "http://127.0.0.1:1/cart",
        "line_items": [{"price_data": price, "quantity": 2}],
        "metadata": {"order": "1001"},
        "payment_intent_data": {"metadata": {"order": "1001"}},
    } | changes


def line(amount: int, currency: str = "usd", quantity: int = 1, name: str = "Thing") -> Any:
    """One inline line item."""
    price = {"currency": currency, "unit_amount": amount, "product_data": {"name": name}}
    return {"price_data": price, "quantity": quantity}
