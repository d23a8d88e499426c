"""Tables of the pay-outs room."""
