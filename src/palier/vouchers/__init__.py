"""Vouchers: proofs that whoever shows them may use, and pools of codes brought in from outside."""
