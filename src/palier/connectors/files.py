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
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import yaml

from palier.connectors.rows import (
    DANGEROUS,
    JSON,
    MONEY,
    NEEDED,
    REFUSED_COLUMNS,
    Cells,
    FileMapping,
    Record,
    Row,
    RowForm,
    RowProblem,
)
from palier.connectors.tables import MAXIMUM_BYTES, FileProblem, Table, digest, open_table
from palier.engine.clock import is_zone
from palier.engine.payment_cards import masked
from palier.engine.refusals import RefusalCode
from palier.engine.sentences import Sentence, sentence

__all__ = [
    "Cells",
    "FileMapping",
    "FileProblem",
    "Reader",
    "Record",
    "RefusedRow",
    "Row",
    "digest",
    "fields_of",
    "guessed",
    "load_mapping",
    "mapping_from_options",
    "write_refused",
]

_PLAIN = (
    "source", "id", "type", "occurred_at", "currency", "channel", "location", "partner", "ticket_number", "whole",
)  # fmt: skip
_LINE = ("sku", "category", "quantity", "amount", "kind")
_SALE = ("source", "id")
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
    field: field for field in (*_PLAIN, *MONEY, *JSON)
}
_SAMPLE = 100


class RefusedRow(NamedTuple):
    """A row that was not taken, and why: the intake's refusal code, or one of this module's."""

    line: int
    code: str
    reason: str
    cells: tuple[Cells, ...]


def fields_of(attributes: Iterable[str] = (), tenders: Iterable[str] = ()) -> list[str]:
    """The fields that a column may be, with those of the attributes and tenders named."""
    return [
        *_PLAIN,
        *MONEY,
        *(f"member.{kind}" for kind in ("card", "email", "phone", "external_id")),
        *(f"line.{name}" for name in _LINE),
        *(f"sale.{name}" for name in _SALE),
        *(f"tender.{name}" for name in tenders),
        *(f"attributes.{name}" for name in attributes),
        *JSON,
    ]


def load_mapping(path: Path) -> FileMapping:
    """A mapping from a YAML or JSON file. Refuses (`FileProblem`) unknown keys and wrong types by path."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FileProblem(
            sentence("%(path)s cannot be read: %(strerror)s", path=path, strerror=error),
            sentence("Check the path"),
        ) from error
    except UnicodeDecodeError as error:
        raise FileProblem(
            sentence("%(name)s is not UTF-8 text", name=path.name), sentence("Save it as UTF-8")
        ) from error
    try:
        # BaseLoader builds nothing but text: a column named No or 2024 is neither a boolean nor a number.
        document = yaml.load(text, yaml.BaseLoader)  # noqa: S506
        return msgspec.convert(document or {}, FileMapping, strict=False)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise FileProblem(
            sentence("%(name)s is not YAML (%(problem)s)", name=path.name, problem=error.problem),
            sentence("Check the indentation and the quotes"),
            line,
        ) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise FileProblem(
            sentence("%(name)s is not YAML", name=path.name),
            sentence("Write `columns:` and below it `Column: field`"),
        ) from error
    except msgspec.ValidationError as error:
        raise FileProblem(
            sentence("%(name)s: %(error)s", name=path.name, error=error),
            sentence("The keys of a mapping are %(names)s", names=", ".join(FileMapping.__struct_fields__)),
        ) from error


def mapping_from_options(options: Iterable[str], base: FileMapping | None = None) -> FileMapping:
    """A mapping from `FIELD=COLUMN` options, added to `base`. Refuses (`FileProblem`) other forms."""
    base = base or FileMapping()
    columns = dict(base.columns)
    for option in options:
        field, equals, column = option.partition("=")
        if not (equals and field.strip() and column.strip()):
            raise FileProblem(
                sentence("--map %(option)r is not FIELD=COLUMN", option=option),
                sentence("Write it like --map id='Ticket no'"),
            )
        columns[column.strip()] = field.strip()
    return msgspec.structs.replace(base, columns=columns)


class Reader:
    """The activities of one file, or of another table, in batches.

    `time_zone` is the program's, for instants without an offset. Refuses (`FileProblem`) a file that
    cannot be read, columns that are missing or ambiguous, and a mapping under which none of the first 100
    rows can be read; a single bad row among good ones is a `Row` with its problem instead.
    `attribute_types` are the program's declared types by name: integers and booleans are sent as such.
    """

    def __init__(
        self,
        source: Path | Table,
        *,
        time_zone: str,
        mapping: FileMapping | None = None,
        attribute_types: Mapping[str, str] | None = None,
        maximum_bytes: int = MAXIMUM_BYTES,
    ) -> None:
        self._mapping = mapping = mapping or FileMapping()
        self._table = (
            open_table(source, delimiter=mapping.delimiter, sheet=mapping.sheet, maximum_bytes=maximum_bytes)
            if isinstance(source, Path)
            else source
        )
        self.header = self._table.header
        self.fields = _resolve(self.header, mapping)
        """Field -> column, as understood."""
        zone = _zone(mapping.time_zone or time_zone)
        self.form = RowForm(self.header, self.fields, mapping, zone, attribute_types or {})
        """How its rows are read: another process may do that (`records`)."""
        self._check_sample()

    def batches(self, *, size: int = 5000, after_line: int = 0) -> Iterator[list[Row]]:
        """All rows in order of their first line; those up to `after_line` (a resumed import) left out."""
        batch: list[Row] = []
        for record in self.records():
            if record.lines[0] <= after_line:
                continue
            batch.append(self.form.row(record))
            if len(batch) >= size:
                yield batch
                batch = []
        if batch:
            yield batch

    def records(self) -> Iterator[Record]:
        """The same, each in the cells it was written in: to be read by `form`, here or elsewhere."""
        if self._mapping.lines == "scattered":
            return self._scattered()
        return self._together() if self._mapping.lines else self._single()

    def fraction_read(self) -> float:
        """How much of the file is behind, 0 to 1."""
        return min(1.0, self._table.fraction_read())

    # --- rows and baskets ------------------------------------------------------------------------

    def _single(self) -> Iterator[Record]:
        checked = self.form.checked
        for number, cells in self._table.records():
            try:
                yield Record((number,), (checked(cells),))
            except RowProblem as refused:
                yield Record((number,), (cells,), refused.problem)

    def _together(self) -> Iterator[Record]:
        form = self.form
        seen: set[int] = set()
        numbers: list[int] = []
        basket: list[Cells] = []
        current: tuple[str | None, ...] | None = None
        malformed: tuple[str, Sentence] | None = None
        last_is_malformed = False
        for number, cells in self._table.records():
            try:
                cells = form.checked(cells)
            except RowProblem as refused:
                # It may belong to the basket before or after it: neither may be taken incomplete.
                malformed = (
                    refused.problem[0],
                    sentence("line %(number)s %(problem)s", number=number, problem=refused.problem[1]),
                )
                numbers.append(number)
                basket.append(cells)
                last_is_malformed = True
                continue
            key = form.key(cells)
            if key != current or not form.has_id(cells):
                if basket:
                    yield Record(tuple(numbers), tuple(basket), malformed)
                    malformed = malformed if last_is_malformed else None
                numbers, basket = [], []
                current = key
                # Only the hash is kept: a file may hold millions of baskets.
                if hash(key) in seen:
                    raise FileProblem(
                        sentence("the rows of basket %(key)r do not stand together", key=key[-1]),
                        sentence(
                            'Sort the file by basket, or say that its lines may stand anywhere (lines: "scattered")'
                        ),
                        number,
                    )
                if form.has_id(cells):
                    seen.add(hash(key))
            last_is_malformed = False
            numbers.append(number)
            basket.append(cells)
        if basket:
            yield Record(tuple(numbers), tuple(basket), malformed)

    def _scattered(self) -> Iterator[Record]:
        form = self.form
        baskets: dict[tuple[str | None, ...], tuple[list[int], list[Cells]]] = {}
        for number, cells in self._table.records():
            try:
                cells = form.checked(cells)
            except RowProblem as refused:
                raise FileProblem(
                    refused.problem[1],
                    sentence(
                        "Correct it: the basket it belongs to cannot be known, and none may be taken incomplete"
                    ),
                    number,
                ) from refused
            numbers, basket = baskets.setdefault(
                form.key(cells) if form.has_id(cells) else (str(number),), ([], [])
            )
            numbers.append(number)
            basket.append(cells)
        for numbers, basket in baskets.values():
            yield Record(tuple(numbers), tuple(basket))

    def _check_sample(self) -> None:
        # Each row by itself: whether its cells can be read does not depend on its basket.
        alone = self.form.alone()
        problems = []
        for count, record in enumerate(self._single(), start=1):
            row = alone.row(record)
            if row.problem is None:
                return
            problems.append((row.line, row.problem))
            if count == _SAMPLE:
                break
        if len(problems) > 1:
            line, (_, reason) = problems[0]
            raise FileProblem(
                sentence(
                    "none of the first %(count)s rows can be read; the first: %(reason)s",
                    count=len(problems),
                    reason=reason,
                ),
                sentence("Correct the mapping or the file; nothing was imported"),
                line,
            )


def _zone(name: str) -> str:
    if not is_zone(name):
        raise FileProblem(
            sentence("%(name)r is not a time zone", name=name), sentence("Name one such as Europe/Paris")
        )
    return name


def _known(field: str) -> str:
    """The full name of a field. Refuses (`FileProblem`) what is none."""
    field = "member.external_id" if field == "member" else field
    room, _, name = field.partition(".")
    if (
        field in (*_PLAIN, *MONEY, *JSON)
        or _OPEN.fullmatch(field)
        or (room == "line" and name in _LINE)
        or (room == "sale" and name in _SALE)
    ):
        return field
    everything = [*_PLAIN, *MONEY, *JSON, *(f"line.{name}" for name in _LINE), "sale.id", "sale.source"]
    near = difflib.get_close_matches(field, everything, n=1)
    raise FileProblem(
        sentence("%(field)r is not a field of an activity", field=field),
        _nearest(
            near[0] if near else "",
            sentence(
                "Fields are %(names)s",
                names=", ".join([*everything, "member.KIND", "tender.KIND", "attributes.NAME"]),
            ),
        ),
    )


def _nearest(near: str, all_there_are: Sentence) -> Sentence:
    """What may have been meant, where anything is near, and what there is."""
    if not near:
        return all_there_are
    return sentence("Did you mean %(near)s? %(there)s", near=near, there=all_there_are)


def _resolve(header: Sequence[str], mapping: FileMapping) -> dict[str, str]:
    """Field -> column. Refuses (`FileProblem`) what is unknown, doubled, ambiguous or missing."""
    fields: dict[str, str] = {}
    for column, field in mapping.columns.items():
        if column not in header:
            near = difflib.get_close_matches(column, header, n=1)
            raise FileProblem(
                sentence("there is no column %(column)r", column=column),
                _nearest(
                    repr(near[0]) if near else "",
                    sentence("The columns are %(names)s", names=", ".join(header)),
                ),
            )
        field = _known(field)
        if field in fields:
            raise FileProblem(
                sentence(
                    "both %(fields)r and %(column)r are mapped to %(field)s",
                    fields=fields[field],
                    column=column,
                    field=field,
                ),
                sentence("Keep one of them"),
            )
        fields[field] = column
    for field in mapping.constants:
        if field not in _CONSTANT:
            raise FileProblem(
                sentence("%(field)r cannot be a constant", field=field),
                sentence("Constants are %(names)s", names=", ".join(_CONSTANT)),
            )
        if field in fields:
            raise FileProblem(
                sentence(
                    "%(field)s is both a constant and the column %(fields)r",
                    field=field,
                    fields=fields[field],
                ),
                sentence("Keep one of them"),
            )
    automatic: dict[str, list[str]] = {}
    mapped = {*mapping.columns, *mapping.left_out}
    for column in header:
        if column and column not in mapped and column not in REFUSED_COLUMNS:
            guess = guessed(column)
            if guess and guess not in fields and guess not in mapping.constants:
                automatic.setdefault(guess, []).append(column)
    for field, columns in automatic.items():
        # A column with the field's own name wins over synonyms.
        exact = [column for column in columns if _normal(column) == field]
        if len(columns) > 1 and len(exact) != 1:
            raise FileProblem(
                sentence(
                    "the columns %(names)s could all be %(field)s",
                    names=", ".join(map(repr, columns)),
                    field=field,
                ),
                sentence("Say which of them is %(field)s", field=field),
            )
        fields[field] = (exact or columns)[0]
    if mapping.lines and "amount" in automatic and "line.amount" not in fields:
        column = fields["amount"]
        raise FileProblem(
            sentence("%(column)r may be the amount of a line or of the whole basket", column=column),
            sentence("Map it to line.amount or to amount"),
        )
    _check_complete(fields, header, mapping)
    return fields


def guessed(column: str) -> str | None:
    """The field that a column of this name is taken for without a mapping; None for none."""
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
    missing = [field for field in NEEDED if field not in given]
    if not any(field.startswith("member.") for field in fields):
        missing.append("member")
    if missing:
        names = ", ".join(missing)
        remedy = (
            sentence(
                "Map a column to %(names)s, or set one source for the whole file (constants: {source: till} in a "
                "mapping file, see docs/guides/imports.md)",
                names=names,
            )
            if "source" in missing
            else sentence("Map a column to %(names)s", names=names)
        )
        raise FileProblem(
            sentence(
                "no column for %(names)s among %(names_2)s",
                names=names,
                names_2=", ".join(name for name in header if name),
            ),
            remedy,
        )
    if mapping.lines and not any(field.startswith("line.") for field in fields):
        raise FileProblem(
            sentence("lines is set, but no column is a field of a line"),
            sentence("Map one, such as line.amount"),
        )
    if "lines" in fields and any(field.startswith("line.") for field in fields):
        raise FileProblem(
            sentence("both lines and line.FIELD are mapped"), sentence("Keep one of the two forms")
        )


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
        with path.open("w" if fresh else "a", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            own = [index for index, name in enumerate(header) if name not in REFUSED_COLUMNS]
            if fresh:
                writer.writerow([*REFUSED_COLUMNS, *(_safe(header[index]) for index in own)])
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
            sentence("%(path)s cannot be written: %(strerror)s", path=path, strerror=error),
            sentence("Name another file for the refused lines"),
        ) from error
    return written


def refused_in(path: Path) -> int:
    """How many lines a file holds that `write_refused` wrote; none where there is no such file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return max(sum(1 for _ in csv.reader(file)) - 1, 0)
    except (OSError, UnicodeDecodeError, csv.Error):
        return 0


def _safe(cell: str | None) -> str:
    text = cell or ""
    # Apostrophes of the cell's own are counted in, so that taking one off gives the cell back.
    return "'" + text if text.lstrip("'").startswith(DANGEROUS) else text
