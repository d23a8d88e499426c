"""What is wrong with the document of a reward: each problem at its place, with its code and a remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import yaml

from palier.engine.checker import CODES
from palier.programs.structure import faults
from palier.rewards import files
from palier.rewards.check import check
from palier.rewards.document import KINDS, Gives, Reward, canonical
from tests.api.shop import document, program_of
from tests.rewards.shelf import reward

PROGRAM = program_of(
    document(
        member_attributes={"age": {"type": "integer"}},
        point_currencies=[
            *document()["point_currencies"],
            {
                "key": "medal", "kind": "badge",
                "name": {"en": {"one": "m", "other": "m"}, "fr": {"one": "m", "other": "m"}},
            },
        ],
    )
)  # fmt: skip

SLOT = {
    "key": "may", "starts_at": "2027-05-01T18:00:00+02:00", "ends_at": "2027-05-01T20:00:00+02:00", "capacity": 9,
}  # fmt: skip
EVERY: dict[str, dict[str, Any]] = {
    "percent_off": {"gives": {"kind": "percent_off", "percent": "10", "maximum": "5.00"}},
    "amount_off": {"gives": {"kind": "amount_off", "amount": "5"}},
    "product": {"gives": {"kind": "product", "sku": "4006381333931"}},
    "service": {"gives": {"kind": "service", "uses": 3}},
    "entitlement": {"gives": {"kind": "entitlement", "starts": "2027-01-01", "ends": "2027-02-01"}},
    "gift_card": {
        "gives": {"kind": "gift_card"},
        "variants": [{"key": "ten", "name": {"en": "10"}, "worth": "10", "pool": "tens"}],
    },
    "merchandise": {"gives": {"kind": "merchandise"}},
    "experience": {"gives": {"kind": "experience", "waiting_list": True}, "slots": [SLOT]},
    "donation": {"gives": {"kind": "donation", "beneficiary": {"en": "A school"}, "worth": "2"}},
    "tier_upgrade": {"gives": {"kind": "tier_upgrade", "tier": "gold", "days": 30}},
    "subscription": {"gives": {"kind": "subscription", "deliveries": 6}},
    "bundle": {"gives": {"kind": "bundle", "rewards": [{"reward": "tea"}, {"reward": "mug"}]}},
    "mystery": {"gives": {"kind": "mystery", "options": [{"reward": "tea"}, {"reward": "mug", "weight": 3}]}},
    "choice": {"gives": {"kind": "choice", "rewards": [{"reward": "tea"}, {"reward": "mug"}]}},
    "sweepstake": {
        "gives": {"kind": "sweepstake", "draw_at": "2027-05-01T18:00:00Z", "prizes": [{"reward": "tea"}]}
    },
    "payout": {"gives": {"kind": "payout", "purpose": "bill", "worth": "5"}},
    "course": {"gives": {"kind": "course", "module": "m-4"}},
}
"""A sound reward of every kind."""


def known(key: str) -> Reward | None:
    """Two plain rewards, and two that are no part of another."""
    return {
        "tea": reward("tea"),
        "mug": reward("mug"),
        "shirt": reward("shirt", variants=[{"key": "small", "name": {"en": "S"}}]),
        "concert": reward("concert", **EVERY["experience"]),
        "pack": reward("pack", **EVERY["bundle"]),
    }.get(key)


def test_every_kind_is_there_and_sound() -> None:
    assert list(EVERY) == list(KINDS)
    assert {kind.__struct_config__.tag for kind in get_args(Gives)} == set(KINDS)
    for kind, changes in EVERY.items():
        found = reward("r", **changes)
        assert found.kind == kind
        assert check(found, PROGRAM, known) == [], kind
        assert msgspec.json.decode(canonical(found), type=Reward) == found


def price(**changes: Any) -> dict[str, Any]:
    return {"prices": [{"points": {"stars": "500"}, **changes}]}


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"name": {"en": " "}}, "name", "missing_text"),
    ({"name": {"en": "x" * 201}}, "name.en", "too_long"),
    ({"summary": {"en": "card 4111 1111 1111 1111"}}, "summary.en", "format"),
    ({"picture": {"source": "javascript:alert(1)", "alt": {"en": "x"}}}, "picture.source", "format"),
    ({"picture": {"source": "http://shop.example/x.png", "alt": {"en": "x"}}}, "picture.source", "format"),
    ({"picture": {"source": "//evil.example/x.png", "alt": {"en": "x"}}}, "picture.source", "format"),
    ({"picture": {"source": "/a/../../b.png", "alt": {"en": "x"}}}, "picture.source", "format"),
    ({"picture": {"source": "/a.png", "alt": {}}}, "picture.alt", "missing_text"),
    ({"tags": ["a", "a"]}, "tags[1]", "duplicate_key"),
    ({"countries": ["FR", "FR"]}, "countries[1]", "duplicate_key"),
    ({"prices": [{}, {}]}, "prices[1].key", "duplicate_key"),
    (price(points={"star": "1"}), "prices[0].points.star", "unknown_reference"),
    (price(points={"stars": "1.005"}), "prices[0].points.stars", "too_many_decimals"),
    (price(points={"stars": "0"}), "prices[0].points.stars", "zero"),
    (price(points={"medal": "1"}), "prices[0].points.medal", "contradiction"),
    (price(money={"amount": "1.005", "currency": "EUR"}), "prices[0].money.amount", "too_many_decimals"),
    (price(money={"amount": "1", "currency": "EUX"}), "prices[0].money.currency", "unknown_currency"),
    (price(money={"amount": "0", "currency": "EUR"}), "prices[0].money.amount", "zero"),
    (price(tiers=["platinum"]), "prices[0].tiers[0]", "unknown_reference"),
    (price(tiers=[]), "prices[0].tiers", "contradiction"),
    ({"variants": [{"key": "s", "name": {}}]}, "variants[0].name", "missing_text"),
    ({"variants": [{"key": "s", "name": {"en": "S"}, "worth": "5"}]}, "variants[0].worth", "no_effect"),
    ({"variants": [{"key": "s", "name": {"en": "S"}, "pool": "p"}]}, "variants[0].pool", "no_effect"),
    ({"variants": [{"key": "s", "name": {"en": "S"}, "prices": []}]}, "variants[0].prices", "missing"),
    ({"stock": 3, "variants": [{"key": "s", "name": {"en": "S"}, "stock": 3}]}, "stock", "contradiction"),
    ({"slots": [SLOT]}, "slots", "no_effect"),
    ({"cost": {"amount": "1.001", "currency": "EUR"}}, "cost.amount", "too_many_decimals"),
    ({"partner": "someone"}, "partner", "unknown_reference"),
    ({"fulfilled_by": "supplier"}, "fulfilled_by", "contradiction"),
    ({"supplier": {"key": "s", "sku": "\n"}}, "supplier.sku", "format"),
    ({"visible": {"from": "2027-02-30"}}, "visible.from", "date"),
    ({"visible": {"from": "2027-02-02", "until": "2027-02-01"}}, "visible.until", "contradiction"),
    ({"audience": {}}, "audience", "no_effect"),
    ({"audience": {"tiers": ["gold", "gold"]}}, "audience.tiers[1]", "duplicate_key"),
    ({"audience": {"members": {"field": "amount", "at_least": "3"}}}, "audience.members.field", "condition"),
    ({"limits": {"per_member": 2, "per_order": 3}}, "limits.per_order", "contradiction"),
    (
        {"limits": {"per_member": 2, "per_member_period": {"n": 3, "period": "day"}}},
        "limits.per_member_period.n",
        "contradiction",
    ),
    ({"minimum_points": {"stars": "0"}}, "minimum_points.stars", "zero"),
    ({"giving_back": {"hours_before": 3}}, "giving_back.hours_before", "no_effect"),
    (
        {"giving_back": {"cancellable": "never", "cancellable_days": 3}},
        "giving_back.cancellable_days",
        "no_effect",
    ),
    ({"effective_from": "2027-01-01"}, "effective_from", "date"),
    ({"gives": {"kind": "percent_off", "percent": "0"}}, "gives.percent", "range"),
    ({"gives": {"kind": "percent_off", "percent": "100.5"}}, "gives.percent", "range"),
    ({"gives": {"kind": "percent_off", "percent": "10.125"}}, "gives.percent", "too_many_decimals"),
    (
        {"gives": {"kind": "percent_off", "percent": "10", "lines": {"field": "colour", "is": "red"}}},
        "gives.lines.field",
        "condition",
    ),
    ({"gives": {"kind": "amount_off"}}, "gives.amount", "missing"),
    ({"gives": {"kind": "amount_off", "amount": "0"}}, "gives.amount", "zero"),
    ({"gives": {"kind": "product"}}, "gives", "missing"),
    ({"gives": {"kind": "product", "sku": "1", "category": "A"}}, "gives", "missing"),
    (
        {"gives": {"kind": "entitlement", "ends": "2027-02-01", "valid_days": 3}},
        "gives.valid_days",
        "contradiction",
    ),
    ({"gives": {"kind": "entitlement", "starts": "2027-02-01", "ends": "2027-01-01"}}, "gives.ends", "contradiction"),
    ({"gives": {"kind": "gift_card"}}, "gives", "missing"),
    (
        {"gives": {"kind": "gift_card"}, "variants": [{"key": "s", "name": {"en": "S"}, "worth": "5"}]},
        "variants[0]",
        "missing",
    ),
    ({"gives": {"kind": "merchandise", "pickup": {"en": "At the desk"}}}, "gives.pickup", "contradiction"),
    ({"gives": {"kind": "experience"}}, "slots", "missing"),
    ({**EVERY["experience"], "stock": 3}, "stock", "contradiction"),
    (
        {"gives": {"kind": "experience"}, "slots": [{**SLOT, "ends_at": SLOT["starts_at"]}]},
        "slots[0].ends_at",
        "contradiction",
    ),
    ({"gives": {"kind": "donation", "beneficiary": {"en": "A"}}}, "gives.worth", "missing"),
    (
        {"gives": {"kind": "donation", "beneficiary": {"en": "A"}, "worth": "1", "target": "9"}},
        "gives.target",
        "missing",
    ),
    ({"gives": {"kind": "tier_upgrade", "tier": "green", "days": 3}}, "gives.tier", "no_effect"),
    ({"gives": {"kind": "tier_upgrade", "tier": "platinum", "days": 3}}, "gives.tier", "unknown_reference"),
    (
        {"gives": {"kind": "sweepstake", "draw_at": "2027-05-01", "prizes": [{"reward": "tea"}]}},
        "gives.draw_at",
        "date",
    ),
    ({"gives": {"kind": "payout"}}, "gives.worth", "missing"),
    (
        {
            "gives": {"kind": "payout", "worth": "5"},
            "variants": [{"key": "s", "name": {"en": "S"}, "worth": "5"}],
        },
        "gives.worth",
        "contradiction",
    ),
    ({"gives": {"kind": "course", "module": ""}}, "gives.module", "format"),
    (
        {"gives": {"kind": "bundle", "rewards": [{"reward": "r"}, {"reward": "tea"}]}},
        "gives.rewards[0].reward",
        "contradiction",
    ),
    (
        {"gives": {"kind": "bundle", "rewards": [{"reward": "gone"}, {"reward": "tea"}]}},
        "gives.rewards[0].reward",
        "unknown_reference",
    ),
    (
        {"gives": {"kind": "choice", "rewards": [{"reward": "tea"}, {"reward": "pack"}]}},
        "gives.rewards[1].reward",
        "contradiction",
    ),
    (
        {"gives": {"kind": "mystery", "options": [{"reward": "tea"}, {"reward": "concert"}]}},
        "gives.options[1].reward",
        "contradiction",
    ),
    (
        {"gives": {"kind": "bundle", "rewards": [{"reward": "tea"}, {"reward": "shirt"}]}},
        "gives.rewards[1]",
        "missing",
    ),
    (
        {"gives": {"kind": "bundle", "rewards": [{"reward": "tea"}, {"reward": "shirt", "variant": "xl"}]}},
        "gives.rewards[1].variant",
        "unknown_reference",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "path", "code"), WRONG, ids=[f"{path}:{code}" for _, path, code in WRONG]
)
def test_what_is_wrong_is_named(changes: dict[str, Any], path: str, code: str) -> None:
    found = check(reward("r", **changes), PROGRAM, known)
    assert (path, code) in {(problem.path, problem.code) for problem in found}, found
    for problem in found:
        assert problem.code in CODES
        assert problem.message
        assert problem.remedy


FORM: list[tuple[dict[str, Any], str]] = [
    ({"key": "Mug"}, "key"),
    ({"key": "a#b"}, "key"),
    ({"key": "x" * 81}, "key"),
    ({"colour": "red"}, "colour"),
    ({"gives": {"kind": "unicorn"}}, "gives.kind"),
    ({"gives": {"kind": "service", "uses": 0}}, "gives.uses"),
    ({"prices": [{"points": {"stars": 5}}]}, "prices[0].points.stars"),
    ({"prices": [{"points": {"stars": "-5"}}]}, "prices[0].points.stars"),
    ({"prices": [{"points": {"stars": "5e3"}}]}, "prices[0].points.stars"),
    ({"category": "Food/"}, "category"),
    ({"category": "a/b/c/d/e/f"}, "category"),
    ({"countries": ["fr"]}, "countries[0]"),
    ({"stock": -1}, "stock"),
    ({"stock": True}, "stock"),
    ({"state": "alive"}, "state"),
    ({"gives": {"kind": "bundle", "rewards": [{"reward": "tea"}]}}, "gives.rewards"),
]


@pytest.mark.parametrize(("changes", "path"), FORM, ids=[path for _, path in FORM])
def test_what_has_not_the_form_is_named(changes: dict[str, Any], path: str) -> None:
    data = {"key": "r", "name": {"en": "R"}, "gives": {"kind": "service"}, **changes}
    found = faults(data, Reward)
    assert path in {problem.path for problem in found}, found
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(data, Reward)


def test_a_file_names_lines_and_comes_back_as_it_was(tmp_path: Path) -> None:
    every = [reward(key.replace("_", "-"), **changes) for key, changes in EVERY.items()]
    whole = [reward("tea"), reward("mug"), *every]
    text = files.write("club", whole)
    (tmp_path / "r.yaml").write_text(text)
    back = files.read(tmp_path / "r.yaml", PROGRAM)
    assert back.problems == ()
    assert list(back.rewards) == whole
    (tmp_path / "r.json").write_text(files.write_json("club", whole))
    assert list(files.read(tmp_path / "r.json", PROGRAM).rewards) == whole
    assert yaml.safe_load(text)["rewards"][0]["key"] == "tea"
    assert json.loads((tmp_path / "r.json").read_text())["program"] == "club"

    broken = text.replace('stars: "500"', 'star: "500"', 1)
    (tmp_path / "r.yaml").write_text(broken)
    (problem,) = files.read(tmp_path / "r.yaml", PROGRAM).errors
    assert problem.path == "rewards[0].prices[0].points.star"
    assert 'star: "500"' in broken.splitlines()[problem.line - 1]
    assert problem.remedy == 'did you mean "stars"?'

    twice = files.write("club", [reward("tea"), reward("tea")])
    (tmp_path / "r.yaml").write_text(twice)
    assert [problem.code for problem in files.read(tmp_path / "r.yaml", PROGRAM).errors] == ["duplicate_key"]


@pytest.mark.parametrize("raw", [b"", b"[]", b"palier: 2", b"\xff\xfe", b"rewards: [" * 200, b"a: &x [*x]"])
def test_what_is_no_catalogue_is_refused_in_words(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "r.yaml").write_bytes(raw)
    found = files.read(tmp_path / "r.yaml", PROGRAM)
    assert found.rewards == ()
    assert found.errors


@pytest.mark.parametrize("character", ["\0", "\x07", "\x9f"])
def test_control_characters_are_refused_everywhere(character: str) -> None:
    bad = f"a{character}b"
    data = msgspec.to_builtins(reward("r"))
    data |= {"name": {"en": bad}, "tags": [bad], "gives": {"kind": "product", "sku": bad}}
    assert {(problem.path, problem.code) for problem in faults(data, Reward)} == {
        ("name.en", "format"),
        ("tags[0]", "format"),
        ("gives.sku", "format"),
    }
