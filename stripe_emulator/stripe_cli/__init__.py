"""What the official Stripe CLI needs besides the public API: its sessions and WebSocket."""
