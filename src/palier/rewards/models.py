"""Tables of the rewards room."""
