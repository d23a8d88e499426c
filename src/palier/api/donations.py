"""Donations: totals for those who pay them out, receipts for those who gave."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from palier.api.calls import ApiKey, answer, call
from palier.api.order_schemas import OrderRef
from palier.api.problems import not_found
from palier.api.schemas import Answered, DecimalText, problems
from palier.engine.amounts import from_minor
from palier.payouts import donations
from palier.rewards import order_store

router = Router(tags=["Donations"])
READ: Final = ApiKey("members:read")


class DonationTotal(Answered):
    campaign: str | None
    beneficiary: dict[str, str]
    donations: int
    amount: DecimalText
    money: str


class DonationsAnswer(Answered):
    period: str
    totals: list[DonationTotal]


@router.get(
    "/donations",
    auth=READ,
    operation_id="read_donations",
    summary="Read what was given",
    response={200: DonationsAnswer, **problems()},
)
def read_donations(
    request: HttpRequest,
    period: Annotated[
        str,
        Query(pattern=r"^[12][0-9]{3}(-(0[1-9]|1[0-2]))?$", description="A year, 2026, or a month, 2026-03."),
    ],
) -> HttpResponse:
    """Totals by campaign and beneficiary of donations that members ordered and that stand, in local time."""
    with call(request, snapshot=True) as made:
        found = donations.totals(made.connection, made.runtime, period)
        exponent = made.runtime.latest.exponent
        return answer(
            {
                "period": period,
                "totals": [
                    {
                        "campaign": total.campaign or None,
                        "beneficiary": {
                            language: text
                            for language, text in (("en", total.beneficiary.en), ("fr", total.beneficiary.fr))
                            if text
                        },
                        "donations": total.donations,
                        "amount": from_minor(total.amount, exponent),
                        "money": total.money,
                    }
                    for total in found
                ],
            }
        )


@router.get(
    "/orders/{order}/receipt",
    auth=READ,
    operation_id="read_donation_receipt",
    summary="Read the receipt of a donation",
    response=problems(404),
    openapi_extra={
        "responses": {
            200: {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}
        }
    },
)
def read_donation_receipt(
    request: HttpRequest, order: OrderRef, language: Annotated[Literal["en", "fr"], Query()] = "en"
) -> HttpResponse:
    """The receipt as PDF, where the reward gives one and the donation stands."""
    with call(request, snapshot=True) as made:
        ids = order_store.decode_order_ref(order)
        found = order_store.read(made.connection, made.key.program_id, *ids) if ids is not None else None
        paper = (
            donations.receipt(made.connection, made.runtime, found, language) if found is not None else None
        )
        if paper is None:
            raise not_found("receipt")
    answered = HttpResponse(paper.pdf(), content_type="application/pdf")
    answered["Content-Disposition"] = f'attachment; filename="{paper.name}.pdf"'
    return answered
