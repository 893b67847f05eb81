"""Stripe Checkout on a laptop, driven over HTTP by any Stripe SDK. Imports nothing of `store`.

base/        ids, errors, models, currencies, test cards
storage/     the SQLite file: transactions, the request log, the file lock
parameters/  form encoding, the table of parameters, limits, refused parameters
resources/   one module per resource of the API
checkout/    what a buyer does on the payment page, and its effects
account/     the one account: clock, storage, scheduled actions
webhooks/    preparing, signing, sending and retrying deliveries
api/         an API request from its bytes to its response
admin/       the control API beside Stripe's API
stripe_cli/  sessions and WebSockets of the official Stripe CLI
web/         the payment page, receipts, the dashboard
"""
