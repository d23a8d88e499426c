"""Programs: their published documents and which version judges which instants."""
