"""An API request from its bytes to its answer: authentication, idempotency, versions, expansion."""
