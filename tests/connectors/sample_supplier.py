"""The sample supplier as a process of its own, for tests: started, told how to misbehave, asked what it did."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from palier.connectors.suppliers.http import HttpSupplier
from palier.connectors.suppliers.mapping import SupplierDocument
from palier.connectors.suppliers.sample import DOCUMENT, TOKEN
from palier.programs.source import read_yaml
from palier.site.environment import networks

LOOPBACK = networks("127.0.0.0/8")
START = (
    "import sys; from palier.connectors.suppliers.sample import Sample, SampleServer\n"
    "server = SampleServer(Sample(callback=sys.argv[1] or None))\n"
    "print(server.server_address[1], flush=True)\n"
    "server.serve_forever()\n"
)


class Running:
    """A sample supplier that runs."""

    def __init__(self, port: int) -> None:
        self.port = port

    def call(self, method: str, path: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            content = json.dumps(body).encode() if body is not None else None
            connection.request(method, path, content, {"Authorization": f"Bearer {TOKEN}"})
            response = connection.getresponse()
            found = json.loads(response.read())
            assert response.status == 200, (response.status, found)
            return found
        finally:
            connection.close()

    def behave(self, does: str, **more: Any) -> None:
        self.call("POST", "/sample/behaviour", {"do": does, **more})

    def calm(self) -> None:
        self.call("POST", "/sample/behaviour", {})

    def orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", "/sample/orders")["orders"]
        return found

    def document(self, **changes: Any) -> SupplierDocument:
        """The sample's own document, with some settings changed."""
        data = read_yaml(DOCUMENT.read_bytes()).data
        return msgspec.convert(
            {**data, "base_url": f"http://127.0.0.1:{self.port}/v1", **changes}, SupplierDocument
        )

    def supplier(self, **changes: Any) -> HttpSupplier:
        return HttpSupplier(
            self.document(**changes), {"TOKEN": TOKEN}.get, now_s=lambda: int(time.time()), allowed=LOOPBACK
        )


@contextlib.contextmanager
def running(callback: str = "", log: Path | None = None) -> Iterator[Running]:
    """A sample supplier at a free port, ended at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", START, callback], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        yield Running(int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()
