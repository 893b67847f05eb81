"""Orders: facts from Stripe, status rules, checkout, refunds and history."""
