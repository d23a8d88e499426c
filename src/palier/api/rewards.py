"""The catalogue of rewards: browsing it, as anyone or as a member, and writing it."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import Field

from palier.activities.operations import NotDone, points_minor
from palier.api.bodies import raw_body
from palier.api.calls import ApiKey, Call, answer, call, encode, write, written
from palier.api.cursors import read_cursor, write_cursor
from palier.api.problems import Problem, not_found, of_refusal
from palier.api.reward_schemas import (
    ImportedRewards,
    PageCursor,
    Reason,
    RewardAnswer,
    RewardPath,
    RewardsAnswer,
    RewardVersionsAnswer,
    SuitingAnswer,
    Word,
    WrittenAnswer,
)
from palier.api.schemas import PAGE, IdempotencyKey, Key, Limit, Points, Ref, problems
from palier.connectors.pictures import EDGES
from palier.engine.amounts import from_minor
from palier.engine.currencies import exponent
from palier.engine.document import Picture, Text
from palier.engine.state import NEVER
from palier.members import refs
from palier.programs import pictures
from palier.programs.files import DocumentProblem, source_of
from palier.programs.structure import convert, faults
from palier.rewards import browsing, catalogue, operations
from palier.rewards.browsing import Filters, Line, Position
from palier.rewards.catalogue import MemberStanding, Offer, Terms
from palier.rewards.changes import difference
from palier.rewards.document import Money, Price, Reward, to_builtins
from palier.rewards.quality import quality
from palier.rewards.suiting import suiting
from palier.staff.operations import Answer

router = Router(tags=["Rewards"])
READ: Final = ApiKey("rewards:read")
WRITE: Final = ApiKey("rewards:write")
MEMBERS: Final = ApiKey("members:read")
MOST_AT_ONCE: Final = 1000
MOST_TOLD: Final = 100
DOCUMENT: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A reward's document; `palier rewards schema` prints its JSON Schema.",
        "content": {"application/json": {"schema": {"title": "Reward document", "type": "object"}}},
    }
}
IMPORT: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "Documents of rewards, at most 1,000 and 1 MB.",
        "content": {
            "application/json": {
                "schema": {
                    "title": "Rewards",
                    "type": "object",
                    "required": ["rewards"],
                    "properties": {
                        "rewards": {
                            "type": "array",
                            "maxItems": MOST_AT_ONCE,
                            "items": {
                                "description": "A document of a reward; of what is none its line is told."
                            },
                        }
                    },
                    "additionalProperties": False,
                }
            }
        },
    }
}
Lang = Annotated[
    Literal["en", "fr"] | None, Query(description="Language of the texts; the program's first by default.")
]


class RewardViews:
    """Writes rewards of one program in one language; a text that is missing in it is that of the other."""

    def __init__(self, made: Call, language: str | None) -> None:
        self.made = made
        self.plan = made.runtime.latest
        self.language = language or self.plan.program.languages[0]

    def text(self, text: Text) -> str:
        return (text.fr or text.en) if self.language == "fr" else (text.en or text.fr)

    def maybe(self, text: Text | None) -> str | None:
        return self.text(text) if text is not None else None

    def money(self, money: Money | None) -> dict[str, str] | None:
        if money is None:
            return None
        places = exponent(money.currency)
        return {"amount": from_minor(catalogue.money_minor(money), places), "currency": money.currency}

    def picture(self, picture: Picture | None) -> dict[str, Any] | None:
        if picture is None:
            return None
        program = self.made.runtime.key
        digest = pictures.digest_of(program, picture.source)
        sizes = None
        if digest is not None:
            sizes = {
                str(EDGES[form]): pictures.address(program, digest, form)
                for form in ("small", "medium", "large")
            }
        return {"source": picture.source, "alt": self.text(picture.alt), "sizes": sizes}

    def points(self, points: dict[str, int]) -> dict[str, str]:
        return {key: self.made.points(key, minor) for key, minor in points.items()}

    def prices(self, prices: list[Price], offered: Offer | None) -> list[dict[str, Any]]:
        shown = []
        for number, price in enumerate(prices):
            item: dict[str, Any] = {
                "key": price.key,
                "points": self.points(catalogue.price_points(self.plan, price)),
                "money": self.money(price.money),
                "tiers": price.tiers,
            }
            if offered is not None:
                asked = offered.prices[number]
                item |= {"allowed": asked.allowed, "missing": self.points(asked.missing)}
            shown.append(item)
        return shown

    def line(self, line: Line, member: MemberStanding | None) -> dict[str, Any]:
        return {
            **self.short(line.terms, line.offer if member is not None else None),
            "new": line.is_new,
            "ending": line.ending(self.made.now),
            "visible_until": written(line.ends_at),
        }

    def short(self, terms: Terms, offered: Offer | None) -> dict[str, Any]:
        reward = terms.reward
        shown: dict[str, Any] = {
            "reward": reward.key,
            "kind": reward.kind,
            "version": terms.version,
            "state": reward.state,
            "name": self.text(reward.name),
            "summary": self.maybe(reward.summary),
            "picture": self.picture(reward.picture),
            "category": reward.category,
            "tags": reward.tags,
            "prices": self.prices(reward.prices, offered),
            "list_price": self.money(reward.list_price),
            "partner": reward.partner,
        }
        if offered is not None:
            shown["offer"] = {
                "reachable": offered.reachable,
                "reasons": [
                    {"code": reason.code, "text": reason.said(self.language)} for reason in offered.reasons
                ],
            }
        return shown

    def whole(self, terms: Terms, member: MemberStanding | None) -> dict[str, Any]:
        """Everything a member may know: neither what it costs nor who delivers it."""
        reward, runtime, now = terms.reward, self.made.runtime, self.made.now
        offered = catalogue.offer(runtime, reward, member, at=now)
        since, until = catalogue.window(reward, self.plan)
        gives: dict[str, Any] = msgspec.to_builtins(reward.gives)
        gives.pop("pool", None)
        return {
            **self.short(terms, offered if member is not None else None),
            # A reward without a first day is as new as its listing, which a single one is not asked for.
            "new": 0 < since <= now and now - since < browsing.NEW_FOR,
            "ending": until - now <= browsing.ENDING_WITHIN,
            "visible_until": written(until) if until < NEVER else None,
            "terms": self.maybe(reward.terms),
            "countries": reward.countries,
            "variants": [
                {
                    "key": variant.key,
                    "name": self.text(variant.name),
                    "worth": variant.worth,
                    "prices": self.prices(
                        reward.prices_of(variant.key),
                        catalogue.offer(runtime, reward, member, at=now, variant=variant.key)
                        if member is not None
                        else None,
                    ),
                }
                for variant in reward.variants
            ],
            "slots": [msgspec.structs.asdict(slot) for slot in reward.slots],
            "gives": self.plain(gives),
            "limits": msgspec.to_builtins(reward.limits),
            "minimum_points": reward.minimum_points,
            "giving_back": msgspec.structs.asdict(reward.giving_back),
        }

    def plain(self, value: Any) -> Any:
        """Plain data with its texts in the language asked for."""
        if isinstance(value, dict):
            if value and value.keys() <= {"en", "fr"}:
                return self.text(Text(value.get("en", ""), value.get("fr", "")))
            return {name: self.plain(item) for name, item in value.items()}
        return [self.plain(item) for item in value] if isinstance(value, list) else value


def _member(made: Call, ref: str | None) -> MemberStanding | None:
    """The member as whom the catalogue is seen. What he lacks tells what he has: the key must be let read that."""
    if ref is None:
        return None
    if MEMBERS.right not in made.key.rights:
        raise Problem(
            403, "forbidden", f"This key lacks the right {MEMBERS.right}.",
            field="member", remedy="leave member out, or ask for a key with this right",
        )  # fmt: skip
    found = catalogue.standing(made.connection, made.runtime, made.member(ref), now=made.now)
    if found is None:
        raise not_found()
    return found


def _malformed(field: str, detail: str, remedy: str) -> Problem:
    return Problem(422, "malformed", detail, field=field, remedy=remedy)


def _minor(made: Call, currency: str | None, points: str | None) -> int | None:
    if points is None:
        return None
    if currency is None:
        raise _malformed("max_points", "Points of which currency is not said.", "add currency")
    if not points.strip("0."):
        return 0
    try:
        return points_minor(made.runtime, currency, points)
    except NotDone as refused:
        raise of_refusal(msgspec.structs.replace(refused.refusal, field="max_points")) from None


def _current(made: Call) -> None:
    """Versions that were dated and have begun are listed first: nobody sees a price that holds no more."""
    if browsing.begun(made.connection, made.runtime.program_id, now=made.now):
        operations.take_effect(made.connection, made.runtime, now=made.now)
        made.connection.commit()


@router.get(
    "/rewards",
    auth=READ,
    operation_id="list_rewards",
    summary="Browse the catalogue",
    response={200: RewardsAnswer, **problems(404)},
)
def list_rewards(
    request: HttpRequest,
    q: Annotated[
        Word | None,
        Query(description="Words, in the language `lang`; accents and endings do not matter."),
    ] = None,
    kind: Annotated[Word | None, Query(description="A kind of reward, such as gift_card.")] = None,
    category: Annotated[
        Annotated[str, Field(min_length=1, max_length=200)] | None,
        Query(description="A category and what is below it."),
    ] = None,
    tag: Annotated[Word | None, Query(description="A tag; several between commas must all be there.")] = None,
    country: Annotated[
        Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None, Query(description="Where it must be to be had.")
    ] = None,
    partner: Annotated[Key | None, Query(description="A partner of the program.")] = None,
    supplier: Annotated[Key | None, Query(description="A supplier.")] = None,
    currency: Annotated[Key | None, Query(description="A point currency in which it can be paid.")] = None,
    max_points: Annotated[
        Points | None, Query(description="The most points of `currency` that it may ask.")
    ] = None,
    member: Annotated[
        Ref | None, Query(description="As whom: only what he sees, with what he lacks for each price.")
    ] = None,
    reachable: Annotated[bool, Query(description="Only what the member can have now.")] = False,
    sort: Annotated[
        Literal["newest", "price", "ending"], Query(description="`price` needs `currency`.")
    ] = "newest",
    lang: Lang = None,
    limit: Limit = PAGE,
    cursor: PageCursor = None,
) -> HttpResponse:
    """A page of the rewards that can be seen now. All filters that are given must hold.

    Pages follow each other by position: what comes, goes or changes meanwhile moves nothing else. For a member a page
    may have fewer lines than asked for; the end is reached when there is no `next`.
    """
    with call(request) as made:
        seen_by = _member(made, member)
        if sort == "price" and currency is None:
            raise _malformed("sort", "Prices of different currencies have no order.", "add currency")
        if reachable and seen_by is None:
            raise _malformed("reachable", "Whose reach is not said.", "add member")
        if currency is not None and currency not in made.runtime.latest.currencies:
            raise Problem(
                404, "unknown_point_currency", "The program has no such point currency.", field="currency",
                remedy="use one of: " + ", ".join(made.runtime.latest.currencies),
            )  # fmt: skip
        views = RewardViews(made, lang)
        filters = Filters(
            kind,
            category,
            tuple(tag.split(",")) if tag is not None else (),
            (),
            country,
            partner,
            supplier,
            currency,
            _minor(made, currency, max_points),
            q or "",
            views.language,
            reachable,
        )
        _current(made)
        page = browsing.browse(
            made.connection, made.runtime, filters,
            now=made.now, limit=limit, sort=sort, after=_position(request, cursor), member=seen_by,
        )  # fmt: skip
        behind = page.next
        return answer(
            {
                "rewards": [views.line(line, seen_by) for line in page.lines],
                "next": None if behind is None else write_cursor(request, behind.value, behind.reward_id),
            }
        )


def _position(request: HttpRequest, cursor: str | None) -> Position | None:
    places = read_cursor(request, cursor, 2)
    return Position(*places) if places is not None else None


@router.get(
    "/members/{ref}/rewards",
    auth=MEMBERS,
    operation_id="suiting_rewards",
    summary="Read what suits a member",
    response={200: SuitingAnswer, **problems(404)},
)
def suiting_rewards(
    request: HttpRequest,
    ref: Ref,
    category: Annotated[
        Annotated[str, Field(min_length=1, max_length=200)] | None,
        Query(description="A category and what is below it."),
    ] = None,
    lang: Lang = None,
    limit: Annotated[int, Query(ge=1, le=50, description="How many.")] = 10,
) -> HttpResponse:
    """Rewards ranked by what is known of the member, each with the reason why it is shown to him.

    Known are his interests, the categories of his last purchases, his tier and what he can spend.
    """
    with call(request) as made:
        seen_by = _member(made, ref)
        assert seen_by is not None
        views = RewardViews(made, lang)
        _current(made)
        found = suiting(
            made.connection, made.runtime, seen_by, Filters(category=category), now=made.now, limit=limit
        )
        return answer(
            {
                "member": refs.encode(seen_by.member_id),
                "rewards": [
                    {
                        **views.line(item.line, seen_by),
                        "because": {
                            "code": item.because,
                            "text": item.fr if views.language == "fr" else item.en,
                        },
                    }
                    for item in found
                ],
            }
        )


def _terms(made: Call, reward: str) -> Terms:
    found = catalogue.terms(made.connection, made.runtime.program_id, reward, made.now)
    if found is None:
        raise not_found("reward")
    return found


@router.get(
    "/rewards/{reward}",
    auth=READ,
    operation_id="read_reward",
    summary="Read a reward",
    response={200: RewardAnswer, **problems(404)},
)
def read_reward(
    request: HttpRequest,
    reward: RewardPath,
    member: Annotated[Ref | None, Query(description="As whom: with what he lacks for each price.")] = None,
    lang: Lang = None,
) -> HttpResponse:
    """A reward as it is now, with all that a member may know of it. Drafts are not read here."""
    with call(request, snapshot=True) as made:
        found = _terms(made, reward)
        if found.reward.state == "draft":
            raise not_found("reward")
        return answer(RewardViews(made, lang).whole(found, _member(made, member)))


@router.get(
    "/rewards/{reward}/versions",
    auth=WRITE,
    operation_id="list_reward_versions",
    summary="List a reward's versions",
    response={200: RewardVersionsAnswer, **problems(404)},
)
def list_reward_versions(request: HttpRequest, reward: RewardPath) -> HttpResponse:
    """All versions, first to last: since when each holds, who wrote it and why, and what it changed."""
    with call(request, snapshot=True) as made:
        found = catalogue.versions(made.connection, made.runtime.program_id, reward)
        if not found:
            raise not_found("reward")
        before: Reward | None = None
        shown = []
        for version in found:
            shown.append(
                {
                    "version": version.number,
                    "valid_from": written(version.valid_from),
                    "made_at": written(version.made_at),
                    "made_by": version.made_by,
                    "reason": version.reason,
                    "sha256": version.sha256,
                    "changes": [
                        {"path": change.path, "kind": change.kind, "en": change.en, "fr": change.fr}
                        for change in difference(before, version.reward)
                    ],
                    "document": to_builtins(version.reward),
                }
            )
            before = version.reward
        return answer({"reward": reward, "versions": shown})


# --- writing ----------------------------------------------------------------------------------------------


def _invalid(errors: list[dict[str, str]]) -> Problem:
    return Problem(
        422,
        "invalid_reward",
        "The reward has errors.",
        remedy="correct the places that are named",
        errors=errors,
    )


def _plain(request: HttpRequest) -> Any:
    """The body's JSON, numbers with a fraction as they were written."""
    found = source_of(raw_body(request, "application/json"), "json")
    if isinstance(found, DocumentProblem):
        raise Problem(400, "malformed", f"The body cannot be read: {found.message}.", remedy=found.remedy)
    return found.data


def _document(data: Any) -> Reward:
    wrong = faults(data, Reward)
    if wrong:
        raise _invalid([{"field": item.path, "message": f"{item.message}; {item.remedy}"} for item in wrong])
    return convert(data, Reward)


def _write(made: Call, reward: Reward, reason: str | None) -> Answer:
    try:
        found = operations.put(
            made.connection, made.runtime, reward,
            by=f"key:{made.key.prefix}", reason=reason or "", now=made.now,
        )  # fmt: skip
    except operations.NotTaken as refused:
        raise _invalid(
            [{"field": item.path, "message": f"{item.message}; {item.remedy}"} for item in refused.problems]
        ) from None
    shown = {
        "reward": found.key,
        "version": found.number,
        "valid_from": written(found.valid_from),
        "findings": [msgspec.structs.asdict(finding) for finding in quality(reward, made.runtime.latest)],
    }
    return Answer(201 if found.is_new else 200, encode(shown))


@router.put(
    "/rewards/{reward}",
    auth=WRITE,
    operation_id="put_reward",
    summary="Write a reward",
    response={201: WrittenAnswer, 200: WrittenAnswer, **problems(409, 413, 415)},
    openapi_extra=DOCUMENT,
)
def put_reward(
    request: HttpRequest, reward: RewardPath, reason: Reason = None, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Writes a reward, new or as the next version of the one with its key; 200 when the latest says the same.

    A version holds at once, or from its `effective_from` on. Orders keep the version under which they were made.
    """

    def act(made: Call, identifier: str) -> Answer:
        found = _document(_plain(request))
        if found.key != reward:
            raise Problem(
                422, "other_reward", "The document is of another reward than the address.",
                field="key", remedy="send the document of this reward",
            )  # fmt: skip
        return _write(made, found, reason)

    return write(request, "reward", idempotency_key, act)


@router.patch(
    "/rewards/{reward}",
    auth=WRITE,
    operation_id="change_reward",
    summary="Change a reward",
    response={201: WrittenAnswer, 200: WrittenAnswer, **problems(404, 409, 413, 415)},
    openapi_extra=DOCUMENT,
)
def change_reward(
    request: HttpRequest, reward: RewardPath, reason: Reason = None, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Writes the next version as what holds now with some settings in place of its own; null takes one away.

    Such as `{"prices": [{"points": {"stars": "400"}}]}`, `{"state": "paused"}`, or either with an `effective_from`.
    """

    def act(made: Call, identifier: str) -> Answer:
        data = _plain(request)
        if not isinstance(data, dict) or not data:
            raise _invalid([{"field": "", "message": "there is no setting to change; send some by name"}])
        if data.get("key", reward) != reward:
            raise _invalid([{"field": "key", "message": "the key of a reward never changes; leave it out"}])
        held = to_builtins(_terms(made, reward).reward)
        held.pop("effective_from", None)
        whole = {name: value for name, value in (held | data).items() if value is not None}
        return _write(made, _document(whole), reason)

    return write(request, "reward-change", idempotency_key, act)


@router.post(
    "/rewards:import",
    auth=WRITE,
    operation_id="import_rewards",
    summary="Write many rewards",
    response={200: ImportedRewards, **problems(409, 413, 415)},
    openapi_extra=IMPORT,
)
def import_rewards(
    request: HttpRequest, reason: Reason = None, idempotency_key: IdempotencyKey = None
) -> HttpResponse:
    """Writes up to 1,000 rewards, as a supplier's catalogue is brought in; those with errors are told.

    Sent again, it changes nothing.
    """

    def act(made: Call, identifier: str) -> Answer:
        data = _plain(request)
        if not isinstance(data, dict) or data.keys() != {"rewards"} or not isinstance(data["rewards"], list):
            raise _malformed("body", "The body is not a list of rewards.", 'send {"rewards": [...]}')
        if len(data["rewards"]) > MOST_AT_ONCE:
            raise _malformed("rewards", f"There are more than {MOST_AT_ONCE} rewards.", "send them in parts")
        done = operations.Loaded()
        refused: list[operations.Refusal] = []
        operations.take(
            made.connection, made.runtime, list(enumerate(data["rewards"], 1)), done,
            by=f"key:{made.key.prefix}", reason=reason or "", now=made.now, on_refused=refused.append,
        )  # fmt: skip
        operations.log_load(
            made.connection,
            made.runtime,
            done,
            by=f"key:{made.key.prefix}",
            reason=reason or "",
            now=made.now,
        )
        return Answer(
            200,
            encode(
                {
                    **msgspec.structs.asdict(done),
                    "problems": [
                        {
                            "line": item.line, "reward": item.key, "field": item.path,
                            "message": item.message, "remedy": item.remedy,
                        }
                        for item in refused[:MOST_TOLD]
                    ],
                }
            ),
        )  # fmt: skip

    return write(request, "reward-import", idempotency_key, act)
