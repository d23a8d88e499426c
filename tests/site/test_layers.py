"""Each contract on imports is seen to catch what it forbids, in a copy of the code with one line planted."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "palier"

pytestmark = pytest.mark.guard


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("layers")
    shutil.copytree(SOURCE, made / "src" / "palier", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", made)
    return made


def lint(copy: Path, contract: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            str(Path(sys.executable).with_name("lint-imports")),
            "--contract",
            contract,
            "--no-cache",
            "--no-logo",
        ],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("contract", ["floors", "engine", "faces"])
def test_contracts_hold(copy: Path, contract: str) -> None:
    result = lint(copy, contract)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("contract", "module", "line"),
    [
        ("floors", "engine/plan.py", "import palier.ledger.models"),
        ("floors", "members/models.py", "from palier.activities import models as later"),
        ("floors", "ledger/models.py", "import palier.web"),
        ("floors", "activities/models.py", "import palier.vouchers"),
        ("floors", "vouchers/models.py", "from palier.rewards import models as later"),
        ("floors", "rewards/models.py", "import palier.payouts"),
        ("floors", "payouts/models.py", "import palier.privacy"),
        ("floors", "privacy/models.py", "import palier.tills"),
        ("floors", "tills/models.py", "import palier.care"),
        ("floors", "care/models.py", "import palier.insights"),
        ("floors", "insights/models.py", "import palier.api"),
        ("floors", "jobs/worker.py", "import palier.cli"),
        ("floors", "site/ids.py", "import palier.staff.models"),
        ("floors", "staff/models.py", "import palier.site.supervisor"),
        ("engine", "engine/plan.py", "import psycopg"),
        ("engine", "engine/plan.py", "from django.db import models"),
        ("engine", "engine/plan.py", "import palier.site.ids"),
        ("faces", "web/pages.py", "import psycopg"),
        ("faces", "api/__init__.py", "import psycopg"),
    ],
)
def test_a_planted_violation_is_caught(copy: Path, contract: str, module: str, line: str) -> None:
    path = copy / "src" / "palier" / module
    kept = path.read_text()
    try:
        path.write_text(f"{kept}\n\ndef planted() -> None:\n    {line}\n")
        result = lint(copy, contract)
    finally:
        path.write_text(kept)
    assert result.returncode == 1, f"not caught: {line} in {module}\n{result.stdout}{result.stderr}"
    assert "BROKEN" in result.stdout


def test_every_package_has_its_floor() -> None:
    """A new room that no contract names would be free to import anything."""
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    floors = next(contract for contract in configured if contract["id"] == "floors")
    named = {name.strip() for layer in floors["layers"] for name in layer.split("|")}
    packages = {f"palier.{path.parent.name}" for path in SOURCE.glob("*/__init__.py")} - {"palier.site"}
    site = {f"palier.site.{path.stem}" for path in (SOURCE / "site").glob("*.py")} - {"palier.site.__init__"}
    assert packages | site <= named, f"name these in a floor: {sorted((packages | site) - named)}"


def outside_imports(source: str) -> set[str]:
    """Top-level names that `source` imports from neither the standard library, msgspec nor the engine."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module or "")
    return {
        name
        for name in found
        if not name.startswith("palier.engine")
        and name.split(".")[0] not in sys.stdlib_module_names | {"msgspec"}
    }


def test_the_engine_imports_the_standard_library_and_msgspec_only() -> None:
    wrong = {
        str(path.relative_to(SOURCE)): names
        for path in (SOURCE / "engine").rglob("*.py")
        if (names := outside_imports(path.read_text()))
    }
    assert not wrong, f"the engine is pure; pass what it needs as an argument: {wrong}"


def test_the_engine_check_sees_a_foreign_import() -> None:
    assert outside_imports("import json\nimport numpy.linalg\nfrom palier.ledger import x") == {
        "numpy.linalg",
        "palier.ledger",
    }
