"""Pictures as pages show them: the stored ones that a document names, and a drawing where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.templatetags.static import static

from palier.activities.runtime import Runtime
from palier.engine.document import Picture
from palier.engine.words import ProgramWords
from palier.programs import pictures
from palier.programs.pictures import Kept
from palier.rewards.document import Reward
from palier.staff.session import AnyConnection

DRAWINGS: Final[Mapping[str, str]] = {
    "percent_off": "percent",
    "amount_off": "percent",
    "product": "gift",
    "service": "sparkles",
    "entitlement": "badge-check",
    "gift_card": "banknote",
    "merchandise": "package",
    "experience": "calendar",
    "donation": "heart",
    "tier_upgrade": "trending-up",
    "subscription": "calendar",
    "bundle": "layers",
    "mystery": "circle-help",
    "choice": "list-checks",
    "sweepstake": "ticket",
    "payout": "coins",
    "course": "book-open",
}
"""What stands in for the picture of a reward that has none, by its kind."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture of a page: the addresses of its sizes, what it shows in the reader's language, and its proportions."""

    small: str
    medium: str
    large: str
    alt: str
    width: int
    height: int
    icon: str = ""

    @property
    def widths(self) -> tuple[int, int, int]:
        """How wide the three sizes are, in points."""
        longest = max(self.width, self.height)
        return (
            max(1, self.width * min(longest, 96) // longest),
            max(1, self.width * min(longest, 480) // longest),
            self.width,
        )

    @property
    def srcset(self) -> str:
        """All sizes with their widths, for the browser to choose from."""
        chosen = dict(zip(self.widths, (self.small, self.medium, self.large), strict=True))
        return ", ".join(f"{address} {width}w" for width, address in chosen.items())


def _shown(kept: Kept, picture: Picture, words: ProgramWords) -> Shown:
    return Shown(
        kept.address("small"),
        kept.address("medium"),
        kept.address("large"),
        words.text(picture.alt),
        kept.width,
        kept.height,
        kept.address("icon") if kept.has_icon else "",
    )


def logo(connection: AnyConnection, runtime: Runtime, words: ProgramWords) -> Shown | None:
    """The program's logo; None where it has none, or none that is stored here."""
    brand = runtime.latest.program.brand
    if brand is None or brand.logo is None:
        return None
    found = pictures.known(connection, runtime.program_id, runtime.key, [brand.logo])
    kept = found.get(brand.logo.source)
    return _shown(kept, brand.logo, words) if kept is not None else None


def stored(
    connection: AnyConnection, runtime: Runtime, named: Sequence[Picture], words: ProgramWords
) -> dict[str, Shown]:
    """Those of these pictures that are stored here, by the address they are named by."""
    found = pictures.known(connection, runtime.program_id, runtime.key, named)
    return {item.source: _shown(found[item.source], item, words) for item in named if item.source in found}


def of_rewards(
    connection: AnyConnection, runtime: Runtime, rewards: list[Reward], words: ProgramWords
) -> dict[str, Shown]:
    """The pictures of rewards by their key, those that are stored here; one question for all."""
    found = pictures.known(
        connection, runtime.program_id, runtime.key, [reward.picture for reward in rewards]
    )
    return {
        reward.key: _shown(found[reward.picture.source], reward.picture, words)
        for reward in rewards
        if reward.picture is not None and reward.picture.source in found
    }


def installed(logo: Shown | None) -> list[dict[str, str]]:
    """The icons of a page that is installed on a phone: the logo's own, or the usual drawing."""
    if logo is None or not logo.icon:
        return [{"src": static("ui/app.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "any"}]
    # The logo leaves so much room that a phone may cut the icon round.
    return [
        {"src": logo.icon, "sizes": "512x512", "type": "image/png", "purpose": purpose}
        for purpose in ("any", "maskable")
    ]


def drawing_for(reward: Reward) -> str:
    """The drawing that stands in for a reward's picture."""
    return DRAWINGS.get(reward.kind, "gift")
