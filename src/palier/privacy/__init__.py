"""What a member is asked, told and owed: consents, terms, messages, the export of his data, and his erasure."""
