"""Catching up with Stripe, comparing both sides, restoring and pruning."""
