"""Planted faults: a run over a platform with one of them must not come out clean."""

from __future__ import annotations

import contextlib

import pytest

from tests.crash import plants, test_cuts, test_kills
from tests.crash.harness import Figures, Instance, served
from tests.crash.proxy import CUT_AFTER, CUT_BEFORE

pytestmark = pytest.mark.crash
PATIENCE_S = 12.0


def test_every_planted_change_still_fits_the_code() -> None:
    for changes in (
        plants.REPLY_BEFORE_COMMIT,
        plants.NO_UNIQUE_CLAIM,
        plants.CLAIM_APART,
        plants.EFFECT_BEFORE_CLAIM_IS_SETTLED,
    ):
        with plants.copy(changes) as package:
            assert (package / "palier").is_dir()


def caught(figures: Figures, *by: str) -> None:
    """The run did not come out clean, and one of these says why."""
    assert any(getattr(figures, name) for name in by), figures.told()


def test_a_reply_before_the_commit_is_caught() -> None:
    with plants.copy(plants.REPLY_BEFORE_COMMIT) as package, served(package=package) as instance:
        figures = test_kills.run(instance, ["web process", "postmaster"] * 4, seed=3)
    caught(figures, "lost")


def test_commits_that_do_not_wait_for_the_disk_are_caught() -> None:
    # Served as if somebody had accepted it; without that, `palier serve` and `palier verify` refuse.
    with served(accept_data_loss=True) as instance:
        with contextlib.closing(instance.connect("postgres")) as superuser:
            superuser.execute("alter role palier_app set synchronous_commit = off")
        figures = test_kills.run(instance, ["web process", *["postmaster"] * 8], seed=3)
    caught(figures, "lost", "mismatches")


def test_ids_that_are_not_unique_are_caught() -> None:
    def drop(instance: Instance) -> None:
        with contextlib.closing(instance.connect("postgres")) as superuser:
            superuser.execute("alter table activity_claim drop constraint activity_claim_pkey")

    with plants.copy(plants.NO_UNIQUE_CLAIM) as package:
        figures = test_cuts.run(
            [("COMMIT", CUT_AFTER)] * 8, seed=3, package=package, prepare=drop, patience_s=PATIENCE_S
        )
    caught(figures, "doubled")


def test_an_id_taken_in_a_transaction_of_its_own_is_caught() -> None:
    with plants.copy(plants.CLAIM_APART) as package:
        figures = test_cuts.run(
            [("activities.insert_activities", CUT_BEFORE)] * 6, seed=3, package=package, patience_s=PATIENCE_S
        )
    caught(figures, "lost", "defects")


def test_refusals_noted_in_a_transaction_of_their_own_are_caught() -> None:
    with plants.copy(plants.EFFECT_BEFORE_CLAIM_IS_SETTLED) as package:
        figures = test_cuts.run(
            [("activities.settle_claims", CUT_BEFORE)] * 6, seed=3, package=package, patience_s=PATIENCE_S
        )
    caught(figures, "lost", "ghosts", "violations", "defects")
