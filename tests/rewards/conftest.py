"""The sample supplier for tests of this room: one process for each module, calm at the beginning of each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from palier.site.environment import environment
from tests.connectors.sample_supplier import Running, running
from tests.rewards.supplied import Stage


@pytest.fixture(scope="module")
def sample_server() -> Iterator[Running]:
    with running() as found:
        yield found


@pytest.fixture
def stage(
    connection: Connection[Any], sample_server: Running, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    sample_server.calm()
    monkeypatch.setenv("PALIER_PRIVATE_NETWORKS", "127.0.0.0/8")
    environment.cache_clear()
    yield Stage(connection, sample_server, monkeypatch)
    monkeypatch.undo()
    environment.cache_clear()
