"""Column types and the placement mark that the tables of every room share.

They live in the lowest room because every other room's models import them.
"""

from typing import TYPE_CHECKING, Any, Literal

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.types.json import Json

Placement = Literal["member", "key", "config", "queue"]
"""Where a table's rows live when the database is spread over several machines.

member  first key column `member_id`; all of a member's rows live together
key     first key column is the value looked up; names a member as plain data, no foreign key
config  small, written by people, copied to every machine
queue   order matters more than spread; may stay whole on one machine
"""


if TYPE_CHECKING:
    _AnyField = models.Field[Any, Any]
else:
    _AnyField = models.Field


class StoredJson(_AnyField):
    """A `json` column: the text is kept as it was written (key order, spacing).

    `jsonb` would parse and rebuild each document on the write path, and nothing searches inside these
    documents in SQL, so the cheaper type is the right one. Values are plain Python dicts and lists.
    """

    description = "JSON document kept as written"

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "json"

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        return None if value is None else Json(value)
