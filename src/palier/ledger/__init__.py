"""The ledger: transfers, what they leave in wallets, lots and holds, and the proof that all of it agrees."""
