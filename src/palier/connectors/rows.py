"""Rows of a table as activities in the wire form of the API.

`RowForm` is what a file's header and mapping come to: it knows which cell is which field and holds no file,
so that it can be handed to other processes, which then read the rows they are given. It passes values on as
text; what they are worth is judged by the intake.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Annotated, Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from palier.engine.refusals import RefusalCode
from palier.engine.sentences import Sentence, sentence

Cells = Sequence[str | None]

MONEY: Final = ("amount", "tax", "shipping", "discount")
JSON: Final = ("lines", "tenders", "attributes", "returned")
NEEDED: Final = ("source", "id", "occurred_at")
"""What every activity has, beside its member."""
REFUSED_COLUMNS: Final = ("refused_line", "refused_code", "refused_reason")
DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a cell begins with that a spreadsheet would run as a formula."""
MARK: Final = "\ufeff"
"""What a CSV begins with, so that a spreadsheet reads it as UTF-8."""

_TRUE = ("true", "1")
_FALSE = ("false", "0")
_EXACT = Context(prec=80)
"""Room for every digit that `_DECIMAL` lets through, however many lines are added."""
_DECIMAL = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,30})?", re.ASCII)
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?( ?(Z|[+-][0-9]{2}:?[0-9]{2}))?)?",
    re.ASCII,
)
_UTC = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z", re.ASCII)


class FileMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the columns of a file are to be read. Every key may be left out."""

    columns: dict[str, str] = {}
    """Column in the file to field. A column that is named like a field, or like another name of one, needs none."""
    constants: dict[str, str] = {}
    """Field to value for every row: source, type, currency, channel, location, partner. `type` is "sale" by default."""
    lines: bool | Literal["scattered"] = False
    """Every row is one line of a basket: true where a basket's rows stand together, "scattered" where they do not (the
    whole file is then held in memory)."""
    decimal: Literal[".", ","] = "."
    """The decimal mark."""
    time_zone: str | None = None
    """Time zone of instants without an offset, in place of the program's. An hour that a clock change repeats counts as
    its first pass; one that it skips is moved on by the change."""
    date_format: str | None = None
    """How instants are written where they are not ISO 8601, as strptime has it: `%d/%m/%Y %H:%M`."""
    delimiter: Literal[",", ";", "\t", "|"] | None = None
    """What stands between the cells of a CSV; found by itself in most files."""
    sheet: str | None = None
    """Which sheet of an XLSX is read; needed where there are several."""
    round_to: Annotated[int, msgspec.Meta(ge=0, le=6)] | None = None
    """Money is rounded to so many decimals, halves up; without it no digit is changed."""
    left_out: tuple[str, ...] = ()
    """Columns that are nothing, whatever they are named."""


class Row(NamedTuple):
    """One activity of the file, at the line it starts on.

    `problem` is (code, reason) when the row cannot be brought into wire form; `activity` is then empty.
    `cells` are the rows of the file it was made of.
    """

    line: int
    activity: dict[str, Any]
    problem: tuple[str, Sentence] | None
    cells: tuple[Cells, ...]


class Record(NamedTuple):
    """The rows of a table that make one activity, not read yet, with the line of each.

    `problem` is (code, reason) where already their number of cells says that they cannot be read.
    """

    lines: tuple[int, ...]
    cells: tuple[Cells, ...]
    problem: tuple[str, Sentence] | None = None

    @property
    def line(self) -> int:
        """The line it starts on."""
        return self.lines[0]


class RowProblem(Exception):
    """A row that cannot be brought into wire form: `problem` is (code, reason)."""

    def __init__(self, code: str, reason: Sentence) -> None:
        super().__init__(reason)
        self.problem = (code, reason)


class RowForm:
    """How rows under one header are read. `fields`: field -> column; `time_zone`: a name that is one.

    `attribute_types` are the program's declared types by name: integers and booleans are sent as such.
    """

    def __init__(
        self,
        header: Sequence[str],
        fields: Mapping[str, str],
        mapping: FileMapping,
        time_zone: str,
        attribute_types: Mapping[str, str],
    ) -> None:
        self._made_of = (tuple(header), dict(fields), mapping, time_zone, dict(attribute_types))
        self.header = header
        self.single = not mapping.lines
        """Whether each row is an activity of its own."""
        self._mapping = mapping
        self._zone = ZoneInfo(time_zone)
        # Only our own files of refused rows carry these columns, and only they were escaped by us.
        self._unescape = set(REFUSED_COLUMNS) <= set(header)
        self._compile(fields, attribute_types)

    def __reduce__(self) -> tuple[Any, ...]:
        return RowForm, self._made_of

    def alone(self) -> RowForm:
        """The same for rows taken one by one, whatever basket they are of."""
        header, fields, mapping, time_zone, types = self._made_of
        return RowForm(header, fields, msgspec.structs.replace(mapping, lines=False), time_zone, types)

    def _compile(self, fields: Mapping[str, str], attribute_types: Mapping[str, str]) -> None:
        position = {name: index for index, name in enumerate(self.header)}
        money = self._money
        self._plain: list[tuple[str, int]] = []
        self._turned: list[tuple[str, int, Callable[[str], Any]]] = []
        self._json: list[tuple[str, int]] = []
        self._member: list[tuple[str, int]] = []
        self._line: list[tuple[str, int, Callable[[str], Any] | None]] = []
        self._tenders: list[tuple[str, int]] = []
        self._attributes: list[tuple[str, int, Callable[[str], Any]]] = []
        self._sale: list[tuple[str, int]] = []
        for field, column in fields.items():
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
                self._attributes.append((name, index, _TYPED.get(attribute_types.get(name, ""), str)))
            elif name:
                self._sale.append((name, index))
            elif field in MONEY:
                self._turned.append((field, index, money))
            elif field in JSON:
                self._json.append((field, index))
            elif field == "whole":
                self._turned.append((field, index, _boolean))
            elif field == "occurred_at":
                self._turned.append((field, index, self._instant))
            else:
                self._plain.append((field, index))
        self._constants = {"type": "sale", **self._mapping.constants}
        used = [index for _, index, _ in (*self._turned, *self._line, *self._attributes)]
        used += [
            index for _, index in (*self._plain, *self._json, *self._member, *self._tenders, *self._sale)
        ]
        self._width = max(used) + 1
        self._common_at = [position[name] for field, name in fields.items() if not field.startswith("line.")]
        self._key_at = [position[fields[field]] for field in ("source", "id") if field in fields]
        self._id_at = position[fields["id"]]
        self._dated_at = position[fields["occurred_at"]]
        self._columns = fields
        self._own_lines = "lines" not in fields
        self._amount = "amount" in fields
        self._line_amount = "line.amount" in fields
        self.names_sales = "sale.id" in fields
        """Whether rows may name the sale that they return."""

    # --- who and which, without reading the row ---------------------------------------------------

    def checked(self, cells: Cells) -> Cells:
        """The cells of a row as they were written. Raises RowProblem where their number does not fit."""
        if len(cells) != len(self.header) and (len(cells) < self._width or any(cells[len(self.header) :])):
            raise RowProblem(
                "malformed_line",
                sentence(
                    "has %(count)s cells where the header has %(count_2)s; a cell that contains the "
                    "delimiter must be quoted",
                    count=len(cells),
                    count_2=len(self.header),
                ),
            )
        if self._unescape:
            return [
                cell[1:] if cell and cell[0] == "'" and cell.lstrip("'").startswith(DANGEROUS) else cell
                for cell in cells
            ]
        return cells

    def key(self, cells: Cells) -> tuple[str | None, ...]:
        """What rows of one basket have in common."""
        return tuple(cells[index] for index in self._key_at)

    def has_id(self, cells: Cells) -> bool:
        """Whether the row says which activity it is of."""
        return bool(cells[self._id_at])

    def owner(self, cells: Cells) -> str:
        """One text for the member that a row names, the same for rows that name him alike; "" for none."""
        if len(self._member) == 1:
            return cells[self._member[0][1]] or ""
        return min((f"{kind}\0{cell}" for kind, index in self._member if (cell := cells[index])), default="")

    def own_id(self, cells: Cells) -> tuple[str, str]:
        """The source and id of a row."""
        return self._source(cells), cells[self._id_at] or ""

    def named_sale(self, cells: Cells) -> tuple[str, str]:
        """The source and id of the sale that a row names; empty where it names none."""
        sale = {name: cell for name, index in self._sale if (cell := cells[index])}
        if "id" not in sale:
            return ("", "")
        return sale.get("source") or self._source(cells), sale["id"]

    def dated(self, cells: Cells) -> str:
        """The instant of a row, as it is written."""
        return cells[self._dated_at] or ""

    def _source(self, cells: Cells) -> str:
        for field, index in self._plain:
            if field == "source":
                return cells[index] or ""
        return self._constants.get("source", "")

    # --- one row ----------------------------------------------------------------------------------

    def row(self, record: Record) -> Row:
        """The activity of a record in wire form, or why there is none."""
        if record.problem is not None:
            return Row(record.lines[0], {}, record.problem, record.cells)
        try:
            return Row(record.lines[0], self.activity(record.lines, record.cells), None, record.cells)
        except RowProblem as refused:
            return Row(record.lines[0], {}, refused.problem, record.cells)

    def activity(self, lines: Sequence[int], rows: Sequence[Cells], *, parsed: bool = True) -> dict[str, Any]:
        """The wire form of the rows on these lines of the file. Raises RowProblem.

        Unless `parsed`, lines that stand in one cell as JSON are left as msgspec.Raw for whoever knows their form.
        """
        if self.single:
            return self._whole(rows[0], parsed)
        return self._basket(lines, rows, parsed)

    def _whole(self, cells: Cells, parsed: bool) -> dict[str, Any]:
        activity = self._head(cells, parsed)
        if self._line:
            line = self._basket_line(cells)
            if line:
                # A row that is a whole activity has one line, worth what the activity is worth.
                if not self._line_amount and "amount" in activity:
                    line["amount"] = activity["amount"]
                self._lines_complete([line])
                activity["lines"] = [line]
        return activity

    def _basket(self, numbers: Sequence[int], rows: Sequence[Cells], parsed: bool) -> dict[str, Any]:
        """One activity of all rows of a basket; its total is the sum of its lines where none is given."""
        first = rows[0]
        common = [first[index] for index in self._common_at]
        for number, cells in zip(numbers, rows, strict=True):
            for index, value in zip(self._common_at, common, strict=True):
                if cells[index] != value:
                    raise RowProblem(
                        "mixed_basket",
                        sentence(
                            "line %(number)s says another %(header)s than line %(numbers)s",
                            number=number,
                            header=self.header[index],
                            numbers=numbers[0],
                        ),
                    )
        activity = self._head(first, parsed)
        lines = [line for cells in rows if (line := self._basket_line(cells))]
        if lines and self._own_lines:
            self._lines_complete(lines)
            activity["lines"] = lines
        if not self._amount and lines:
            amounts = [str(line.get("amount", "")) for line in lines]
            if not all(_DECIMAL.fullmatch(amount) for amount in amounts):
                raise RowProblem(
                    "bad_amount",
                    sentence("a line's amount is missing or no decimal, so the basket has no total"),
                )
            total = Decimal(0)
            for amount in amounts:
                total = _EXACT.add(total, Decimal(amount))
            activity["amount"] = format(total, "f")
        return activity

    def _head(self, cells: Cells, parsed: bool) -> dict[str, Any]:
        """The wire form of one row, without its line. Raises RowProblem where what every activity has is missing."""
        activity: dict[str, Any] = self._constants.copy()
        for field, index in self._plain:
            cell = cells[index]
            if cell:
                activity[field] = cell
        for field, index, turn in self._turned:
            cell = cells[index]
            if cell:
                activity[field] = turn(cell)
        for field, index in self._json:
            cell = cells[index]
            if cell:
                activity[field] = _json(field, cell) if parsed or field != "lines" else msgspec.Raw(cell)
        member = {kind: cell for kind, index in self._member if (cell := cells[index])}
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
            sale = {name: cell for name, index in self._sale if (cell := cells[index])}
            if "id" in sale:
                activity["sale"] = {"source": activity.get("source"), **sale}
        for field in NEEDED:
            if field not in activity:
                raise self._empty(field)
        return activity

    def _lines_complete(self, lines: Sequence[dict[str, Any]]) -> None:
        """Raises RowProblem where a line of the basket has no amount."""
        if not all("amount" in line for line in lines):
            raise self._empty("line.amount" if self._line_amount or not self.single else "amount")

    def _empty(self, field: str) -> RowProblem:
        column = self._columns.get(field)
        if column is None:
            return RowProblem(
                RefusalCode.MALFORMED.value,
                sentence("there is no column for %(field)s; map one to it", field=field),
            )
        return RowProblem(
            RefusalCode.MALFORMED.value,
            sentence("the column %(column)r is empty (%(field)s); fill it", column=column, field=field),
        )

    def _basket_line(self, cells: Cells) -> dict[str, Any]:
        return {
            name: turn(cell) if turn else cell for name, index, turn in self._line if (cell := cells[index])
        }

    def _money(self, cell: str) -> str:
        if "," in cell:
            if self._mapping.decimal == ".":
                raise RowProblem(
                    "decimal_comma",
                    sentence(
                        '%(cell)r has a comma; say decimal: "," if that is the decimal mark', cell=cell[:40]
                    ),
                )
            if "." in cell or cell.count(",") > 1:
                raise RowProblem(
                    "decimal_comma",
                    sentence(
                        "%(cell)r has separators besides the decimal comma; leave them out", cell=cell[:40]
                    ),
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
                raise RowProblem(
                    "bad_instant",
                    sentence(
                        "%(cell)r is not a date and time like 2026-03-01 10:00; say how dates are written "
                        "(date_format), such as %%d/%%m/%%Y %%H:%%M",
                        cell=cell[:40],
                    ),
                )
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=self._zone)
            moment = moment.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            form = self._mapping.date_format or "2026-03-01 10:00"
            raise RowProblem(
                "bad_instant",
                sentence("%(cell)r is no date and time in the form %(form)s", cell=cell[:40], form=form),
            ) from error
        return moment.isoformat()[:-6] + "Z"


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


def _json(field: str, cell: str) -> Any:
    shape: type[Any] = dict if field == "attributes" else list
    try:
        # Decimals stay text, so that no digit is lost on the way.
        value: Any = json.loads(cell, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise RowProblem("bad_json", sentence("%(cell)r is not JSON", cell=cell[:40])) from error
    if not isinstance(value, shape):
        raise RowProblem(
            "bad_json",
            sentence(
                "%(cell)r is no JSON %(value)s",
                cell=cell[:40],
                value=sentence("array") if shape is list else sentence("object"),
            ),
        )
    if shape is dict:
        return _present(value)
    return [_present(item) if isinstance(item, dict) else item for item in value]


__all__ = ["Cells", "FileMapping", "Record", "Row", "RowForm", "RowProblem"]
