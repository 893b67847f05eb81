"""The ASGI server around the storefront's pages, and the redirect to Stripe Checkout."""
