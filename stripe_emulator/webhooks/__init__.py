"""Deliveries of events: planning, signing, sending, retries."""
