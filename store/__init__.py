"""A small shop that sells through Stripe Checkout."""

__version__ = "1.0.0"
