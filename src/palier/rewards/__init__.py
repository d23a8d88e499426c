"""Rewards: the catalogue, its stock, members' orders and what they hold from them."""
