"""The catalogues of the gallery: valid, complete in both languages, of every kind, and written as they are read."""

from __future__ import annotations

from pathlib import Path

from palier.engine.plan import Plan
from palier.programs import gallery
from palier.rewards import files
from palier.rewards.document import KINDS
from palier.rewards.quality import quality


def test_catalogues_are_good(tmp_path: Path) -> None:
    stocked = [entry for entry in gallery.entries() if entry.rewards is not None]
    assert "grocery" in {entry.key for entry in stocked}
    for entry in stocked:
        assert entry.rewards is not None
        program = entry.program()
        found = files.read(entry.rewards, program)
        assert found.problems == ()
        assert found.program == entry.key
        findings = {finding.code for reward in found.rewards for finding in quality(reward, Plan(program, 1))}
        assert findings <= {"no_picture"}
        (tmp_path / "again.yaml").write_text(files.write(entry.key, found.rewards), encoding="utf-8")
        assert files.read(tmp_path / "again.yaml", program).rewards == found.rewards


def test_the_grocery_has_every_kind() -> None:
    entry = gallery.find("grocery")
    assert entry is not None
    assert entry.rewards is not None
    found = files.read(entry.rewards, entry.program()).rewards
    assert {reward.kind for reward in found} == set(KINDS)
