"""Why something is not done at a till, as stable codes; pages say each in words with what to do."""

from __future__ import annotations

from enum import StrEnum


class TillRefusal(StrEnum):
    """Codes in the order of precedence."""

    UNKNOWN_DEVICE = "unknown_device"
    """The call bears no device's secret, or one that was never given."""
    DEVICE_REVOKED = "device_revoked"
    """The device was revoked: nothing more is done with it, and what it kept waits for a review."""
    WRONG_CODE = "wrong_code"
    """No device is expected under this code, or it is over."""
    INVALID_KEY = "invalid_key"
    """What a device gave to check its entries by is no public key."""
    NO_SHIFT = "no_shift"
    """Nobody has signed in at this device, or the sign-in has ended."""
    LOCKED = "locked"
    """Nobody touched the till for a while: the person's own short code opens it."""
    TOO_MANY_LOOKUPS = "too_many_lookups"
    """As many members were looked up as one shift may, or too many without anything following."""
    OWN_ACCOUNT = "own_account"
    """The member is the person at the till: a colleague serves him."""
    TOO_OFTEN = "too_often"
    """One person credited one member as often as a day may see."""
    MALFORMED_ENTRY = "malformed_entry"
    """An entry is not of the form that a till signs."""
    WRONG_SIGNATURE = "wrong_signature"
    """An entry was not signed by this device as it stands."""
    ENTRY_DIFFERS = "entry_differs"
    """This number was used for another entry."""
    SET_ASIDE = "set_aside"
    """Somebody reviewed the entry, and set it aside for good."""
    ENTRY_TOO_OLD = "entry_too_old"
    """An entry reaches the server too long after it was made: somebody reviews it."""
    NOT_LOOKED_UP = "not_looked_up"
    """An entry names a member whom this device did not find before it."""
    UNKNOWN_MEMBER = "unknown_member"
    """No member has this card, or the code was never right."""
    CODE_USED = "code_used"
    """The code of the card was used before, at another till or for something else."""
    CODE_NEEDED = "code_needed"
    """The member has not agreed: his code for using points is missing, over, or of another member."""
    NOTHING_OFF = "nothing_off"
    """The reward takes something off a basket, and off this one it takes nothing."""
    UNKNOWN_SALE = "unknown_sale"
    """No sale has this number."""
    SALE_CHANGED = "sale_changed"
    """What would be taken back is not what was shown: another sale was the last, or some of it came back meanwhile."""
    NOTHING_LEFT = "nothing_left"
    """The sale was returned already."""
    UNKNOWN_TICKET = "unknown_ticket"
    """No register announced a basket under this ticket, or it was credited, withdrawn or is over."""


class TillRefused(Exception):
    """Something is not done, and nothing was changed. `code` says why; `wait_s` when it may be tried again."""

    def __init__(self, code: TillRefusal, wait_s: float = 0.0) -> None:
        super().__init__(code.value)
        self.code = code
        self.wait_s = wait_s
