"""Activities from files: rows of a CSV, XLSX or Parquet file in the wire form of the API.

A mapping says which column is which field; a column named like a field, or like one of its synonyms, needs
none. Fields are those of an activity:

    source id type occurred_at amount tax shipping discount currency channel location partner
    ticket_number
    member.KIND        a key that finds the member, such as member.card; plain `member` is member.external_id
    line.FIELD         one line of the basket: sku, category, quantity, amount, kind
    tender.KIND        what was paid by that means, such as tender.card; empty or zero: not used
    sale.source sale.id   the sale that a return names
    attributes.NAME    a declared attribute
    whole              true or 1 on a return of everything
    lines tenders attributes returned   the same as JSON text (or nested columns of a Parquet file)

Values are passed on as text and judged by the intake like any other; this module only resolves what a
file leaves open: decimal comma, local instants, and baskets spread over several rows.
"""

from __future__ import annotations

import csv
import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml

from palier.connectors.tables import MAXIMUM_BYTES, Cells, FileProblem, digest, open_table
from palier.engine.payment_cards import masked
from palier.engine.refusals import RefusalCode

__all__ = [
    "Cells",
    "FileMapping",
    "FileProblem",
    "Reader",
    "RefusedRow",
    "Row",
    "digest",
    "load_mapping",
    "mapping_from_options",
    "write_refused",
]

_PLAIN = (
    "source", "id", "type", "occurred_at", "currency", "channel", "location", "partner", "ticket_number", "whole",
)  # fmt: skip
_MONEY = ("amount", "tax", "shipping", "discount")
_JSON = ("lines", "tenders", "attributes", "returned")
_LINE = ("sku", "category", "quantity", "amount", "kind")
_SALE = ("source", "id")
_TRUE = ("true", "1")
_FALSE = ("false", "0")
_CONSTANT = ("source", "type", "currency", "channel", "location", "partner")
_OPEN = re.compile(r"(member|tender|attributes)\.[a-z][a-z0-9_]{0,47}", re.ASCII)

SYNONYMS: dict[str, tuple[str, ...]] = {
    "id": ("activity_id", "external_id", "basket_id", "ticket", "ticket_id", "receipt", "receipt_id",
           "order_id", "transaction_id", "document", "numero_ticket"),
    "occurred_at": ("date", "datetime", "timestamp", "instant", "sold_at", "purchased_at",
                    "transaction_timestamp", "date_heure", "horodatage"),
    "amount": ("total", "total_amount", "basket_amount", "montant", "montant_total"),
    "currency": ("devise",),
    "type": ("activity_type",),
    "channel": ("canal",),
    "location": ("store", "store_id", "shop", "magasin"),
    "partner": ("merchant", "partenaire"),
    "member.external_id": ("member", "member_id", "customer", "customer_id", "client", "client_id",
                           "household_id"),
    "member.card": ("card", "card_number", "loyalty_card", "carte", "numero_carte"),
    "member.email": ("email", "e_mail", "mail", "courriel"),
    "member.phone": ("phone", "telephone", "mobile"),
    "line.sku": ("sku", "product", "product_id", "ean", "gtin", "article", "produit"),
    "line.category": ("category", "department", "categorie", "rayon"),
    "line.quantity": ("quantity", "qty", "quantite"),
    "line.amount": ("line_amount", "item_amount", "sales_value", "montant_ligne"),
}  # fmt: skip
"""Other column names understood without a mapping; case, accents of the header's spaces and dashes aside."""

_FIELD_OF = {name: field for field, names in SYNONYMS.items() for name in (*names, field)} | {
    field: field for field in (*_PLAIN, *_MONEY, *_JSON)
}
_EXACT = Context(prec=80)
"""Room for every digit that `_DECIMAL` lets through, however many lines are added."""
_DECIMAL = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,30})?", re.ASCII)
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?( ?(Z|[+-][0-9]{2}:?[0-9]{2}))?)?",
    re.ASCII,
)
_UTC = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z", re.ASCII)
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
_REFUSED_COLUMNS = ("refused_line", "refused_code", "refused_reason")
_SAMPLE = 100


class FileMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the columns of a file are to be read.

    `columns`: column in the file -> field. `constants`: field -> value for every row (source, type,
    currency, channel, location, partner); `type` is "sale" unless said otherwise. `lines`: true when every
    row is one line of a basket and a basket's rows stand together, "scattered" when they do not (the whole
    file is then held in memory). `decimal`: the decimal mark. `time_zone`: of instants without an offset,
    instead of the program's; an hour that a clock change repeats counts as its first pass, one that it
    skips is moved on by the change. `date_format`: strptime format where instants are not ISO 8601.
    `round_to`: round money to so many decimals, halves up; without it, no digit is changed.
    """

    columns: dict[str, str] = {}
    constants: dict[str, str] = {}
    lines: bool | Literal["scattered"] = False
    decimal: Literal[".", ","] = "."
    time_zone: str | None = None
    date_format: str | None = None
    delimiter: Literal[",", ";", "\t", "|"] | None = None
    sheet: str | None = None
    round_to: Annotated[int, msgspec.Meta(ge=0, le=6)] | None = None


class Row(NamedTuple):
    """One activity of the file, at the line it starts on.

    `problem` is (code, reason) when the row cannot be brought into wire form; `activity` is then empty.
    `cells` are the rows of the file it was made of.
    """

    line: int
    activity: dict[str, Any]
    problem: tuple[str, str] | None
    cells: tuple[Cells, ...]


class RefusedRow(NamedTuple):
    """A row that was not taken, and why: the intake's refusal code, or one of this module's."""

    line: int
    code: str
    reason: str
    cells: tuple[Cells, ...]


def load_mapping(path: Path) -> FileMapping:
    """A mapping from a YAML or JSON file. Refuses (`FileProblem`) unknown keys and wrong types by path."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FileProblem(f"{path} cannot be read: {error.strerror or error}", "Check the path") from error
    except UnicodeDecodeError as error:
        raise FileProblem(f"{path.name} is not UTF-8 text", "Save it as UTF-8") from error
    try:
        # BaseLoader builds nothing but text: a column named No or 2024 is neither a boolean nor a number.
        document = yaml.load(text, yaml.BaseLoader)  # noqa: S506
        return msgspec.convert(document or {}, FileMapping, strict=False)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise FileProblem(
            f"{path.name} is not YAML ({error.problem})", "Check the indentation and the quotes", line
        ) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise FileProblem(
            f"{path.name} is not YAML", "Write `columns:` and below it `Column: field`"
        ) from error
    except msgspec.ValidationError as error:
        raise FileProblem(
            f"{path.name}: {error}", f"The keys of a mapping are {', '.join(FileMapping.__struct_fields__)}"
        ) from error


def mapping_from_options(options: Iterable[str], base: FileMapping | None = None) -> FileMapping:
    """A mapping from `FIELD=COLUMN` options, added to `base`. Refuses (`FileProblem`) other forms."""
    base = base or FileMapping()
    columns = dict(base.columns)
    for option in options:
        field, equals, column = option.partition("=")
        if not (equals and field.strip() and column.strip()):
            raise FileProblem(f"--map {option!r} is not FIELD=COLUMN", "Write it like --map id='Ticket no'")
        columns[column.strip()] = field.strip()
    return msgspec.structs.replace(base, columns=columns)


class _RowProblem(Exception):
    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.problem = (code, reason)


class Reader:
    """The activities of one file, in batches.

    `time_zone` is the program's, for instants without an offset. Refuses (`FileProblem`) a file that
    cannot be read, columns that are missing or ambiguous, and a mapping under which none of the first 100
    rows can be read; a single bad row among good ones is a `Row` with its problem instead.
    `attribute_types` are the program's declared types by name: integers and booleans are sent as such.
    """

    def __init__(
        self,
        path: Path,
        *,
        time_zone: str,
        mapping: FileMapping | None = None,
        attribute_types: Mapping[str, str] | None = None,
        maximum_bytes: int = MAXIMUM_BYTES,
    ) -> None:
        self._attribute_types = attribute_types or {}
        self._mapping = mapping = mapping or FileMapping()
        self._table = open_table(
            path, delimiter=mapping.delimiter, sheet=mapping.sheet, maximum_bytes=maximum_bytes
        )
        self.header = self._table.header
        self.fields = _resolve(self.header, mapping)
        """Field -> column, as understood."""
        self._zone = _zone(mapping.time_zone or time_zone)
        # Only our own files of refused rows carry these columns, and only they were escaped by us.
        self._unescape = set(_REFUSED_COLUMNS) <= set(self.header)
        self._compile()
        self._check_sample()

    def batches(self, *, size: int = 5000, after_line: int = 0) -> Iterator[list[Row]]:
        """All rows in order of their first line; those up to `after_line` (a resumed import) left out."""
        batch: list[Row] = []
        for row in self._rows():
            if row.line <= after_line:
                continue
            batch.append(row)
            if len(batch) >= size:
                yield batch
                batch = []
        if batch:
            yield batch

    def fraction_read(self) -> float:
        """How much of the file is behind, 0 to 1."""
        return min(1.0, self._table.fraction_read())

    # --- one row ---------------------------------------------------------------------------------

    def _compile(self) -> None:
        position = {name: index for index, name in enumerate(self.header)}
        money = self._money
        self._head: list[tuple[str, int, Callable[[str], Any] | None]] = []
        self._member: list[tuple[str, int]] = []
        self._line: list[tuple[str, int, Callable[[str], Any] | None]] = []
        self._tenders: list[tuple[str, int]] = []
        self._attributes: list[tuple[str, int, Callable[[str], Any]]] = []
        self._sale: list[tuple[str, int]] = []
        for field, column in self.fields.items():
            index = position[column]
            room, _, name = field.partition(".")
            if room == "member":
                self._member.append((name, index))
            elif room == "line":
                turn = money if name == "amount" else _count if name == "quantity" else None
                self._line.append((name, index, turn))
            elif room == "tender":
                self._tenders.append((name, index))
            elif name and room == "attributes":
                self._attributes.append((name, index, _TYPED.get(self._attribute_types.get(name, ""), str)))
            elif name:
                self._sale.append((name, index))
            elif field in _MONEY:
                self._head.append((field, index, money))
            elif field in _JSON:
                self._head.append((field, index, _json(list if field != "attributes" else dict)))
            elif field == "whole":
                self._head.append((field, index, _boolean))
            elif field == "occurred_at":
                self._head.append((field, index, self._instant))
            else:
                self._head.append((field, index, None))
        self._constants = {"type": "sale", **self._mapping.constants}
        used = [index for _, index, _ in (*self._head, *self._line, *self._attributes)]
        used += [index for _, index in (*self._member, *self._tenders, *self._sale)]
        self._width = max(used) + 1
        self._common_at = [
            position[name] for field, name in self.fields.items() if not field.startswith("line.")
        ]
        self._key_at = [position[self.fields[field]] for field in ("source", "id") if field in self.fields]
        self._id_at = position[self.fields["id"]]
        self._own_lines = "lines" not in self.fields
        self._line_amount = "line.amount" in self.fields

    def _money(self, cell: str) -> str:
        if "," in cell:
            if self._mapping.decimal == ".":
                raise _RowProblem(
                    "decimal_comma",
                    f'{cell[:40]!r} has a comma; say decimal: "," if that is the decimal mark',
                )
            if "." in cell or cell.count(",") > 1:
                raise _RowProblem(
                    "decimal_comma", f"{cell[:40]!r} has separators besides the decimal comma; leave them out"
                )
            cell = cell.replace(",", ".")
        if self._mapping.round_to is not None and _DECIMAL.fullmatch(cell):
            cell = str(Decimal(cell).quantize(Decimal(1).scaleb(-self._mapping.round_to), ROUND_HALF_UP))
        return cell

    def _instant(self, cell: str) -> str:
        if _UTC.fullmatch(cell):
            return cell
        try:
            if self._mapping.date_format is not None:
                moment = datetime.strptime(cell, self._mapping.date_format)  # noqa: DTZ007, zone below
            elif _INSTANT.fullmatch(cell):
                moment = datetime.fromisoformat(cell[:11] + cell[11:].replace(" ", ""))
            else:
                raise _RowProblem(
                    "bad_instant",
                    f"{cell[:40]!r} is not a date and time like 2026-03-01 10:00; "
                    "say date_format in the mapping file, such as %d/%m/%Y %H:%M",
                )
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=self._zone)
            moment = moment.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise _RowProblem("bad_instant", f"{cell[:40]!r} is not an instant ({error})") from error
        return moment.isoformat()[:-6] + "Z"

    def _checked(self, cells: Cells) -> Cells:
        if len(cells) != len(self.header) and (len(cells) < self._width or any(cells[len(self.header) :])):
            raise _RowProblem(
                "malformed_line",
                f"has {len(cells)} cells where the header has {len(self.header)}; "
                "a cell that contains the delimiter must be quoted",
            )
        if self._unescape:
            return [
                cell[1:] if cell and cell[0] == "'" and cell.lstrip("'").startswith(_DANGEROUS) else cell
                for cell in cells
            ]
        return cells

    def _activity(self, cells: Cells) -> dict[str, Any]:
        """The wire form of one row, without its line."""
        activity: dict[str, Any] = dict(self._constants)
        for field, index, turn in self._head:
            cell = cells[index]
            if cell:
                activity[field] = turn(cell) if turn else cell
        member = {kind: cells[index] for kind, index in self._member if cells[index]}
        if member:
            activity["member"] = member
        if self._tenders:
            tenders = [
                {"kind": kind, "amount": amount}
                for kind, index in self._tenders
                if (cell := cells[index]) and not _zero(amount := self._money(cell))
            ]
            if tenders:
                activity["tenders"] = [*activity.get("tenders", ()), *tenders]
        if self._attributes:
            own = {name: turn(cell) for name, index, turn in self._attributes if (cell := cells[index])}
            if own:
                activity["attributes"] = {**activity.get("attributes", {}), **own}
        if self._sale:
            sale = {name: cells[index] for name, index in self._sale if cells[index]}
            if "id" in sale:
                activity["sale"] = {"source": activity.get("source"), **sale}
        return activity

    def _basket_line(self, cells: Cells) -> dict[str, Any]:
        return {
            name: turn(cell) if turn else cell for name, index, turn in self._line if (cell := cells[index])
        }

    # --- rows and baskets ------------------------------------------------------------------------

    def _rows(self) -> Iterator[Row]:
        if self._mapping.lines == "scattered":
            return self._scattered()
        return self._together() if self._mapping.lines else self._single()

    def _single(self) -> Iterator[Row]:
        for number, cells in self._table.records():
            try:
                cells = self._checked(cells)
                activity = self._activity(cells)
                if self._line:
                    line = self._basket_line(cells)
                    if line:
                        # A row that is a whole activity has one line, worth what the activity is worth.
                        if not self._line_amount and "amount" in activity:
                            line["amount"] = activity["amount"]
                        activity["lines"] = [line]
                yield Row(number, activity, None, (cells,))
            except _RowProblem as refused:
                yield Row(number, {}, refused.problem, (cells,))

    def _together(self) -> Iterator[Row]:
        seen: set[int] = set()
        basket: list[tuple[int, Cells]] = []
        current: tuple[str | None, ...] | None = None
        malformed: tuple[str, str] | None = None
        last_is_malformed = False
        for number, cells in self._table.records():
            try:
                cells = self._checked(cells)
            except _RowProblem as refused:
                # It may belong to the basket before or after it: neither may be taken incomplete.
                malformed = (refused.problem[0], f"line {number} {refused.problem[1]}")
                basket.append((number, cells))
                last_is_malformed = True
                continue
            key = self._key(cells)
            if key != current or not cells[self._id_at]:
                if basket:
                    yield self._basket(basket, malformed)
                    malformed = malformed if last_is_malformed else None
                basket = []
                current = key
                # Only the hash is kept: a file may hold millions of baskets.
                if hash(key) in seen:
                    raise FileProblem(
                        f"the rows of basket {cells[self._id_at]!r} do not stand together",
                        'Sort the file by basket, or say lines: "scattered" in the mapping file',
                        number,
                    )
                if cells[self._id_at]:
                    seen.add(hash(key))
            last_is_malformed = False
            basket.append((number, cells))
        if basket:
            yield self._basket(basket, malformed)

    def _scattered(self) -> Iterator[Row]:
        baskets: dict[tuple[str | None, ...], list[tuple[int, Cells]]] = {}
        for number, cells in self._table.records():
            try:
                cells = self._checked(cells)
            except _RowProblem as refused:
                raise FileProblem(
                    refused.problem[1],
                    "Correct it: the basket it belongs to cannot be known, and none may be taken incomplete",
                    number,
                ) from refused
            baskets.setdefault(self._key(cells) if cells[self._id_at] else (str(number),), []).append(
                (number, cells)
            )
        for basket in baskets.values():
            yield self._basket(basket, None)

    def _key(self, cells: Cells) -> tuple[str | None, ...]:
        return tuple(cells[index] for index in self._key_at)

    def _basket(self, rows: Sequence[tuple[int, Cells]], malformed: tuple[str, str] | None) -> Row:
        """One activity of all rows of a basket; its total is the sum of its lines where none is given."""
        number, first = rows[0]
        all_cells = tuple(cells for _, cells in rows)
        if malformed:
            return Row(number, {}, malformed, all_cells)
        try:
            common = [first[index] for index in self._common_at]
            for line_number, cells in rows:
                for index, value in zip(self._common_at, common, strict=True):
                    if cells[index] != value:
                        raise _RowProblem(
                            "mixed_basket",
                            f"line {line_number} says another {self.header[index]} than line {number}",
                        )
            activity = self._activity(first)
            lines = [line for cells in all_cells if (line := self._basket_line(cells))]
            if lines and self._own_lines:
                activity["lines"] = lines
            if "amount" not in self.fields and lines:
                amounts = [str(line.get("amount", "")) for line in lines]
                if not all(_DECIMAL.fullmatch(amount) for amount in amounts):
                    raise _RowProblem(
                        "bad_amount", "a line's amount is missing or no decimal, so the basket has no total"
                    )
                total = Decimal(0)
                for amount in amounts:
                    total = _EXACT.add(total, Decimal(amount))
                activity["amount"] = format(total, "f")
            return Row(number, activity, None, all_cells)
        except _RowProblem as refused:
            return Row(number, {}, refused.problem, all_cells)

    def _check_sample(self) -> None:
        problems = []
        for count, row in enumerate(self._single() if self._mapping.lines else self._rows(), start=1):
            if row.problem is None:
                return
            problems.append((row.line, row.problem))
            if count == _SAMPLE:
                break
        if len(problems) > 1:
            line, (_, reason) = problems[0]
            raise FileProblem(
                f"none of the first {len(problems)} rows can be read; the first: {reason}",
                "Correct the mapping or the file; nothing was imported",
                line,
            )


def _count(cell: str) -> int | str:
    """A quantity as an integer where it is one; anything else is left for the intake to refuse."""
    return int(cell) if len(cell) <= 9 and cell.isascii() and cell.isdigit() else cell


def _integer(cell: str) -> int | str:
    return int(cell) if re.fullmatch(r"-?[0-9]{1,16}", cell, re.ASCII) else cell


def _boolean(cell: str) -> bool | str:
    lower = cell.lower()
    return True if lower in _TRUE else False if lower in _FALSE else cell


_TYPED: dict[str, Callable[[str], Any]] = {"integer": _integer, "boolean": _boolean}


def _present(value: dict[str, Any]) -> dict[str, Any]:
    """Without what is null: a nested column has every key in every row."""
    return {key: item for key, item in value.items() if item is not None}


def _zero(amount: str) -> bool:
    return not amount.strip("0.")


def _json(shape: type[list[Any] | dict[str, Any]]) -> Callable[[str], Any]:
    def turn(cell: str) -> Any:
        try:
            # Decimals stay text, so that no digit is lost on the way.
            value = json.loads(cell, parse_float=str, parse_constant=str)
        except (ValueError, RecursionError) as error:
            raise _RowProblem("bad_json", f"{cell[:40]!r} is not JSON") from error
        if not isinstance(value, shape):
            raise _RowProblem(
                "bad_json", f"{cell[:40]!r} is no JSON {'array' if shape is list else 'object'}"
            )
        if isinstance(value, list):
            return [_present(item) if isinstance(item, dict) else item for item in value]
        return _present(value)

    return turn


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise FileProblem(f"{name!r} is not a time zone", "Name one such as Europe/Paris") from error


def _known(field: str) -> str:
    """The full name of a field. Refuses (`FileProblem`) what is none."""
    field = "member.external_id" if field == "member" else field
    room, _, name = field.partition(".")
    if (
        field in (*_PLAIN, *_MONEY, *_JSON)
        or _OPEN.fullmatch(field)
        or (room == "line" and name in _LINE)
        or (room == "sale" and name in _SALE)
    ):
        return field
    everything = [*_PLAIN, *_MONEY, *_JSON, *(f"line.{name}" for name in _LINE), "sale.id", "sale.source"]
    near = difflib.get_close_matches(field, everything, n=1)
    raise FileProblem(
        f"{field!r} is not a field of an activity",
        (f"Did you mean {near[0]}? " if near else "")
        + "Fields are "
        + ", ".join([*everything, "member.KIND", "tender.KIND", "attributes.NAME"]),
    )


def _resolve(header: Sequence[str], mapping: FileMapping) -> dict[str, str]:
    """Field -> column. Refuses (`FileProblem`) what is unknown, doubled, ambiguous or missing."""
    fields: dict[str, str] = {}
    for column, field in mapping.columns.items():
        if column not in header:
            near = difflib.get_close_matches(column, header, n=1)
            raise FileProblem(
                f"there is no column {column!r}",
                (f"Did you mean {near[0]!r}? " if near else "") + f"The columns are {', '.join(header)}",
            )
        field = _known(field)
        if field in fields:
            raise FileProblem(
                f"both {fields[field]!r} and {column!r} are mapped to {field}", "Keep one of them"
            )
        fields[field] = column
    for field in mapping.constants:
        if field not in _CONSTANT:
            raise FileProblem(f"{field!r} cannot be a constant", f"Constants are {', '.join(_CONSTANT)}")
        if field in fields:
            raise FileProblem(
                f"{field} is both a constant and the column {fields[field]!r}", "Keep one of them"
            )
    automatic: dict[str, list[str]] = {}
    mapped = set(mapping.columns)
    for column in header:
        if column and column not in mapped and column not in _REFUSED_COLUMNS:
            guess = _guess(column)
            if guess and guess not in fields and guess not in mapping.constants:
                automatic.setdefault(guess, []).append(column)
    for field, columns in automatic.items():
        # A column with the field's own name wins over synonyms.
        exact = [column for column in columns if _normal(column) == field]
        if len(columns) > 1 and len(exact) != 1:
            raise FileProblem(
                f"the columns {', '.join(map(repr, columns))} could all be {field}",
                f"Say which with --map {field}=COLUMN",
            )
        fields[field] = (exact or columns)[0]
    if mapping.lines and "amount" in automatic and "line.amount" not in fields:
        column = fields["amount"]
        raise FileProblem(
            f"{column!r} may be the amount of a line or of the whole basket",
            f"Say which with --map line.amount={column!r} or --map amount={column!r}",
        )
    _check_complete(fields, header, mapping)
    return fields


def _guess(column: str) -> str | None:
    name = _normal(column)
    if name in _FIELD_OF:
        return _FIELD_OF[name]
    room, _, rest = name.partition(".")
    if _OPEN.fullmatch(name) or (room == "line" and rest in _LINE) or (room == "sale" and rest in _SALE):
        return name
    return None


def _normal(column: str) -> str:
    return re.sub(r"[\s\-]+", "_", column.strip().lower()).translate(str.maketrans("éèêàâôîç", "eeeaaoic"))


def _check_complete(fields: Mapping[str, str], header: Sequence[str], mapping: FileMapping) -> None:
    given = {*fields, *mapping.constants}
    missing = [field for field in ("source", "id", "occurred_at") if field not in given]
    if not any(field.startswith("member.") for field in fields):
        missing.append("member")
    if missing:
        hint = "--map " + " --map ".join(f"{field}=COLUMN" for field in missing)
        if "source" in missing:
            hint += "; the source may be a constant of the mapping file, such as source: till"
        raise FileProblem(
            f"no column for {', '.join(missing)} among {', '.join(name for name in header if name)}",
            f"Use {hint}",
        )
    if mapping.lines and not any(field.startswith("line.") for field in fields):
        raise FileProblem("lines is set, but no column is a field of a line", "Map one, such as line.amount")
    if "lines" in fields and any(field.startswith("line.") for field in fields):
        raise FileProblem("both lines and line.FIELD are mapped", "Keep one of the two forms")


def write_refused(
    path: Path, header: Sequence[str], rows: Iterable[RefusedRow], *, append: bool = False
) -> int:
    """Write rows that were not taken as CSV: line, code and reason, then the cells as they came.

    The number of a payment card for which a row was refused is masked, wherever it stands in the row. Cells
    that a spreadsheet would run as a formula get a leading apostrophe, which `Reader` takes off
    again: the file can be corrected and imported as it is. Returns the number of lines written.
    """
    written = 0
    try:
        fresh = not (append and path.exists() and path.stat().st_size)
        with path.open("w" if fresh else "a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            own = [index for index, name in enumerate(header) if name not in _REFUSED_COLUMNS]
            if fresh:
                writer.writerow([*_REFUSED_COLUMNS, *(_safe(header[index]) for index in own)])
            for row in rows:
                for came in row.cells:
                    cells = came
                    if row.code == RefusalCode.PAYMENT_CARD_NUMBER:
                        cells = [masked(cell or "") for cell in came]
                    known = [cells[index] if index < len(cells) else "" for index in own]
                    beyond = cells[len(header) :]
                    writer.writerow([row.line, row.code, *map(_safe, (masked(row.reason), *known, *beyond))])
                    written += 1
    except OSError as error:
        raise FileProblem(
            f"{path} cannot be written: {error.strerror or error}", "Name another file for the refused lines"
        ) from error
    return written


def _safe(cell: str | None) -> str:
    text = cell or ""
    # Apostrophes of the cell's own are counted in, so that taking one off gives the cell back.
    return "'" + text if text.lstrip("'").startswith(_DANGEROUS) else text
