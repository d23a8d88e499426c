"""What is required of the product, as ratios against floors of the same run, or as limits."""

from __future__ import annotations

from typing import Literal

import msgspec


class Target(msgspec.Struct, frozen=True):
    """A measure, what it is divided by (a floor, or another measure), and what is required and aimed at.

    Without `against` the measure itself is compared: at least so many per second, or at most so many ms.
    """

    title: str
    measure: str
    against: str | None
    required: float
    aim: float
    unit: Literal["ratio", "per_s", "ms"] = "ratio"

    def met(self, value: float, wanted: float) -> bool:
        """Whether `value` (a ratio, a rate or a latency) reaches `wanted`."""
        return value <= wanted if self.unit == "ms" else value >= wanted


TARGETS = (
    Target("HTTP intake, one activity a request, 64 connections", "http_single", "F1", 0.6, 1.0),
    Target("the same, against one transaction a request", "http_single", "http_one_transaction", 2.5, 4),
    Target("its p99 at 64 connections", "http_single_p99_64", None, 25, 10, "ms"),
    Target("its p99 at 256 connections", "http_single_p99_256", None, 80, 35, "ms"),
    Target("HTTP intake, batches of 500, 4 connections", "http_batch", "F2", 0.5, 1.0),
    Target("import of a file, full work", "import", "F3", 0.3, 0.6),
    Target("backtest, one core", "backtest", "F6", 0.3, 0.75),
    Target("backtest, all cores, per core", "backtest_all_cores_per_core", "backtest", 0.8, 0.95),
    Target("engine with 20 rules instead of 5", "engine_20_rules", "engine_5_rules", 0.5, 0.7),
    Target(
        "with 20 rules, 3 goals and a streak instead of 5", "engine_mechanics", "engine_5_rules", 0.2, 0.5
    ),
    Target("intake at 10 M activities instead of 1 M", "intake_at_10m", "intake_at_1m", 0.65, 0.85),
    Target("wallet read over HTTP, 1 M members", "wallet_read", "F5", 0.3, 0.6),
    Target("browsing 300,000 rewards over HTTP, p95", "browse_p95", None, 100, 50, "ms"),
    Target("a member's pages over HTTP, 1 M members, p95", "pages_p95", None, 200, 100, "ms"),
    Target("expiry of 1 M lots, intake running", "expiry", None, 20_000, 60_000, "per_s"),
    Target("intake's p99 meanwhile", "intake_p99_during_expiry", None, 250, 100, "ms"),
    Target("Zipf-distributed members", "intake_zipf", "intake_uniform", 0.9, 1.0),
    Target("all activities of one partner", "intake_one_partner", "intake_uniform", 0.9, 1.0),
)
