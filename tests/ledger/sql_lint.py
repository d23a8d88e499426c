"""Reads the SQL in the sources and says which statements would not run on tables spread over machines."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from django.apps import apps

MARK = re.compile(r"--\s*all members:\s*\S+")
COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.S)
STATEMENT = re.compile(r"\s*(select|insert|update|delete|with|merge|truncate|copy)\b", re.I)
BY_MEMBER = re.compile(r"\bmember_id\s*=\s*(any\s*\(\s*)?(%s|%\(|%b|\$\d|\{)", re.I)
WRITE = re.compile(r"\b(insert\s+into|update\s+\w+(\s+\w+)?\s+set|delete\s+from|do\s+update\s+set)\b", re.I)

EVERYWHERE = {
    r"\bmerge\s+into\b": "no MERGE: use insert .. on conflict (columns)",
    r"\b(ctid|xmin|xmax)\b": "no ctid, xmin or xmax: they mean nothing over several machines; use keys",
    r"\breturning\s+(old|new)\s*\.": "no RETURNING old or new: only PostgreSQL 18 knows it",
    r"\blateral\s*\((?:[^()]|\([^()]*\))*\blimit\b": "no LATERAL .. LIMIT: rank with a window function",
    r"\b(rollup|cube|grouping\s+sets)\b": "no ROLLUP, CUBE or GROUPING SETS: one statement for each grouping",
    r"\bwith\s+recursive\b": "no recursive query over members",
    r"\bon\s+conflict\s+on\s+constraint\b": "name the columns of ON CONFLICT, not a constraint",
    r"\bon\s+conflict\s+do\b": "name the columns of ON CONFLICT",
    r"\bon\s+conflict\s*\([^)]*\)\s*where\b": "no partial index as target of ON CONFLICT",
}
IN_WRITES = {
    r"\b(now|\w+_timestamp)\s*\(": "no clock in a write: pass the instant",
    r"\bcurrent_(timestamp|date|time)\b": "no clock in a write: pass the instant",
    r"\b(random|gen_random_uuid|uuidv7|uuidv4)\s*\(": "no randomness in a write: pass the value",
    r"\bnextval\s*\(": "no sequence in a write: ids are made by the application",
}


class Statement(NamedTuple):
    """One SQL string of the sources and where it stands."""

    place: str
    sql: str


def tables(placement: str) -> set[str]:
    """Names of the tables declared with a placement."""
    return {
        model._meta.db_table for model in apps.get_models() if getattr(model, "placement", None) == placement
    }


def statements(source: Path) -> Iterator[Statement]:
    """Every SQL string under `source`, migrations left out: they run once, with the intake stopped."""
    for path in sorted(source.rglob("*.py")):
        if "migrations" not in path.parts:
            yield from statements_of(path.read_text(), str(path.relative_to(source)))
    for path in sorted(source.rglob("*.sql")):
        for number, sql in enumerate(path.read_text().split(";"), 1):
            if STATEMENT.match(COMMENT.sub("", sql)):
                yield Statement(f"{path.relative_to(source)}, statement {number}", sql)


def statements_of(python: str, name: str) -> Iterator[Statement]:
    """Every SQL string of one Python source."""
    tree = ast.parse(python)
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            skipped.update(id(part) for part in node.values)
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            sql = node.value
        elif isinstance(node, ast.JoinedStr):
            sql = "".join(
                part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "{}"
                for part in node.values
            )
        else:
            continue
        if STATEMENT.match(COMMENT.sub("", sql)):
            yield Statement(f"{name}:{node.lineno}", sql)


def problems(statement: Statement) -> list[str]:
    """What is wrong with a statement, each with its remedy."""
    sql = COMMENT.sub(" ", statement.sql)
    names = "|".join(sorted(tables("member")))
    read = re.search(
        rf"\b(from|join|update|using|truncate|copy)\s+(only\s+)?(public\.)?({names})\b"
        rf"|,\s*({names})\s+\w+\s*(,|where|join|$)",
        sql,
        re.I,
    )
    audited = re.search(r"\b(from|join)\s+audit\.(posting|balance|lot|activity|decision)\b", sql, re.I)
    found = []
    # An insert that reads no member table names its members itself.
    if (read or audited) and not BY_MEMBER.search(sql) and not MARK.search(statement.sql):
        table = (read or audited).group(0).strip()  # type: ignore[union-attr]
        found.append(
            f"`{table}` without `member_id = $1` or `member_id = any($1)`: add it beside the join, "
            "or say why not in a comment `-- all members: reason`"
        )
    bans = dict(EVERYWHERE)
    if WRITE.search(sql):
        bans |= IN_WRITES
    found += [remedy for pattern, remedy in bans.items() if re.search(pattern, sql, re.I | re.S)]
    return [f"{statement.place}: {text}" for text in found]
