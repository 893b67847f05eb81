"""What a request may say: form encoding, the table of parameters, limits, what is refused."""
