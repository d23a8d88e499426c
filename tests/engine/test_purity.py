"""The engine is a pure function of what it is given: no clock, chance, environment, network or binary fraction."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import palier.engine

pytestmark = pytest.mark.guard

FOLDER = Path(palier.engine.__file__).parent
ALLOWED = frozenset(sys.stdlib_module_names) | {"msgspec", "palier"}
FORBIDDEN = frozenset(
    {
        "asyncio",
        "calendar",
        "getpass",
        "http",
        "io",
        "locale",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "platform",
        "random",
        "secrets",
        "select",
        "shutil",
        "socket",
        "sqlite3",
        "ssl",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "urllib",
        "uuid",
    }
)
CLOCKS = frozenset({"now", "today", "utcnow", "fromtimestamp", "utcfromtimestamp"})
CALLS = frozenset({"float", "open", "print", "input", "hash", "id", "exec"})


def faults(source: str) -> list[str]:
    """What keeps a module from being pure, with its line."""
    found = []
    tree = ast.parse(source)
    # How alike two words are is no value: it only picks a suggestion.
    alike = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "cutoff"
    }
    for node in ast.walk(tree):
        where = f"line {getattr(node, 'lineno', 0)}"
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
            if node.level:
                found.append(f"{where}: relative import")
        for name in names:
            root = name.partition(".")[0]
            if root not in ALLOWED or root in FORBIDDEN:
                found.append(f"{where}: import of {name}")
            if root == "palier" and not name.startswith("palier.engine"):
                found.append(f"{where}: import of {name}")
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS:
            found.append(f"{where}: reads a clock ({node.attr})")
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, float | complex)
            and id(node) not in alike
        ):
            found.append(f"{where}: binary fraction {node.value}")
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            found.append(f"{where}: division that makes a binary fraction")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            found.append(f"{where}: call of {node.func.id}()")
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and _negative(node.right):
            found.append(f"{where}: negative power")
        if isinstance(node, ast.Global):
            found.append(f"{where}: global state")
    return found


def _negative(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


@pytest.mark.parametrize("module", sorted(FOLDER.rglob("*.py")), ids=lambda path: path.name)
def test_a_module_of_the_engine_is_pure(module: Path) -> None:
    assert faults(module.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "planted",
    [
        "import time",
        "import random as chance",
        "from os import environ",
        "import locale",
        "import django.db",
        "import psycopg",
        "from palier.site import settings",
        "from palier.ledger.models import Lot",
        "from . import rating",
        "from datetime import datetime\nat = datetime.now()",
        "from datetime import date\nday = date.today()",
        "points = amount / 100",
        "points /= 2",
        "rate = 1.5",
        "points = float(text)",
        "scale = 10 ** -2",
        "key = hash(text)",
    ],
)
def test_a_planted_impurity_is_seen(planted: str) -> None:
    assert faults(planted) != []


def test_what_is_pure_is_left_alone() -> None:
    source = (
        "import msgspec\nfrom datetime import datetime\nfrom palier.engine.amounts import divide\nx = 7 // 2"
    )
    assert faults(source) == []
