"""Customer loyalty: exact points, explained, on an append-only ledger."""

__version__ = "0.1.0"
