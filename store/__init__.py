"""A small shop that sells through Stripe Checkout.

Packages by subject, from the bottom up; each may import those above it in this list and none below
(the import contracts in pyproject.toml hold this):

core            settings, errors, money, clock
db, stripe_api  the database; Stripe's API
catalog         products, editing them, their images
orders          facts from Stripe, status rules, checkout, refunds, history
webhooks        parse an event, queue it, process it once
reconciliation  catch up with Stripe, compare both sides, prune
reports         read only: order views, timeline, charge summary, sales, search, CSV
web             what every page shares: templates, formatting, cookies, responses
backoffice      sign-in, pages, actions, health, tasks
storefront      the server around the pages, the redirect to Stripe
demo            the rehearsal: fault scenarios, sample orders, reset
cli             python -m store: set-up, supervisor, commands

`stripe_emulator`, beside this package, imports nothing of it, and nothing here imports it.
"""

__version__ = "1.0.0"
