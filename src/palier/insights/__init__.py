"""Figures of a program: counted up from the ledger as it is sealed, so that a page reads days and never activities."""
