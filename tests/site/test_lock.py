"""The committed locks carry what pyproject.toml asks for, and name no registry."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

pytestmark = pytest.mark.guard


def locked(name: str) -> dict[str, list[Version]]:
    found: dict[str, list[Version]] = {}
    text = (ROOT / "requirements" / name).read_text()
    for package, version in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ \\;]+)", text, re.MULTILINE):
        found.setdefault(canonicalize_name(package), []).append(Version(version))
    return found


@pytest.mark.parametrize("name", ["runtime.txt", "dev.txt"])
def test_the_lock_has_what_the_project_asks_for(name: str) -> None:
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["demo"]]
    if name == "dev.txt":
        wanted += PROJECT["dependency-groups"]["dev"]
    versions = locked(name)
    stale = [
        line
        for line in wanted
        if not any(
            Requirement(line).specifier.contains(version)
            for version in versions.get(canonicalize_name(Requirement(line).name), [])
        )
    ]
    assert not stale, f"run `make lock`: {stale}"


@pytest.mark.parametrize("name", ["runtime.txt", "dev.txt"])
def test_the_lock_names_no_host_and_hashes_everything(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    assert "://" not in text
    for block in re.split(r"\n(?=\S)", text):
        if "==" in block and not block.startswith("#"):
            assert "--hash=sha256:" in block, block.splitlines()[0]
