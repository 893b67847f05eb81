"""Webhook events: parsed, queued and processed once."""
