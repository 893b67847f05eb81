"""One module per resource of Stripe's API: its rules and the shape of its object."""
