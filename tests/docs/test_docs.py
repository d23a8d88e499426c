"""What the documents name exists, what exists is documented, and their blocks run."""

from __future__ import annotations

import ast
import contextlib
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

import palier.cli
from palier.engine import refusals
from palier.engine.refusals import RefusalCode
from palier.site import embedded
from palier.site.environment import Environment
from tests.site.test_serve import Served, free_port, wait_for

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
START = ROOT / "docs" / "start.md"
API = ROOT / "docs" / "guides" / "api.md"
OPERATIONS = ROOT / "docs" / "operations.md"
REFUSALS = ROOT / "docs" / "reference" / "refusals.md"

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```", re.M | re.S)


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path) -> list[tuple[str, str]]:
    """(kind, content) of each fenced block."""
    return [(found[1].strip(), found[2]) for found in _FENCE.finditer(text(path))]


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as they are made where the pages are shown."""
    found = set()
    for line in _FENCE.sub("", text(path)).splitlines():
        if line.startswith("#"):
            title = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower())
            found.add(title.replace(" ", "-"))
    return found


# --- links ------------------------------------------------------------------------------------------------


@pytest.mark.guard
@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in _LINK.findall(_FENCE.sub("", text(path))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        found = (path.parent / name).resolve() if name else path
        assert found.exists(), f"{path.name} links to {target}, which is not there"
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found), f"{path.name} links to {target}: no such heading"


@pytest.mark.guard
def test_files_named_in_the_documents_exist() -> None:
    for path in PAGES:
        for name in re.findall(r"`((?:docs|gallery|requirements)/[\w./-]+\.\w+)`", text(path)):
            assert (ROOT / name).exists(), f"{path.name} names {name}, which is not there"


# --- commands ---------------------------------------------------------------------------------------------


def application() -> Any:
    app = typer.Typer(add_completion=False)
    for name in palier.cli.MODULES:
        importlib.import_module(f"palier.cli.{name}").register(app)
    return get_command(app)


def commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every command that is shown, by its words."""
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            if command.invoke_without_command:
                yield prefix + name, command
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield prefix + name, command


def named_commands(path: Path) -> set[str]:
    """What a page names as `palier ...`, in code."""
    spans = re.findall(r"`(palier [^`\n]+)`", _FENCE.sub("", text(path)))
    lines = [
        line.strip()
        for kind, content in blocks(path)
        if kind.split(" ")[0] in ("sh", "")
        for line in content.splitlines()
        if line.strip().startswith("palier ")
    ]
    return {found.split("   #")[0].strip() for found in [*spans, *lines]}


@pytest.mark.guard
@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_named_exist_with_their_options(path: Path) -> None:
    known = dict(commands(application()))
    for line in named_commands(path):
        words = shlex.split(line)[1:]
        if words and words[0].startswith("-"):
            continue
        groups = {name.rpartition(" ")[0] for name in known if " " in name}
        found = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in known), None)
        assert found or words[0] in groups, f"{path.name} names `{line}`: there is no such command"
        if found is None:
            continue
        options = {name for option in known[found].params for name in [*option.opts, *option.secondary_opts]}
        for word in words:
            if word.startswith("--"):
                assert word.split("=")[0] in options, f"{path.name} names `{line}`: no option {word}"


@pytest.mark.guard
def test_every_command_is_in_the_table() -> None:
    rows = set(re.findall(r"^\| `palier ([^`]+)` \|", text(OPERATIONS), re.M))
    assert rows == {name for name, _ in commands(application())}, "docs/operations.md: mend the table"


@pytest.mark.guard
def test_make_targets_named_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text(ROOT / "Makefile"), re.M))
    for path in PAGES:
        for name in re.findall(r"(?:^|`)make ([a-z-]+)\b", text(path), re.M):
            assert name in targets, f"{path.name} names `make {name}`, which is not there"


# --- reference --------------------------------------------------------------------------------------------


def refusal_rows(page: str) -> dict[str, tuple[str, str, str]]:
    found = re.findall(r"^\| `(\w+)` \| ([^|]+) \| (yes|no) \| ([^|]+) \|$", page, re.M)
    return {code: (meaning, settles, remedy) for code, meaning, settles, remedy in found}


def check_refusals(page: str) -> None:
    rows = refusal_rows(page)
    missing = [code.value for code in RefusalCode if code.value not in rows]
    assert not missing, f"docs/reference/refusals.md lacks a row for {missing}"
    assert list(rows) == [code.value for code in RefusalCode], "rows stand in the order of precedence"
    for code in RefusalCode:
        assert rows[code.value][1] == ("yes" if code.claims else "no"), f"{code.value}: settles its id?"


@pytest.mark.guard
def test_every_refusal_is_described() -> None:
    check_refusals(text(REFUSALS))


@pytest.mark.guard
def test_a_new_refusal_without_its_row_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    page = re.sub(r"^\| `hold_closed` .*\n", "", text(REFUSALS), flags=re.M)
    with pytest.raises(AssertionError, match="hold_closed"):
        check_refusals(page)
    monkeypatch.setattr(refusals, "_CLAIMING", frozenset())
    with pytest.raises(AssertionError, match="settles"):
        check_refusals(text(REFUSALS))


@pytest.mark.guard
def test_every_field_of_an_activity_is_described() -> None:
    from palier.activities.wire import WireActivity

    page = text(API).partition("## An activity\n")[2].partition("\n## ")[0]
    told = {name for row in re.findall(r"^\| (`.+?) \|", page, re.M) for name in re.findall(r"`(\w+)`", row)}
    assert told == set(WireActivity.__struct_fields__), "docs/guides/api.md: mend the table of fields"


@pytest.mark.guard
def test_every_variable_is_described() -> None:
    rows = dict(re.findall(r"^\| `(PALIER_\w+)` \| ([^|]+) \|", text(OPERATIONS), re.M))
    known = {f"PALIER_{name.upper()}": field for name, field in Environment.model_fields.items()}
    assert set(rows) == set(known), "docs/operations.md: mend the table of variables"
    for name, field in known.items():
        if field.default is None:
            continue
        told = rows[name].strip().strip("`")
        assert told == str(field.default).lower() or told == str(field.default), f"{name}: its default"


@pytest.mark.guard
def test_variables_that_the_code_reads_are_described() -> None:
    page = text(OPERATIONS)
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(text(path))):
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, str) and re.fullmatch(r"PALIER_[A-Z_]+[A-Z]", value):
                assert f"`{value}`" in page, f"{path.name} reads {value}: describe it"


@pytest.mark.guard
def test_tables_stand_at_their_placement() -> None:
    from django.apps import apps

    page = text(ROOT / "ARCHITECTURE.md")
    told = {
        name: placement
        for placement, names in re.findall(r"^\| (member|key|config|queue) \| [^|]+ \| (.+) \|$", page, re.M)
        for name in re.findall(r"`(\w+)`", names)
    }
    found = {
        model._meta.db_table: str(getattr(model, "placement"))  # noqa: B009 - declared by each model
        for model in apps.get_models()
        if hasattr(model, "placement")
    }
    assert told == found, "ARCHITECTURE.md: mend the table of placements"


@pytest.mark.guard
def test_limits_are_as_told() -> None:
    from palier.activities import batch, wire
    from palier.api import intake
    from palier.engine.amounts import MAXIMUM_MINOR
    from palier.engine.clock import DAY, MINUTE

    page = text(OPERATIONS)
    for figure in (
        f"{wire.MAX_LINES:,}",
        f"{wire.MAX_ITEMS:,}",
        f"{wire.LONGEST_TEXT} characters",
        f"{MAXIMUM_MINOR:,} minor units",
        f"{wire.FUTURE_ALLOWED // MINUTE} minutes",
        f"{intake.MOST_WAITING_MB} MB, some 20,000; beyond",
        f"{batch.PARKED_FOR // DAY} days",
    ):
        assert f"| {figure}" in page, f"docs/operations.md does not say {figure}"


@pytest.mark.guard
def test_decisions_are_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = text(folder / "README.md")
    for path in folder.glob("[0-9]*.md"):
        assert path.name in listed, f"docs/decisions/README.md does not list {path.name}"
        assert "**Decision.**" in text(path)
        assert "**Why.**" in text(path)
        assert "**Cost.**" in text(path)


@pytest.mark.guard
def test_versions_agree() -> None:
    assert f"## {palier.__version__}" in text(ROOT / "CHANGELOG.md")


# --- blocks that run --------------------------------------------------------------------------------------


def test_json_and_yaml_blocks_can_be_read() -> None:
    from palier.programs.source import read_yaml

    for path in PAGES:
        for kind, content in blocks(path):
            if kind == "json":
                json.loads(content)
            elif kind.startswith("yaml"):
                read_yaml(content.encode())


@pytest.fixture
def served() -> Iterator[Served]:
    """A small served instance: the gallery's grocery program, no history, and a key in KEY."""
    directory = Path(tempfile.mkdtemp(prefix="palier-docs-", dir="/var/tmp"))
    directory.chmod(0o711)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PALIER_")}
    environment = {**kept, "PALIER_DATA_DIR": str(directory), "PALIER_SHARED_BUFFERS_MB": "64"}
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "palier", "serve", "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    instance = Served(directory, port, process)
    try:
        wait_for("the platform serves", instance.healthy)
        program = ROOT / "gallery" / "grocery" / "program.yaml"
        run(["palier", "apply", "--yes", str(program)], environment)
        key = run(["palier", "keys", "create", "grocery", "--name", "docs", "--right", "all"], environment)
        environment |= {"KEY": key.strip(), "PALIER": f"http://127.0.0.1:{port}"}
        instance.environment = environment  # type: ignore[attr-defined]
        yield instance
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
        process.kill()
        embedded.Server(directory).stop()
        shutil.rmtree(directory, ignore_errors=True)


def run(command: list[str] | str, environment: dict[str, str]) -> str:
    """What a command or a block prints; it must end well."""
    if isinstance(command, list):
        command = [sys.executable, "-m", *command] if command[0] == "palier" else command
    else:
        command = ["sh", "-euc", command]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


# What an answer has in common with the one that the page shows: not its ids and instants.
VARIES = {"member", "enrolled_at", "redemption", "created_at", "source", "id"}


def shape(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {name: "..." if name in VARIES else shape(value) for name, value in answer.items()}
    return [shape(item) for item in answer] if isinstance(answer, list) else answer


@pytest.mark.slow
def test_the_first_calls_run_and_answer_as_shown(served: Served) -> None:
    environment: dict[str, str] = served.environment  # type: ignore[attr-defined]
    answers: list[Any] = []
    ran = 0
    for kind, content in blocks(START):
        if kind == "sh":
            answers.append(json.loads(run(content, environment)))
            environment["MEMBER"] = answers[0]["member"]
            ran += 1
        elif kind == "json":
            shown = json.loads(content)
            assert shape(answers[-1]).keys() == shape(shown).keys()
            if "rules" not in shown:
                assert shape(answers[-1]) == shape(shown)
            else:
                # On a Wednesday a third rule earns as well; the first two are as shown.
                assert answers[-1]["rules"][:2] == shown["rules"]
                assert answers[-1]["status"] == "applied"
        elif kind == "sh cli":
            for line in content.splitlines():
                assert run(shlex.split(line), environment)
                ran += 1
    assert ran >= 8


@pytest.mark.slow
def test_the_activities_of_the_api_guide_are_applied(served: Served) -> None:
    environment: dict[str, str] = served.environment  # type: ignore[attr-defined]
    call = "curl -s \"$PALIER/v1/%s\" -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' -d '%s'"
    run(call % ("members", '{"identities": {"card": "2801234"}}'), environment)
    sent = [content for kind, content in blocks(API) if kind == "json" and '"occurred_at"' in content]
    assert [json.loads(content)["type"] for content in sent] == ["sale", "return", "return"]
    for content in sent:
        answer = json.loads(run(call % ("activities", content), environment))
        assert answer.get("status") == "applied", answer
