"""A faithful local stand-in for Stripe Checkout, driven over HTTP by any Stripe SDK.

It imports nothing else of `store`, and nothing of `store` imports it.
"""
