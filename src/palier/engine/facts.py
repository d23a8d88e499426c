"""Facts: activities and commands as the engine takes them, every amount an integer in minor units.

A fact is what is stored with an activity and what its content hash covers, so its encoded form is part of
the platform's permanent record: fields are only ever added, with a default that leaves old bytes alike.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from palier.engine.state import MemberState

SALE = "sale"
RETURN = "return"
VISIT = "visit"
FEE = "fee"
FRIEND_CONVERTED = "friend_converted"
ACTS = frozenset({FEE, "opt_in", "opt_out", "save_for", "play", "quiz", "paired", "unpaired"})
"""What members do in mechanics that a program declares: sent like any activity, with attributes of their own."""
PLAYED = frozenset({"play", "quiz"})
"""Acts that are decided when they are made: like commands, they carry the server's instant."""
OCCASIONS = frozenset({"joined", "birthday", "anniversary", "friend_joined", FRIEND_CONVERTED})
"""What the platform notices and makes an activity of; rules and goals may act on them."""
RELAYED = frozenset({"pair_act"})
"""What one member's activity brings about for another, beside friend_joined and friend_converted."""
MADE = OCCASIONS | RELAYED | {"paired", "unpaired"}
"""What only the platform makes."""
BUILT_IN = frozenset({SALE, RETURN, VISIT}) | ACTS | OCCASIONS | RELAYED
AWARDS = frozenset({"dividend", "prize"})
"""What is awarded to members by a run over all of them."""
LEFT = "left"
"""The end of a membership: what is left lapses, and nothing counts any more."""
UNMERGED = "unmerged"
MERGING = frozenset({"merge_out", "merge_in", UNMERGED})
"""What happens to two members that are found to be one: both sides of a merge, and its undoing."""
COMMANDS = (
    frozenset({"redeem", "hold", "capture", "release", "refund", "adjust", "transfer_out", "transfer_in"})
    | frozenset({"grant_tier", "revoke_tier"})
    | AWARDS
    | MERGING
    | {LEFT}
)
DERIVED = frozenset(
    {"released", "expired", "tier_changed", "hold_expired", "correction", "streak_saved", "streak_lapsed"}
)
OWN_SOURCE = "palier"
"""The source of what the platform itself decides; refused from outside."""
MADE_SOURCE = "palier:made"
"""The source of facts that the platform makes: occasions, and what one member's activity is for another."""


class Line(Struct, frozen=True, omit_defaults=True):
    """One line of a sale: `amount` in minor units of money, before sharing out basket-level differences."""

    category: str = ""
    sku: str = ""
    quantity: int = 0
    amount: int = 0
    kind: str = "product"


class Reference(Struct, frozen=True):
    """The permanent id of another activity."""

    source: str
    id: str


class Tender(Struct, frozen=True, omit_defaults=True):
    """One means of payment; a `points` tender names the redemption that paid."""

    kind: str
    amount: int
    redemption: Reference | None = None


class ReturnedLine(Struct, frozen=True, omit_defaults=True):
    """What is given back of one line (0-based): an amount of money, a number of units, or both added."""

    line: int
    amount: int = 0
    quantity: int = 0


class MovedLot(Struct, frozen=True):
    """A part of a lot that moves to another member, with its fate."""

    lot: int
    amount: int
    expires_at: int
    lapses_at: int
    funder: str
    first_earned: int
    idle: bool = False


class LapsedLot(Struct, frozen=True):
    """What expired of a lot that goes to another member with all the rest: a late return still finds it there."""

    currency: str
    lot: int
    amount: int
    expires_at: int
    lapses_at: int
    funder: str
    first_earned: int


class Whole(Struct, frozen=True, omit_defaults=True):
    """All that a member was when it was merged into another: its standing, and what had expired of its lots."""

    state: MemberState
    lapsed: tuple[LapsedLot, ...] = ()


class Fact(Struct, frozen=True, omit_defaults=True):
    """One activity or command of one member.

    `at` is the instant in microseconds UTC. Money fields are minor units of the program's currency:
    `amount` is all that was paid, with `tax` and `shipping` inside, `discount` already taken off, and any
    points part among the tenders. `points` (of `currency`, minor units) belongs to commands, and may be
    negative for an adjustment. `sale` is what a return or a release activity names (`whole` returns all of
    it); `hold` what a capture or release names; `undoes` the redemption (or the hold that became one) of a
    refund, or the given tier that is taken back. `brings` is what a merge moves, on both sides; `merge` names the
    side that is undone. `ticket_number` is what the till itself names a sale by.
    """

    source: str
    id: str
    type: str
    at: int
    amount: int = 0
    tax: int = 0
    shipping: int = 0
    discount: int = 0
    lines: tuple[Line, ...] = ()
    tenders: tuple[Tender, ...] = ()
    channel: str | None = None
    location: str | None = None
    partner: str | None = None
    attributes: dict[str, str | int | bool] = {}
    sale: Reference | None = None
    returned: tuple[ReturnedLine, ...] = ()
    whole: bool = False
    points: int = 0
    currency: str = ""
    hold: Reference | None = None
    hold_until: int = 0
    moved: tuple[MovedLot, ...] = ()
    reason: str = ""
    actor: str = ""
    other_member: str = ""
    ticket_number: str | None = None
    merge: Reference | None = None
    brings: Whole | None = None
    undoes: Reference | None = None

    @property
    def rank(self) -> int:
        """0 for activities, 1 for commands, which come after activities of the same instant."""
        return 1 if self.type in COMMANDS else 0


class Judgement(Struct, frozen=True, omit_defaults=True):
    """What an activity that came too late was judged by, as of its own instant, recorded with it."""

    version: int
    tier: str
    rooms: dict[str, int] = {}
    carry: dict[str, tuple[int, int]] = {}
    nth: dict[str, int] = {}
    memberships: tuple[str, ...] = ()


class Inputs(Struct, frozen=True, omit_defaults=True):
    """What is recorded beside a fact so that judging it again gives the same answer.

    `acts_at` is the instant at which it acts when that is not its own (too late); `judgement` what it is
    then judged by; `member` the member's attributes and `segments` the segments it was in. `zone` is the member's
    own time zone then; `draw` the random bytes drawn for it, in hexadecimal; `allotted` what it may use, and
    after its first decision did use, of each limit that all members share; and which of them cut it.
    """

    acts_at: int = 0
    judgement: Judgement | None = None
    member: dict[str, str | int | bool] = {}
    segments: tuple[str, ...] = ()
    zone: str = ""
    draw: str = ""
    allotted: dict[str, int] = {}


NO_INPUTS = Inputs()


class Known(Struct, frozen=True):
    """A fact with its recorded inputs and the platform's id for it."""

    fact: Fact
    inputs: Inputs = NO_INPUTS
    activity_id: int = 0


encode_fact = msgspec.json.Encoder(order="deterministic").encode
decode_fact = msgspec.json.Decoder(Fact).decode
encode_inputs = msgspec.json.Encoder(order="deterministic").encode
decode_inputs = msgspec.json.Decoder(Inputs).decode
