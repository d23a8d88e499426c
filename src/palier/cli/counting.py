"""Counted things in the English sentences of commands that speak no other language."""


def counted(count: int, one: str, several: str = "") -> str:
    """A number with its noun: "1 member", "1,234 members"; `several` where it is more than `one` and an s."""
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"
