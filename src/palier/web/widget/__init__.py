"""What a shop's own pages show of a program: one script, one address that answers it."""
