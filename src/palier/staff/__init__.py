"""API keys, idempotency of writes over HTTP, and the log of what staff and integrations did."""
