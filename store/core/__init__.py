"""Settings, errors, money, clock: what every package uses; imports no other package."""
