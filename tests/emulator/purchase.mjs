// The purchase of purchase.py with stripe-node; prints what it saw.
import http from "node:http";
import { createRequire } from "node:module";

const [address, key, packages] = process.argv.slice(2);
const Stripe = createRequire(`${packages}/`)("stripe");
const { hostname: host, port } = new URL(address);
const stripe = new Stripe(key, { protocol: "http", host, port, telemetry: false });
const version = stripe.getApiField("version");

const events = ["charge.refunded", "checkout.session.completed"];
const arrived = [];
let finished;
const complete = new Promise((resolve) => { finished = resolve; });
const server = http.createServer((request, response) => {
  let body = "";
  request.on("data", (part) => { body += part; });
  request.on("end", () => {
    arrived.push([body, request.headers["stripe-signature"]]);
    response.end();
    if (arrived.length === events.length) finished();
  });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const endpoint = await stripe.webhookEndpoints.create({
  url: `http://127.0.0.1:${server.address().port}/`, enabled_events: events, api_version: version,
});
const created = await stripe.checkout.sessions.create({
  mode: "payment",
  line_items: [{
    price_data: { currency: "usd", unit_amount: 1999, product_data: { name: "Shirt" } },
    quantity: 2,
    adjustable_quantity: { enabled: true },
  }],
  payment_method_types: ["card"],
  allow_promotion_codes: true,
  phone_number_collection: { enabled: false },
  metadata: { order: "1" },
  success_url: "http://127.0.0.1:1/",
  cancel_url: "http://127.0.0.1:1/",
});
await fetch(`${address}/emulator/sessions/${created.id}/pay`, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({
    number: "4242424242424242", expiry: "12/34", cvc: "123", name: "Ada", email: "ada@example.com",
  }),
});
const session = await stripe.checkout.sessions.retrieve(created.id, {
  expand: ["line_items", "payment_intent.latest_charge", "total_details.breakdown"],
});
const refund = await stripe.refunds.create({ payment_intent: session.payment_intent.id, amount: 999 });
const listed = await stripe.checkout.sessions.list({ limit: 1 });
await complete;
const seen = arrived.map(([body, signature]) => (
  stripe.webhooks.constructEvent(body, signature, endpoint.secret)
));
console.log(JSON.stringify({
  version,
  status: session.payment_status,
  types: session.payment_method_types,
  promotion_codes: session.allow_promotion_codes,
  lines: session.line_items.data.map((item) => item.description),
  charged: session.payment_intent.latest_charge.amount,
  refund: [refund.status, refund.amount],
  listed: listed.data.map((each) => each.id === session.id),
  events: seen.map((event) => event.type).sort(),
  event_versions: [...new Set(seen.map((event) => event.api_version))].sort(),
}));
server.close();
server.closeAllConnections();
