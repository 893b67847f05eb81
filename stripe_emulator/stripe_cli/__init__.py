"""What the official Stripe CLI needs beside the public API: its sessions and WebSocket."""
