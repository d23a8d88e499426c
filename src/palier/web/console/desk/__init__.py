"""The console's desk: people and roles, API keys, approvals, the audit log, one's own account, the first set-up."""
