"""Tills: the devices at which staff serve members, who works there, and what is kept while the network is away."""
