"""An API request from its bytes to its response: authentication, idempotency, versions,
expansion."""
