"""What a new version of a program changes, setting by setting, in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.engine.amounts import to_minor
from palier.engine.clock import moment
from palier.engine.currencies import exponent, localized, money
from palier.engine.instants import parse_instant
from palier.engine.phrases import explain
from palier.engine.program import AdjustmentLimit, Condition, MemberCap, Noun, Program, Rule, Strict, Text
from palier.programs import queries

_EMPTY: Final[dict[str, Any]] = {}


class Change(Struct, frozen=True):
    """One difference: `path` names parts by key ("rules.groceries.fixed"), `old` and `new` are plain data.

    Kinds: added, removed and changed parts or settings, and moved where only an order changed.
    """

    path: str
    kind: Literal["added", "removed", "changed", "moved"]
    old: Any
    new: Any
    sentence_en: str
    sentence_fr: str


# The nouns of keyed parts: (English, French, "is added", "is removed" in French, which agree in gender).
_PARTS: Final = {
    "point_currencies": ("Points", "Points", "sont ajoutés", "sont retirés"),
    "activity_types": ("Activity type", "Type d'activité", "est ajouté", "est retiré"),
    "rules": ("Rule", "Règle", "est ajoutée", "est retirée"),
    "groups": ("Group", "Groupe", "est ajouté", "est retiré"),
    "caps": ("Caps on", "Plafonds de", "sont ajoutés", "sont retirés"),
    "tiers": ("Tier", "Niveau", "est ajouté", "est retiré"),
    "member_attributes": ("Member attribute", "Attribut de membre", "est ajouté", "est retiré"),
    "attributes": ("attribute", "attribut", "est ajouté", "est retiré"),
    "reasons": ("Reason for adjustments", "Motif d'ajustement", "est ajouté", "est retiré"),
    "limits": ("Limit of adjustments in", "Limite des ajustements en", "est ajoutée", "est retirée"),
    "campaigns": ("Campaign", "Campagne", "est ajoutée", "est retirée"),
    "goals": ("Goal", "Objectif", "est ajouté", "est retiré"),
    "streaks": ("Streak", "Série", "est ajoutée", "est retirée"),
    "games": ("Game", "Jeu", "est ajouté", "est retiré"),
    "quizzes": ("Quiz", "Quiz", "est ajouté", "est retiré"),
    "memberships": ("Membership", "Adhésion", "est ajoutée", "est retirée"),
    "partners": ("Partner", "Partenaire", "est ajouté", "est retiré"),
    "leaderboards": ("Leaderboard", "Classement", "est ajouté", "est retiré"),
}
_SETTINGS: Final = {
    "name": ("name", "nom"),
    "description": ("description", "description"),
    "brand": ("look of members' pages", "aspect des pages des membres"),
    "accent": ("colour", "couleur"),
    "widget": ("pages of shops that show the program", "pages de boutiques qui montrent le programme"),
    "origins": ("origins", "origines"),
    "invitation": ("invitation", "invitation"),
    "time_zone": ("time zone", "fuseau horaire"),
    "currency": ("currency", "devise"),
    "languages": ("languages", "langues"),
    "effective_from": ("start", "début"),
    "late_window_days": ("late window in days", "délai de retard en jours"),
    "hold_minutes": ("minutes a hold lasts", "durée d'une réservation en minutes"),
    "scale": ("decimals", "décimales"),
    "value": ("value of a point", "valeur d'un point"),
    "taking_back": (
        "what happens to spent points that are taken back",
        "sort des points dépensés puis repris",
    ),
    "expiry": ("expiry", "expiration"),
    "pending": ("wait before spending", "attente avant dépense"),
    "return_grace_days": ("days to spend returned points", "jours pour dépenser les points rendus"),
    "transferable": ("transfer between members", "transfert entre membres"),
    "on": ("activity", "activité"),
    "when": ("condition", "condition"),
    "lines": ("lines that count", "lignes comptées"),
    "per_spend": ("points per spend", "points par montant"),
    "points": ("points", "points"),
    "every": ("step", "palier de montant"),
    "per_unit": ("points per unit", "points par unité"),
    "fixed": ("bonus", "bonus"),
    "multiply": ("factor", "facteur"),
    "base": ("what counts of a sale", "part comptée de la vente"),
    "tenders": ("rates by tender", "taux par moyen de paiement"),
    "tier_multipliers": ("multipliers by tier", "multiplicateurs par niveau"),
    "days": ("days", "jours"),
    "metric": ("metric", "mesure"),
    "at_least": ("at least", "au moins"),
    "all": ("all of", "tout de"),
    "any": ("one of", "un de"),
    "kind": ("kind", "sorte"),
    "rounding": ("rounding", "arrondi"),
    "caps": ("caps", "plafonds"),
    "activity": ("by activity", "par activité"),
    "day": ("by day", "par jour"),
    "week": ("by week", "par semaine"),
    "month": ("by month", "par mois"),
    "year": ("by year", "par an"),
    "lifetime": ("for life", "à vie"),
    "group": ("group", "groupe"),
    "active_from": ("start", "début"),
    "active_until": ("end", "fin"),
    "stacking": ("stacking", "cumul"),
    "window": ("window", "période"),
    "counts": ("activities that count", "activités comptées"),
    "spend_base": ("what counts as spend", "part comptée du montant"),
    "points_currency": ("points that count", "points comptés"),
    "grace_days": ("days of grace", "jours de grâce"),
    "soft_landing": ("one tier down at a time", "descente d'un niveau à la fois"),
    "qualify": ("what grants it", "condition d'accès"),
    "keep": ("what keeps it", "condition de maintien"),
    "benefits": ("benefits", "avantages"),
    "en": ("in English", "en anglais"),
    "fr": ("in French", "en français"),
    "type": ("type", "type"),
    "required": ("required", "obligatoire"),
    "decimals": ("decimals", "décimales"),
    "choices": ("choices", "choix"),
    "names": ("names of the shop's own keys", "noms des clés du magasin"),
    "sale_key": ("what names a sale", "ce qui désigne une vente"),
    "product_code": ("product codes", "codes de produits"),
    "direction": ("given or taken", "donné ou repris"),
    "at_once": ("at once", "en une fois"),
    "approval_above": ("second person above", "seconde personne au-delà de"),
    "approval_days": ("days to approve an adjustment", "jours pour approuver un ajustement"),
    "adjustments": ("adjustments by staff", "ajustements par l'équipe"),
    "approval_to_publish": ("publishing asks a second person", "publication soumise à une seconde personne"),
}


_DECIMAL: Final = re.compile(r"-?[0-9]+\.[0-9]+")
_VALUES_FR: Final = {
    "spend": "dépense", "visits": "visites", "units": "unités", "day": "jour", "week": "semaine", "month": "mois",
    "year": "année", "lifetime": "toujours", "never": "jamais", "sale": "achat", "visit": "visite", "return": "retour",
    "rolling": "glissante", "calendar": "civile",
}  # fmt: skip
"""Words that documents have for values, in French; other values are names that shops give."""


def difference(old: Program | None, new: Program) -> list[Change]:
    """All differences between two versions, in the order of the document; none where they are equal.

    Without `old` the program is new: one change for it and one for each of its parts.
    """
    found = _Difference(new)
    if old is None:
        name = (new.name.en or new.name.fr or new.key, new.name.fr or new.name.en or new.key)
        found.changes.append(
            Change(
                "",
                "added",
                None,
                new.key,
                f'The program "{name[0]}" ({new.key}) is new',
                f"Le programme « {name[1]} » ({new.key}) est nouveau",
            )
        )
        for path, parts in (
            ("point_currencies", new.point_currencies),
            ("activity_types", new.activity_types),
            ("rules", new.rules),
            ("groups", new.groups),
            ("caps", new.caps),
            ("tiers.tiers", new.tiers.tiers if new.tiers is not None else []),
        ):
            found.keyed([], parts, path)
        return found.changes
    found.before = old
    found.struct(old, new, "")
    return found.changes


def planned(connection: Connection[Any], program: Program, *, now: int) -> list[Change]:
    """What publishing a document would change: its differences to the latest version, and the versions that were
    published to begin later and never would, for it judges from before them on."""
    found = difference(queries.document(connection, program.key), program)
    timeline = queries.timeline(connection, program.key)
    if not found or timeline is None:
        return found
    starts = max(parse_instant(program.effective_from), now) if program.effective_from is not None else now
    begins = {at: timeline.version_at(at) for at in timeline.breaks(now) if at >= starts}
    return [*found, *(_never_begun(version, moment(at).isoformat()) for at, version in begins.items())]


def _never_begun(version: int, at: str) -> Change:
    at = at.replace("+00:00", "Z")
    return Change(
        "effective_from",
        "removed",
        at,
        None,
        f"Version {version}, published to begin at {at}, never begins",
        f"La version {version}, publiée pour commencer à {at}, ne commence jamais",
    )


def _key(item: Any) -> str:
    key: str = item.currency if isinstance(item, (MemberCap, AdjustmentLimit)) else item.key
    return key


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


class _Difference:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.before = program
        self.changes: list[Change] = []

    def struct(self, old: Strict, new: Strict, path: str) -> None:
        for field in msgspec.structs.fields(new):
            own = _join(path, field.encode_name)
            self.value(getattr(old, field.name), getattr(new, field.name), own)

    def value(self, old: Any, new: Any, path: str) -> None:
        if old == new:
            return
        if isinstance(old, Strict) and type(old) is type(new) and not isinstance(old, (Condition, Noun)):
            self.struct(old, new, path)
        elif isinstance(old, list) and isinstance(new, list) and _is_keyed([*old, *new]):
            self.keyed(old, new, path)
        elif isinstance(old, dict) or isinstance(new, dict):
            before, after = old or _EMPTY, new or _EMPTY
            for key in [*after, *(key for key in before if key not in after)]:
                self.value(before.get(key), after.get(key), _join(path, key))
        else:
            self.changed(old, new, path)

    def keyed(self, old: Sequence[Any], new: Sequence[Any], path: str) -> None:
        """Parts that have keys are told apart by them; an order that changes is one change of its own."""
        before = {_key(item): item for item in old}
        after = {_key(item): item for item in new}
        for key, item in before.items():
            if key not in after:
                self.part(item, None, _join(path, key))
        for key, item in after.items():
            if key in before:
                self.value(before[key], item, _join(path, key))
            else:
                self.part(None, item, _join(path, key))
        kept_before = [key for key in before if key in after]
        kept_after = [key for key in after if key in before]
        if kept_before != kept_after and path in ("rules", "tiers.tiers"):
            order = ", ".join(kept_after)
            what = ("rules", "règles") if path == "rules" else ("tiers", "niveaux")
            self.changes.append(
                Change(
                    path,
                    "moved",
                    kept_before,
                    kept_after,
                    f"The order of the {what[0]} changes to {order}",
                    f"L'ordre des {what[1]} devient {order}",
                )
            )

    def part(self, old: Any, new: Any, path: str) -> None:
        item = new if new is not None else old
        noun = _PARTS.get(
            path.split(".")[-2] if "." in path else path, ("Part", "Partie", "est ajoutée", "est retirée")
        )
        key = _key(item)
        tail_en = tail_fr = ""
        if new is not None and isinstance(item, Rule):
            tail_en, tail_fr = (f": {self.rule(item, language)}" for language in ("en", "fr"))
        plural = noun[2].startswith("sont")
        if new is None:
            sentence_en = f"{noun[0]} {key} {'are' if plural else 'is'} removed"
            sentence_fr = f"{noun[1]} {key} {noun[3]}"
        else:
            sentence_en = f"{noun[0]} {key} {'are' if plural else 'is'} added{tail_en}"
            sentence_fr = f"{noun[1]} {key} {noun[2]}{tail_fr.replace(': ', ' : ', 1)}"
        kind: Literal["added", "removed"] = "removed" if new is None else "added"
        self.changes.append(Change(path, kind, _plain(old), _plain(new), sentence_en, sentence_fr))

    def rule(self, rule: Rule, language: str) -> str:
        """A rule's effect and condition, as a phrase."""
        fr = language == "fr"
        if rule.per_spend is not None:
            points = self.points(rule.per_spend.points, rule.currency, language)
            places = exponent(self.program.currency)
            every = money(to_minor(rule.per_spend.every, places), self.program.currency, language)
            effect = f"{points} par {every}" if fr else f"{points} for every {every}"
        elif rule.per_unit is not None:
            points = self.points(rule.per_unit, rule.currency, language)
            effect = f"{points} par unité" if fr else f"{points} per unit"
        elif rule.fixed is not None:
            points = self.points(rule.fixed, rule.currency, language)
            effect = f"un bonus de {points}" if fr else f"a bonus of {points}"
        else:
            factor = localized(rule.multiply or "1", language)
            effect = (
                f"ce qui précède est multiplié par {factor}" if fr else f"what comes before times {factor}"
            )
        when = explain(rule.when, self.program, language)
        return f"{effect}, {when}" if when else effect

    def points(self, text: str, key: str, language: str) -> str:
        """An amount of points with the currency's own noun: "1 star", "1,5 étoile"."""
        currency = next(item for item in self.program.point_currencies if item.key == key)
        noun = currency.name.fr if language == "fr" else currency.name.en
        # French counts everything below 2 as one, English only 1 itself.
        single = Fraction(text) < 2 if language == "fr" else Fraction(text) == 1
        word = key if noun is None else noun.one if single else noun.other
        return f"{localized(text, language)} {word}"

    def changed(self, old: Any, new: Any, path: str) -> None:
        where_en, where_fr, names = _where(path)
        labels = [_SETTINGS.get(name, (name, name)) for name in names]
        setting_en = ", ".join(label[0] for label in labels)
        setting_fr = ", ".join(label[1] for label in labels)
        old_en, new_en = self.shown(old, self.before, "en"), self.shown(new, self.program, "en")
        old_fr, new_fr = self.shown(old, self.before, "fr"), self.shown(new, self.program, "fr")
        self.changes.append(
            Change(
                path,
                "added" if old is None else "removed" if new is None else "changed",
                _plain(old),
                _plain(new),
                f"{where_en}{setting_en}: {old_en} becomes {new_en}",
                f"{where_fr}{setting_fr} : {old_fr} devient {new_fr}",
            )
        )

    def shown(self, value: Any, program: Program, language: str) -> str:
        fr = language == "fr"
        if value is None or value == [] or value == "":
            return "rien" if fr else "nothing"
        if isinstance(value, bool):
            return ("oui" if value else "non") if fr else ("yes" if value else "no")
        if isinstance(value, Condition):
            return f"« {explain(value, program, 'fr')} »" if fr else f'"{explain(value, program, "en")}"'
        if isinstance(value, Text):
            words = (value.fr or value.en) if fr else (value.en or value.fr)
            return f"« {words} »" if fr else f'"{words}"'
        if isinstance(value, Noun):
            return f"{value.one} / {value.other}"
        if isinstance(value, list):
            return ", ".join(self.shown(item, program, language) for item in value)
        if isinstance(value, Struct):
            value = _plain(value)
        if isinstance(value, dict):
            column = 1 if fr else 0
            named = ((_SETTINGS.get(key, (key, key))[column], item) for key, item in value.items())
            return " ".join(f"{name} {self.shown(item, program, language)}" for name, item in named)
        text = str(value)
        if not fr:
            return text
        return localized(text, "fr") if _DECIMAL.fullmatch(text) else _VALUES_FR.get(text, text)


def _is_keyed(items: Sequence[Any]) -> bool:
    return bool(items) and all(
        isinstance(item, (MemberCap, AdjustmentLimit)) or hasattr(item, "key") for item in items
    )


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value)


def _where(path: str) -> tuple[str, str, list[str]]:
    """The part a path is in, named in both languages, and the settings below it."""
    names = path.split(".")
    if names[:2] == ["tiers", "tiers"]:
        names = names[1:]
    elif names[0] == "adjustments" and names[1:2] != ["approval_days"]:
        names = names[1:] or names
    elif names[0] == "tiers" and len(names) > 1:
        return "Tiers, ", "Niveaux, ", names[1:]
    if len(names) > 2 and names[0] in _PARTS:
        noun = _PARTS[names[0]]
        if names[0] == "activity_types" and names[2] == "attributes" and len(names) > 3:
            attribute_en, attribute_fr = (f", {_PARTS['attributes'][column]} {names[3]}" for column in (0, 1))
            rest = names[4:] or ["type"]
            return f"{noun[0]} {names[1]}{attribute_en}, ", f"{noun[1]} {names[1]}{attribute_fr}, ", rest
        return f"{noun[0]} {names[1]}, ", f"{noun[1]} {names[1]}, ", names[2:]
    if len(names) == 2 and names[0] in _PARTS:
        noun = _PARTS[names[0]]
        return f"{noun[0]} {names[1]}", f"{noun[1]} {names[1]}", []
    return "Program, ", "Programme, ", names
