"""Stripe Checkout on a laptop, driven over HTTP by any Stripe SDK. Imports nothing of `store`.

base/        ids, errors, models, currencies, test cards
storage/     the SQLite file: transactions, the request log, the file's lock
parameters/  form encoding, the table of parameters, limits, what is refused
resources/   one module per resource of the API
checkout/    what a buyer does on the payment page, and what comes of it
account/     the one account: its clock, its storage, what is due later
webhooks/    planning, signing, sending and retrying deliveries
api/         a request from its bytes to its answer
admin/       the controls beside Stripe's API
web/         the payment page, receipts, the dashboard
"""
