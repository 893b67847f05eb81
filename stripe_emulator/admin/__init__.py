"""Controls beside Stripe's API: faults, clock, endpoints, simulated buyers and banks."""
