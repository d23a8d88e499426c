"""A served installation under load, killed again and again: nothing acknowledged is lost, nothing is doubled.

`Instance` is a `palier serve` with a data directory of its own and every durable setting on. `Load` sends
sales, returns, late activities, redemptions, holds, adjustments and transfers from several clients and
remembers of each id what it was told; what was not answered is sent again, with the same id, until it is.
`Judge` then compares what was told with what the auditor finds, and balances with a fold of its own.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
import psutil
import psycopg
import yaml

from palier.activities.wire import from_mapping, to_fact
from palier.engine.facts import COMMANDS, OWN_SOURCE, Fact, Known, decode_fact, decode_inputs
from palier.engine.history import fold
from palier.engine.plan import Plan, Timeline
from palier.engine.program import Program
from palier.engine.refusals import Refusal
from palier.engine.state import NEVER, decode_state
from palier.members import refs
from palier.site import embedded
from palier.site.environment import DATA_LOSS_ACCEPTED
from tests.activities.test_batch_order import standing

PATIENCE_S: Final = 90.0
PROGRAM: Final[dict[str, Any]] = {
    "palier": 1,
    "key": "shop",
    "name": {"en": "Shop", "fr": "Boutique"},
    "time_zone": "Europe/Paris",
    "currency": "EUR",
    "effective_from": "2020-01-01T00:00:00+01:00",
    "point_currencies": [
        {
            "key": "stars",
            "name": {"en": {"one": "star", "other": "stars"}, "fr": {"one": "étoile", "other": "étoiles"}},
            "scale": 2,
            "expiry": {"kind": "end_of_month", "after_months": 12},
            "transferable": True,
        }
    ],
    "rules": [
        {
            "key": "base",
            "name": {"en": "Base", "fr": "Base"},
            "on": "sale",
            "currency": "stars",
            "per_spend": {"points": "1", "every": "1.00"},
            "caps": {"day": "400"},
        }
    ],
    "tiers": {
        "tiers": [
            {"key": "green", "name": {"en": "Green", "fr": "Vert"}},
            {
                "key": "gold",
                "name": {"en": "Gold", "fr": "Or"},
                "qualify": {"all": [{"metric": "spend", "at_least": "500.00"}]},
            },
        ],
        "window": {"kind": "rolling", "days": 365},
    },
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    until = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"not within {patience_s} s: {what}")
        time.sleep(0.02)


# --- what is killed ---------------------------------------------------------------------------------------


class Instance:
    """A `palier serve`; with `package`, from a copy of the platform's source that stands in that folder.

    With `database_url` it is served on that database, which somebody else keeps alive.
    """

    def __init__(self, *, package: Path | None = None, accept_data_loss: bool = False) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="palier-crash-", dir="/var/tmp"))
        self.directory.chmod(0o711)
        self.port = free_port()
        self.server = embedded.Server(self.directory)
        self.database_url: str | None = None
        self._package = package
        self._accept_data_loss = accept_data_loss
        self._log = (self.directory / "serve.log").open("ab")
        self.process: subprocess.Popen[bytes] | None = None
        self.token = ""

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PALIER_")}
        if self._package is not None:
            kept["PYTHONPATH"] = str(self._package)
        more = {
            "PALIER_DATA_DIR": str(self.directory),
            "PALIER_SHARED_BUFFERS_MB": "64",
            "PALIER_API_RATE": "1000000",
            "PALIER_WEB_DEADLINE_S": "10",
        }
        if self._accept_data_loss:
            more["PALIER_ACCEPT_DATA_LOSS"] = DATA_LOSS_ACCEPTED
        if self.database_url is not None:
            more["PALIER_DATABASE_URL"] = self.database_url
        return {**kept, **more}

    def run(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
        """A `palier` command on this installation; its output. It must end with one of these codes."""
        done = subprocess.run(
            [sys.executable, "-m", "palier", *arguments],
            env=self.environment(),
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode in codes, (
            f"palier {' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
        return done.stdout

    def serve(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "palier", "serve", "--port", str(self.port)],
            env=self.environment(),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        wait_for("the first answer", self.answers)

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"serve ended: {self.said()[-2000:]}"
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
            try:
                connection.request("GET", "/health")
                return connection.getresponse().status == 200
            finally:
                connection.close()
        return False

    def said(self) -> str:
        return (self.directory / "serve.log").read_text(errors="replace")

    def prepare(self) -> None:
        """Publishes the program and makes a key; the database must run."""
        path = self.directory / "program.yaml"
        path.write_text(yaml.safe_dump(PROGRAM, allow_unicode=True))
        self.run("apply", str(path), "--yes")
        self.token = json.loads(
            self.run("keys", "create", "shop", "--name", "load", "--right", "all", "--json")
        )["key"]

    def connect(self, role: str = "auditor") -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.server.dsn("palier", role), autocommit=True)

    def verify(self) -> dict[str, Any]:
        """What `palier verify` finds."""
        found: dict[str, Any] = json.loads(self.run("verify", "--json", codes=(0, 1)))
        return found

    # --- kills ------------------------------------------------------------------------------------------

    def child(self, word: str) -> psutil.Process:
        """The supervisor's child of this name, once it is there."""
        found: list[psutil.Process] = []

        def look() -> bool:
            assert self.process is not None
            with contextlib.suppress(psutil.Error):
                for process in psutil.Process(self.process.pid).children():
                    with contextlib.suppress(psutil.Error):
                        if word in process.cmdline()[3:4]:
                            found[:] = [process]
                            return True
            return False

        wait_for(f"the {word} process", look)
        return found[0]

    def kill(self, target: str) -> float:
        """SIGKILLs one part of the running installation, once it is there; the instant (monotonic)."""
        killed: list[float] = []

        def tried() -> bool:
            killed[:] = [time.monotonic()]
            return self._kill(target)

        wait_for(f"{target} to kill", tried)
        return killed[0]

    def _kill(self, target: str) -> bool:
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if target == "web process":
                # A process that serves, or one that writes.
                inner = self.child("web").children()
                if not inner:
                    return False
                os.kill(random.choice(inner).pid, signal.SIGKILL)
            elif target in ("web", "worker"):
                os.kill(self.child(target).pid, signal.SIGKILL)
            elif target == "postmaster":
                os.kill(self._postmaster(), signal.SIGKILL)
            elif target == "immediate stop":
                os.kill(self._postmaster(), signal.SIGQUIT)
            elif target == "backend":
                return self._kill_backend()
            elif target == "everything":
                assert self.process is not None
                self.process.kill()
                self.process.wait()
                wait_for("nothing left", lambda: not self.left())
                self.serve()
            else:
                raise ValueError(target)
            return True
        return False

    def _postmaster(self) -> int:
        wait_for("the postmaster", lambda: self.server.pid() is not None)
        found = self.server.pid()
        assert found is not None
        return found

    def _kill_backend(self) -> bool:
        """One backend that serves the platform, if possible one within a transaction."""
        with contextlib.suppress(psycopg.Error), self.connect("postgres") as connection:
            row = connection.execute(
                "select pid from pg_stat_activity where application_name = 'palier' and pid <> pg_backend_pid()"
                " order by state = 'active' desc, xact_start is not null desc, random() limit 1"
            ).fetchone()
            if row is not None:
                os.kill(row[0], signal.SIGKILL)
                return True
        return False

    def left(self) -> list[psutil.Process]:
        """Processes of this installation that run."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE and (
                    str(self.directory) in " ".join(process.cmdline())
                    or process.environ().get("PALIER_DATA_DIR") == str(self.directory)
                ):
                    found.append(process)
        return found

    def stop(self) -> None:
        """Ends everything and removes the data."""
        try:
            if self.process is not None and self.process.poll() is None:
                self.process.terminate()
                try:
                    self.process.wait(60)
                except subprocess.TimeoutExpired:
                    self.process.kill()
                    self.process.wait()
            self.server.stop()
            until = time.monotonic() + 20
            while (left := self.left()) and time.monotonic() < until:
                time.sleep(0.1)
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
        finally:
            self._log.close()
            shutil.rmtree(self.directory, ignore_errors=True)


@contextlib.contextmanager
def served(**options: Any) -> Iterator[Instance]:
    """A running instance with its program and key, ended and removed at the end."""
    instance = Instance(**options)
    try:
        instance.serve()
        instance.prepare()
        yield instance
    finally:
        instance.stop()


# --- the load ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Sent:
    """One activity or command: what was sent, and what was told about it in the end.

    `told`: applied, parked, refused or None while unknown; `unknown` counts answers that told nothing, and
    `committed` is whether the answer after one was that of an earlier time.
    """

    kind: str
    source: str
    id: str
    member: int
    content: dict[str, Any]
    path: str = "/v1/activities"
    other: int = -1
    key: str | None = None
    told: str | None = None
    code: str = ""
    first: str = ""
    unknown: int = 0
    committed: bool | None = None
    hold: str = ""


Request = list[Sent]


class Load:
    """Clients that send, each over a connection of its own, until they are told to stop."""

    def __init__(
        self,
        instance: Instance,
        *,
        clients: int = 4,
        members: int = 24,
        seed: int = 1,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.instance = instance
        self.sent: list[Sent] = []
        self.acked_at: float = 0.0
        """When the last request was sent that was answered with success."""
        self.statuses: Counter[int] = Counter()
        self.broken = 0
        self.defects: list[str] = []
        self._seed = seed
        self._patience_s = patience_s
        self._clients = clients
        self._count = members
        self.members: list[str] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def enrol(self) -> None:
        """Enrols the members; whatever happens, each once."""
        caller = _Caller(self)
        for number in range(self._count):
            while True:
                status, answer = caller.call(
                    "POST", "/v1/members", {"identities": {"card": f"card-{number}"}}
                )
                if status in (200, 201):
                    break
                time.sleep(0.1)
            self.members.append(answer["member"])

    def start(self) -> None:
        self._threads = [
            threading.Thread(target=self._client, args=(number,), daemon=True)
            for number in range(self._clients)
        ]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Lets each client end with a definite answer to all that it sent."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(PATIENCE_S + 30)
        assert not any(thread.is_alive() for thread in self._threads), "a client does not get its answer"

    def recovered(self, since: float, patience_s: float = PATIENCE_S) -> float:
        """Waits for a success of a request sent after `since` (monotonic); the milliseconds it took."""
        wait_for("a success after the kill", lambda: self.acked_at > since or self.defects, patience_s)
        return (time.monotonic() - since) * 1000

    def _client(self, number: int) -> None:
        script = _Script(self, number)
        caller = _Caller(self)
        try:
            while not self._stopping.is_set() and not self.defects:
                request = script.next()
                with self._lock:
                    self.sent += request
                self._until_told(caller, request)
                script.learn(request)
                time.sleep(0.002)
        except Exception as error:
            self.defects.append(f"client {number}: {type(error).__name__}: {error}")
            raise

    def _until_told(self, caller: _Caller, request: Request) -> None:
        until = time.monotonic() + self._patience_s
        while True:
            began = time.monotonic()
            status, answer = caller.send(request)
            with self._lock:
                self.statuses[status] += 1
            if status and _definite(request, status, answer):
                with self._lock:
                    self.acked_at = max(self.acked_at, began)
                return
            if status == 500 or answer.get("code") == "not_applied":
                self.defects.append(f"{status} {answer} for {[item.id for item in request]}")
            for item in request:
                item.unknown += 1
            if time.monotonic() > until:
                self.defects.append(
                    f"no definite answer for {[item.id for item in request]}: {status} {answer}"
                )
            if self.defects:
                return
            time.sleep(0.05)


def _definite(request: Request, status: int, answer: dict[str, Any]) -> bool:
    """Notes what was told, where it was; False where the request must be sent again."""
    if status in (408, 409, 425, 429) or status >= 500:
        return False
    if request[0].path == "/v1/activities":
        if status != 200:
            raise AssertionError(f"{status} {answer}")
        for item, result in zip(request, answer["results"], strict=True):
            assert (result["source"], result["id"]) == (item.source, item.id), result
            item.first = result["status"]
            if result["status"] == "duplicate":
                item.told = "refused" if "code" in result else "applied" if "points" in result else "parked"
            else:
                item.told = result["status"]
            item.code = result.get("code", "")
    else:
        item = request[0]
        item.first = "duplicate" if answer.get("_replayed") else "applied"
        if status in (200, 201):
            item.told = "applied"
            item.hold = answer.get("redemption", answer.get("id", ""))
        else:
            item.told, item.code = "refused", answer.get("code", "")
    for item in request:
        if item.unknown:
            item.committed = item.first == "duplicate"
    return True


class _Caller:
    """One keep-alive connection, made anew after each failure."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._connection: http.client.HTTPConnection | None = None

    def send(self, request: Request) -> tuple[int, dict[str, Any]]:
        first = request[0]
        if first.path == "/v1/activities":
            return self.call("POST", first.path, [item.content for item in request])
        return self.call("POST", first.path, first.content, first.key)

    def call(self, method: str, path: str, body: Any, key: str | None = None) -> tuple[int, dict[str, Any]]:
        """Status and JSON of an answer; status 0 where there was none."""
        headers = {"Authorization": f"Bearer {self._load.instance.token}", "Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(
                    "127.0.0.1", self._load.instance.port, timeout=15
                )
            self._connection.request(method, path, json.dumps(body), headers)
            response = self._connection.getresponse()
            content = response.read()
            answer = json.loads(content) if content else {}
            if isinstance(answer, dict) and response.headers.get("Idempotency-Replayed"):
                answer["_replayed"] = True
            return response.status, answer
        except (OSError, http.client.HTTPException, ValueError):
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            with self._load._lock:
                self._load.broken += 1
            return 0, {}


class _Script:
    """What one client sends, decided by its own dice."""

    def __init__(self, load: Load, number: int) -> None:
        self._load = load
        self._number = number
        self._chance = random.Random(f"{load._seed} {number}")
        self._next = 0
        self._sales: list[Sent] = []
        self._holds: list[Sent] = []
        self._spent: list[Sent] = []
        self._later: list[Sent] = []

    def next(self) -> Request:
        chance = self._chance.random()
        if self._holds and chance < 0.5:
            return [self._close(self._holds.pop())]
        if self._later and chance < 0.7:
            # The sale of a return that was sent before it.
            return [self._later.pop(0)]
        if chance < 0.6:
            return [self._activity() for _ in range(self._chance.choice((1, 1, 2, 5, 20)))]
        if chance < 0.75:
            return [self._command("redemption", "/v1/redemptions")]
        if chance < 0.85:
            return [self._command("hold", "/v1/redemptions", capture=False)]
        if chance < 0.93:
            return [self._adjustment()]
        return [self._transfer()]

    def learn(self, request: Request) -> None:
        for item in request:
            if item.kind == "sale" and item.told == "applied":
                self._sales.append(item)
                del self._sales[:-50]
            elif item.kind == "redemption" and item.told == "applied":
                self._spent.append(item)
            elif item.kind == "hold" and item.told == "applied" and item.hold:
                self._holds.append(item)

    def _id(self) -> str:
        self._next += 1
        return f"{self._number}-{self._next}"

    def _member(self) -> int:
        return self._chance.randrange(len(self._load.members))

    def _activity(self) -> Sent:
        if self._chance.random() < 0.2 and self._sales:
            return self._return(self._chance.choice(self._sales))
        sale = self._sale()
        if self._spent and self._chance.random() < 0.3:
            self._pay(sale, self._spent.pop())
        if self._chance.random() < 0.08:
            # Its return goes first, and waits for it.
            self._later.append(sale)
            return self._return(sale)
        return sale

    def _sale(self) -> Sent:
        member = self._member()
        identifier = self._id()
        # Late by up to ten days now and then: what came after is decided anew.
        late = timedelta(hours=self._chance.randrange(240)) if self._chance.random() < 0.15 else timedelta()
        content = {
            "source": "till",
            "id": identifier,
            "type": "sale",
            "occurred_at": (datetime.now(UTC) - late).isoformat(),
            "member": self._load.members[member],
            "amount": f"{self._chance.randrange(1, 90)}.{self._chance.randrange(100):02}",
        }
        return Sent("sale", "till", identifier, member, content)

    def _pay(self, sale: Sent, redemption: Sent) -> None:
        """Has a half of the sale paid with points that were redeemed before."""
        sale.member = redemption.member
        content = sale.content
        content["member"] = self._load.members[sale.member]
        cents = round(float(content["amount"]) * 100)
        parts = (cents // 2, cents - cents // 2)
        half, rest = (f"{part // 100}.{part % 100:02}" for part in parts)
        content["tenders"] = [
            {
                "kind": "points",
                "amount": half,
                "redemption": {"source": redemption.source, "id": redemption.id},
            },
            {"kind": "cash", "amount": rest},
        ]

    def _return(self, sale: Sent) -> Sent:
        identifier = self._id()
        content: dict[str, Any] = {
            "source": "till",
            "id": identifier,
            "type": "return",
            "occurred_at": datetime.now(UTC).isoformat(),
            "member": self._load.members[sale.member],
            "sale": {"source": sale.source, "id": sale.id},
        }
        if self._chance.random() < 0.5:
            content["whole"] = True
        else:
            content["amount"] = f"{self._chance.randrange(1, 30)}.00"
        return Sent("return", "till", identifier, sale.member, content)

    def _named(self, kind: str, path: str, member: int, content: dict[str, Any], other: int = -1) -> Sent:
        identifier = self._id()
        content = {"currency": "stars", "source": "till", "id": identifier, **content}
        return Sent(kind, "till", identifier, member, content, path, other, key=f"key-{identifier}")

    def _points(self) -> str:
        return f"{self._chance.randrange(1, 150)}.{self._chance.randrange(100):02}"

    def _command(self, kind: str, path: str, **more: Any) -> Sent:
        member = self._member()
        content = {"member": self._load.members[member], "points": self._points(), **more}
        return self._named(kind, path, member, content)

    def _adjustment(self) -> Sent:
        member = self._member()
        sign = self._chance.choice(("", "-"))
        content = {"member": self._load.members[member], "points": sign + self._points(), "reason": "a test"}
        return self._named("adjustment", "/v1/adjustments", member, content)

    def _transfer(self) -> Sent:
        members = self._load.members
        sender, receiver = self._chance.sample(range(len(members)), 2)
        content = {"from": members[sender], "to": members[receiver], "points": self._points()}
        return self._named("transfer", "/v1/transfers", sender, content, receiver)

    def _close(self, hold: Sent) -> Sent:
        """Captures or releases a hold: its id follows from the Idempotency-Key."""
        kind = self._chance.choice(("capture", "release"))
        key = f"end-{hold.id}"
        source = f"api:{self._load.instance.token.split('_')[1]}"
        path = f"/v1/redemptions/{hold.hold}/{kind}"
        return Sent(kind, source, f"{kind}:{key}", hold.member, {}, path, key=key)


# --- the judgement ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Figures:
    """What a run of kills showed. Recovery in milliseconds from the kill to the first success sent after it."""

    points: Counter[str] = field(default_factory=Counter)
    recovery_ms: list[float] = field(default_factory=list)
    recovery_of: dict[str, list[float]] = field(default_factory=dict)
    sent: int = 0
    acked: int = 0
    present: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    ghosts: list[str] = field(default_factory=list)
    refused: int = 0
    unknown: int = 0
    unknown_committed: int = 0
    balances: int = 0
    mismatches: list[str] = field(default_factory=list)
    violations: list[Any] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    defects: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (
            self.lost or self.doubled or self.ghosts or self.mismatches or self.violations or self.defects
        )

    def recovered(self, part: str, milliseconds: float) -> None:
        self.points[part] += 1
        self.recovery_ms.append(milliseconds)
        self.recovery_of.setdefault(part, []).append(milliseconds)

    def told(self) -> str:
        recovery = self.recovery_ms or [0.0]
        return (
            f"{sum(self.points.values())} points ({', '.join(f'{n} {k}' for k, n in self.points.items())}); "
            f"{self.sent} sent, {self.acked} acknowledged, {self.present} of them present, "
            f"{len(self.lost)} lost, {len(self.doubled)} doubled, {self.refused} refused, "
            f"{len(self.ghosts)} of those present; {self.unknown} unknown at first, of them "
            f"{self.unknown_committed} committed; {self.balances} members folded anew, "
            f"{len(self.mismatches)} differ; {len(self.violations)} violations; recovery median "
            f"{median(recovery):.0f} ms, longest {max(recovery):.0f} ms ("
            + ", ".join(f"{part} {median(ms):.0f}/{max(ms):.0f}" for part, ms in self.recovery_of.items())
            + f"); statuses {dict(self.statuses)}"
            + "".join(
                f"\n{name}: {found[:5]}"
                for name, found in (
                    ("lost", self.lost), ("doubled", self.doubled), ("ghosts", self.ghosts),
                    ("mismatches", self.mismatches), ("violations", self.violations), ("defects", self.defects),
                )
                if found
            )
        )  # fmt: skip


def judge(instance: Instance, load: Load, figures: Figures) -> Figures:
    """Compares what the clients were told with what the auditor finds in the ledger."""
    figures.defects = load.defects
    figures.statuses = dict(load.statuses)
    figures.sent = len(load.sent)
    with instance.connect() as auditor:
        wait_for("settled returns", lambda: not _settled(auditor), 60)
        claims: dict[tuple[str, str], list[str]] = {}
        for source, identifier, status in auditor.execute(
            "select source, external_id, status from audit.activity where program = 'shop'"
        ):
            claims.setdefault((source, identifier), []).append(status)
        decided: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
        for row in auditor.execute(
            "select source, external_id, member_id, activity_id, type, payload::text, inputs::text from activity"
        ):
            decided.setdefault((row[0], row[1]), []).append(row)
        states = dict(auditor.execute("select member_id, state from progress").fetchall())
        own_ids = [key for key in decided if key[0] != OWN_SOURCE]
    sent = {(item.source, item.id): item for item in load.sent}
    for key, item in sent.items():
        rows, statuses = decided.get(key, []), claims.get(key, [])
        name = f"{item.kind} {key[0]} {key[1]}"
        if len(rows) > 1 or len(statuses) > 1:
            figures.doubled.append(name)
        if item.unknown:
            figures.unknown += 1
            figures.unknown_committed += bool(item.committed)
        if item.told in ("applied", "parked"):
            figures.acked += 1
            settled = statuses == ["parked"] if not rows else statuses == ["applied"]
            if settled and (rows or item.told == "parked"):
                figures.present += 1
            else:
                figures.lost.append(f"{name}: told {item.told}, found {statuses} with {len(rows)} decisions")
        elif item.told == "refused":
            figures.refused += 1
            if rows or statuses not in ([], ["refused"]):
                figures.ghosts.append(f"{name}: told {item.code}, found {statuses}")
    unsent = [key for key in own_ids if key not in sent and not key[1].endswith(":in")]
    figures.ghosts += [f"nobody sent {key}" for key in unsent]
    _compare_balances(load, decided, states, figures)
    figures.violations = instance.verify()["violations"]
    return figures


def _settled(auditor: psycopg.Connection[Any]) -> int:
    """Returns that wait although their sale is there."""
    row = auditor.execute(
        "select count(*) from parked_activity k join activity_claim c on c.external_id = k.sale_external_id"
        " and c.source = k.sale_source and c.program_id = k.program_id and c.status = 'applied'"
    ).fetchone()
    assert row is not None
    return int(row[0])


def _compare_balances(
    load: Load,
    decided: dict[tuple[str, str], list[tuple[Any, ...]]],
    states: dict[int, bytes],
    figures: Figures,
) -> None:
    """Folds what was acknowledged, from what was sent, and compares with the stored states."""
    plan = Plan(msgspec.convert(PROGRAM, Program), 1)
    timeline = Timeline([(0, NEVER, plan)])
    known: dict[int, list[Known]] = {refs.decode(ref): [] for ref in load.members}
    now = time.time_ns() // 1000
    for item in load.sent:
        rows = decided.get((item.source, item.id), [])
        if item.told not in ("applied", "parked") or not rows:
            continue
        _, _, member_id, activity_id, kind, payload, inputs = rows[0]
        stored = decode_fact(payload)
        fact = stored if kind in COMMANDS else _fact(item, timeline, now)
        if (
            fact != stored
            or refs.encode(member_id) != load.members[item.member]
            or not _as_asked(item, stored)
        ):
            figures.mismatches.append(f"{item.kind} {item.id}: sent {item.content}, stored {payload}")
        if inputs:
            figures.mismatches.append(f"{item.kind} {item.id} was judged as of its own instant: {inputs}")
        known[member_id].append(Known(fact, decode_inputs(inputs or "{}"), activity_id))
        if item.kind == "transfer":
            mate = decided.get((item.source, f"{item.id}:in"), [])
            receiver = refs.decode(load.members[item.other])
            if len(mate) != 1 or mate[0][2] != receiver:
                figures.lost.append(f"the receiver's half of transfer {item.id}")
                continue
            known[receiver].append(Known(decode_fact(mate[0][5]), activity_id=mate[0][3]))
    for member_id, knowns in known.items():
        stored_state = decode_state(states[member_id])
        whole = fold(timeline, knowns)
        whole.advance(stored_state.due_done)
        figures.balances += 1
        if standing(stored_state) != standing(whole.state):
            figures.mismatches.append(
                f"{refs.encode(member_id)}: stored {standing(stored_state)}, folded {standing(whole.state)}"
            )


def _fact(item: Sent, timeline: Timeline, now: int) -> Fact | None:
    wire = from_mapping(item.content)
    assert not isinstance(wire, Refusal), wire
    read = to_fact(wire, timeline, "shop", now=now)
    return None if isinstance(read, Refusal) else read.fact


def _as_asked(item: Sent, stored: Fact) -> bool:
    """Whether a command is stored as it was asked: its instant alone is the server's."""
    points = item.content.get("points")
    if points is None:
        return True
    return stored.points == round(float(points) * 100) and stored.currency == "stars"


def describe(name: str, figures: Figures) -> None:
    """Prints what a run showed, and adds it to the file that PALIER_CRASH_REPORT names."""
    line = f"{name}: {figures.told()}"
    print(line)
    path = os.environ.get("PALIER_CRASH_REPORT")
    if path:
        with Path(path).open("a") as file:
            file.write(line + "\n")
