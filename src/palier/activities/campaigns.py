"""Campaigns as they stand: planned, running, paused or ended, and what of their budgets is used."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct
from psycopg import Connection

from palier.activities import sharing
from palier.activities.runtime import Runtime
from palier.engine.document import Text
from palier.engine.instants import ends_at, starts_at
from palier.engine.plan import Plan
from palier.engine.program import Campaign
from palier.engine.state import NEVER

State = Literal["planned", "running", "paused", "ended"]


class BudgetNow(Struct, frozen=True):
    """A campaign's budget in minor units of the point currency that its rules bring."""

    currency: str
    limit: int
    used: int

    @property
    def left(self) -> int:
        """What may still be given."""
        return max(0, self.limit - self.used)


class CampaignNow(Struct, frozen=True):
    """A campaign of the version in force. `starts_at` 0: from the beginning; `ends_at` NEVER: without end."""

    key: str
    name: Text
    state: State
    starts_at: int
    ends_at: int
    budget: BudgetNow | None


def campaigns(connection: Connection[Any], runtime: Runtime, *, now: int) -> list[CampaignNow]:
    """The campaigns of the version in force, in the order of the document."""
    plan = runtime.at(now)
    used = sharing.used(connection, runtime.program_id) if plan.budgets else {}
    return [_campaign(plan, campaign, used, now) for campaign in plan.document.campaigns]


def _campaign(plan: Plan, campaign: Campaign, used: dict[str, int], now: int) -> CampaignNow:
    starts = starts_at(campaign.active_from, plan.clock) if campaign.active_from is not None else 0
    ends = ends_at(campaign.active_until, plan.clock) if campaign.active_until is not None else NEVER
    state: State = "running"
    if now >= ends:
        state = "ended"
    elif campaign.paused:
        state = "paused"
    elif now < starts:
        state = "planned"
    budget = None
    limit = f"campaign:{campaign.key}"
    if campaign.budget is not None:
        budget = BudgetNow(campaign.rules[0].currency, plan.budgets[limit], used.get(limit, 0))
    return CampaignNow(campaign.key, campaign.name, state, starts, ends, budget)
