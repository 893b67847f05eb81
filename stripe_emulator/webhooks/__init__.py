"""Deliveries of events: preparing, signing, sending, retries."""
