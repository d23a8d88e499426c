"""Papers: documents that people keep, as PDF. What they say comes in as finished texts; here is how it looks.

Set by Typst with the fonts that come with it, so that the same texts give the same bytes on every machine. Texts are
data to the template: nothing in them is ever read as markup.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

Paper = Literal["statement", "receipt"]

_FOLDER: Final = Path(__file__).parent


def pdf(paper: Paper, content: dict[str, Any], *, made_at: datetime) -> bytes:
    """The paper with this content, a tagged PDF; `made_at` is the instant that the document states."""
    return _set(paper, content, made_at, "pdf")[0]


def pictures(paper: Paper, content: dict[str, Any], *, made_at: datetime) -> list[bytes]:
    """The same as PNG, a picture a page, for looking at it."""
    return _set(paper, content, made_at, "png")


def _set(
    paper: Paper, content: dict[str, Any], made_at: datetime, kind: Literal["pdf", "png"]
) -> list[bytes]:
    import typst

    compiler = typst.Compiler(
        str(_FOLDER / f"{paper}.typ"),
        root=str(_FOLDER),
        ignore_system_fonts=True,
        sys_inputs={"content": json.dumps(content, ensure_ascii=False)},
    )
    at = int(made_at.astimezone(UTC).timestamp())
    made = compiler.compile(format=kind, timestamp=at, ppi=110.0 if kind == "png" else None)
    assert made is not None, "without an output the paper is what is answered"
    return [bytes(page) for page in made] if isinstance(made, list) else [bytes(made)]
