"""The one account: its clock, its storage and its scheduled actions."""
