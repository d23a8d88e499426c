"""Members and what is done for them: looking, adjusting, orders, pay-outs, settlements, imports, cases."""
