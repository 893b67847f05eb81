"""The ASGI server around the storefront's page, and the redirect to Stripe Checkout."""
