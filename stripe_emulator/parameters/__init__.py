"""The parameters of a request: form encoding, the table of parameters, limits, refused
parameters."""
