"""Stripe's API: the only package that imports `stripe`."""
