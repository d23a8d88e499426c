"""A till as tests use it: a device with a key of its own, a person at it, and entries that it signs."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from psycopg import Connection

from palier.activities.runtime import Runtime, runtime
from palier.engine.clock import moment
from palier.site import clock, database
from palier.tills import devices, journal, lookups, shifts
from palier.tills.devices import Device
from palier.tills.journal import Sent, Taken
from palier.tills.lookups import Customer
from palier.tills.shifts import Shift
from tests.api.shop import Shop


class Counter:
    """One device of a shop, enrolled, with a person signed in."""

    def __init__(self, shop: Shop, name: str = "Front", account_id: int = 7) -> None:
        self.shop = shop
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.number = 0
        with database.connect("app") as connection:
            expected = devices.expect(
                connection,
                shop.program_id,
                name=name,
                location="Lyon",
                by="test",
                role="owner",
                now=clock.now(),
            )
            connection.commit()
            public = self.key.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            self.device, self.token = devices.enrol(
                connection, shop.program_id, expected.code, public, address="10.0.0.1", now=clock.now()
            )
            self.shift = self.begin(connection, account_id)

    def begin(self, connection: Connection[Any], account_id: int, email: str = "ann@shop.example") -> Shift:
        found = shifts.begin(
            connection,
            self.device,
            account_id=account_id,
            session_id=1,
            name="Ann",
            email=email,
            now=clock.now(),
        )
        connection.commit()
        return found

    def program(self, connection: Connection[Any]) -> Runtime:
        found = runtime(connection, self.shop.key)
        assert found is not None
        return found

    def known(self, connection: Connection[Any]) -> Device:
        return devices.known(connection, self.shop.program_id, self.token, now=clock.now())

    def find(self, text: str, shift: Shift | None = None) -> Customer | None:
        with database.connect("app") as connection:
            return lookups.find(
                connection, self.program(connection), self.device, shift or self.shift, text, now=clock.now()
            )

    def sign(self, text: str) -> str:
        r, s = decode_dss_signature(self.key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode()

    def entry(self, amount: str, *, at: int | None = None, number: int | None = None, **more: Any) -> Sent:
        """A signed sale; without `member`, of the shop's usual card."""
        if number is None:
            self.number += 1
            number = self.number
        text = json.dumps(
            {
                "v": 1,
                "program": self.shop.key,
                "device": self.device.ref,
                "number": number,
                "at": moment(at if at is not None else clock.now()).isoformat(),
                "member": {"card": "2801"},
                "amount": amount,
                "shift": self.shift.ref,
                **more,
            }
        )
        return Sent(text, self.sign(text))

    def send(self, *sent: Sent) -> list[Taken]:
        with database.connect("app") as connection:
            return journal.take(
                connection, self.program(connection), self.known(connection), sent, now=clock.now()
            )
