"""Suppliers of rewards: what Palier asks of them, how it asks over HTTP, and one to try it with."""
