"""What a new version of a reward changes, setting by setting, in words of both languages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from msgspec import Struct

from palier.rewards.document import Price, Reward, to_builtins

_LABELS: Final = {
    "name": ("name", "nom"),
    "summary": ("summary", "résumé"),
    "terms": ("small print", "conditions"),
    "picture": ("picture", "image"),
    "source": ("address", "adresse"),
    "alt": ("description", "description"),
    "category": ("category", "catégorie"),
    "tags": ("tags", "mots-clés"),
    "countries": ("countries", "pays"),
    "prices": ("price", "prix"),
    "points": ("points", "points"),
    "money": ("money", "argent"),
    "amount": ("amount", "montant"),
    "currency": ("currency", "devise"),
    "tiers": ("tiers", "niveaux"),
    "variants": ("variant", "variante"),
    "slots": ("date", "date"),
    "starts_at": ("start", "début"),
    "ends_at": ("end", "fin"),
    "capacity": ("places", "places"),
    "place": ("place", "lieu"),
    "worth": ("worth", "valeur"),
    "sku": ("number", "référence"),
    "pool": ("pool of codes", "réserve de codes"),
    "cost": ("cost", "coût"),
    "list_price": ("price elsewhere", "prix public"),
    "partner": ("partner", "partenaire"),
    "supplier": ("supplier", "fournisseur"),
    "key": ("key", "clé"),
    "visible": ("shown", "affichage"),
    "from": ("from", "à partir de"),
    "until": ("until", "jusqu'à"),
    "audience": ("audience", "public"),
    "members": ("condition", "condition"),
    "stock": ("stock", "stock"),
    "limits": ("limits", "limites"),
    "per_member": ("by member", "par membre"),
    "per_member_period": ("by member and period", "par membre et période"),
    "per_period": ("by period", "par période"),
    "per_order": ("by order", "par commande"),
    "n": ("number", "nombre"),
    "period": ("period", "période"),
    "minimum_points": ("least balance", "solde minimal"),
    "stacking": ("beside others", "cumul"),
    "group": ("group", "groupe"),
    "exclusive": ("alone", "seule"),
    "priority": ("priority", "priorité"),
    "giving_back": ("giving back", "restitution"),
    "cancellable": ("can be cancelled", "annulable"),
    "cancellable_days": ("days to cancel", "jours pour annuler"),
    "hours_before": ("hours before", "heures avant"),
    "refundable_days": ("days to refund", "jours pour rembourser"),
    "hold_minutes": ("minutes an order waits", "minutes d'attente d'une commande"),
    "fulfilled_by": ("handed out by", "remise par"),
    "state": ("state", "état"),
    "effective_from": ("start of the version", "début de la version"),
    "gives": ("what it gives", "ce qu'elle donne"),
    "en": ("in English", "en anglais"),
    "fr": ("in French", "en français"),
}
_NOTHING: Final = ("nothing", "rien")
_PRICE_KEY: Final = Price().key


class Change(Struct, frozen=True):
    """One difference: `path` names parts by key ("prices.standard.points.stars"); `old` and `new` are plain data."""

    path: str
    kind: Literal["added", "removed", "changed"]
    old: Any
    new: Any
    en: str
    fr: str

    def said(self, language: str) -> str:
        return self.fr if language == "fr" else self.en


def difference(old: Reward | None, new: Reward) -> list[Change]:
    """All differences between two versions of a reward, in the order of the document; one where it is new."""
    if old is None:
        name = (new.name.en or new.name.fr, new.name.fr or new.name.en)
        return [
            Change(
                "", "added", None, new.key,
                f'The reward "{name[0]}" ({new.key}) is new',
                f"La récompense « {name[1]} » ({new.key}) est nouvelle",
            )
        ]  # fmt: skip
    return [_said(new.key, path, before, after) for path, before, after in _pairs(_plain(old), _plain(new))]


def _plain(reward: Reward) -> dict[str, Any]:
    """A document as plain data, with the state that it has without saying so."""
    return {"state": reward.state, **to_builtins(reward)}


def _pairs(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(path, old, new) of every setting that differs. Lists of parts with keys are compared key by key."""
    if old == new:
        return
    name = path.rpartition(".")[2]
    old, new = _by_key(old, name), _by_key(new, name)
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*new, *(name for name in old if name not in new)]:
            yield from _pairs(old.get(name), new.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(new, dict) and old is None and path.count(".") == 0:
        for name, value in new.items():
            yield from _pairs(None, value, f"{path}.{name}")
    else:
        yield path, old, new


def _by_key(value: Any, name: str) -> Any:
    """A list of parts with keys as a mapping; a price that names none has the key that is its default."""
    default = _PRICE_KEY if name == "prices" else None
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        keys = [item.get("key", default) for item in value]
        if None not in keys:
            return {
                key: {part: inner for part, inner in item.items() if part != "key"}
                for key, item in zip(keys, value, strict=True)
            }
    return value


def _said(key: str, path: str, old: Any, new: Any) -> Change:
    kind: Literal["added", "removed", "changed"] = (
        "added" if old is None else "removed" if new is None else "changed"
    )
    names = path.split(".")
    where_en = ", ".join(_LABELS.get(name, (name, name))[0] for name in names)
    where_fr = ", ".join(_LABELS.get(name, (name, name))[1] for name in names)
    return Change(
        path, kind, old, new,
        f"Reward {key}, {where_en}: {_shown(old, 0)} becomes {_shown(new, 0)}",
        f"Récompense {key}, {where_fr} : {_shown(old, 1)} devient {_shown(new, 1)}",
    )  # fmt: skip


def _shown(value: Any, column: int) -> str:
    if value is None or value in ([], {}, ""):
        return _NOTHING[column]
    if isinstance(value, bool):
        return (("no", "non"), ("yes", "oui"))[value][column]
    if isinstance(value, dict):
        return " ".join(
            f"{_LABELS.get(name, (name, name))[column]} {_shown(item, column)}"
            for name, item in value.items()
        )
    if isinstance(value, list):
        return ", ".join(_shown(item, column) for item in value)
    text = str(value)
    return (f'"{text}"', f"« {text} »")[column] if " " in text else text
