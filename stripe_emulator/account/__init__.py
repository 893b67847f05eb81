"""The one account: its clock, its storage and what is due later."""
