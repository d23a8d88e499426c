"""The till: a cashier, a member and a basket, on a tablet behind a counter, with the network or without."""
