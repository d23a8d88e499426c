"""Members, the identities that find them, and their public references."""
