"""Care: what members ask about a line of their account, what they answer when asked, and what they wish for."""
