"""Tables of the vouchers room."""
