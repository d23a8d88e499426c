"""What makes loyalty programs fail, as far as a document and a history can show it.

A sound document can still be a bad program: too little comes back, the first reward is too far, nobody understands
it. Each finding has the code of the way in which programs fail (FM-01 to FM-18), its own name, a place, the figure
that shows it and a remedy. Bounds are defaults, not laws: they are in `Bounds`, each with where it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations, pairwise
from typing import Final, Literal

import msgspec
from msgspec import Struct

from palier.engine.backtest import Threshold, Totals
from palier.engine.beginnings import beginnings
from palier.engine.clock import DAY
from palier.engine.complexity import Complexity, all_rules, complexity
from palier.engine.conditions import leaves
from palier.engine.currencies import exponent
from palier.engine.describe import describe, prose
from palier.engine.document import (
    Condition,
    ExpiryEndOfMonth,
    ExpiryEndOfYear,
    ExpiryFixedDate,
    ExpiryInactivity,
    ExpiryNever,
    ExpiryRolling,
)
from palier.engine.facts import SALE
from palier.engine.instants import parse_instant, starts_at
from palier.engine.mechanics import Goal, Grant, Membership, Streak, WindowDates
from palier.engine.observe import Looked
from palier.engine.plan import Plan
from palier.engine.program import Expiry, PointCurrency, Program, Qualify, Rule, Text, Tier
from palier.engine.readability import grade

Severity = Literal["error", "warning", "notice"]


class Bounds(Struct, frozen=True):
    """Where a figure becomes a finding. Shares are whole percents, returns hundredths of a percent."""

    return_floor: int = 100
    """Least that comes back of what is spent: 1.00 %."""
    reward_days: int = 90
    """Days in which half of the members should have had a first reward: a season."""
    sales_without: int = 25
    """Most sales, in percent, that bring nothing."""
    too_hard: int = 5
    """Least share of members who should reach a step in a year."""
    too_easy: int = 80
    """Most who should reach the last step of a goal or ladder."""
    gap_ratio: int = 3
    """How many times longer a way to the next step may be than the one before it."""
    expired: int = 30
    """Most of what is issued that may expire."""
    quarter: int = 80
    """Members active in the last 91 days, in percent of those in the 91 before, below which interest fades."""
    life_days: int = 90
    """Days for which points should last, at least."""
    notice_days: int = 30
    """Days between telling members of a cut and its effect."""
    stale_days: int = 540
    """Days without a new version after which a program is called static."""
    rules_on_one: int = 10
    """Rules on one activity type that staff can still foresee together."""
    reading_age: int = 14
    """Age above which the program in plain words is called hard to read."""


Said = tuple[str, str]
"""The same in English and in French."""


class Finding(Struct, frozen=True):
    """One way in which the program may fail: FM code, name, severity, path in the document, figure and remedy.

    `reason` and `remedy` are in English, `reason_fr` and `remedy_fr` the same in French.
    """

    code: str
    name: str
    severity: Severity
    path: str
    reason: str
    remedy: str
    reason_fr: str
    remedy_fr: str

    def said(self, language: str) -> tuple[str, str]:
        """The reason and the remedy, in French ("fr") or English."""
        return (self.reason_fr, self.remedy_fr) if language == "fr" else (self.reason, self.remedy)


class Shown(Struct, frozen=True):
    """A figure that the history showed, whether or not it is a finding."""

    name: str
    value: str


class Report(Struct, frozen=True):
    """What was found: the score of complexity, the findings by code, and what the history showed."""

    program: str
    complexity: Complexity
    findings: tuple[Finding, ...]
    shown: tuple[Shown, ...] = ()

    def count(self, severity: Severity) -> int:
        """How many findings of a severity there are."""
        return sum(finding.severity == severity for finding in self.findings)


NAMES: Final[dict[str, tuple[str, Severity]]] = {
    "return_low": ("FM-01", "warning"),
    "return_falls": ("FM-01", "warning"),
    "step_not_bigger": ("FM-01", "warning"),
    "hardly_wins": ("FM-01", "notice"),
    "complex": ("FM-02", "warning"),
    "many_sums": ("FM-02", "warning"),
    "hard_to_read": ("FM-02", "notice"),
    "minimum_spend": ("FM-03", "warning"),
    "first_step_far": ("FM-03", "warning"),
    "first_reward_late": ("FM-03", "warning"),
    "sales_without": ("FM-03", "warning"),
    "survey_only": ("FM-04", "warning"),
    "survey_gate": ("FM-04", "warning"),
    "stale": ("FM-05", "warning"),
    "pay_out_far": ("FM-06", "warning"),
    "share_unlimited": ("FM-07", "warning"),
    "not_described": ("FM-08", "notice"),
    "opt_in_needed": ("FM-08", "notice"),
    "attribute_unexplained": ("FM-09", "warning"),
    "attribute_unused": ("FM-09", "warning"),
    "odds_fall": ("FM-09", "notice"),
    "paid_draw": ("FM-09", "notice"),
    "only_money": ("FM-10", "notice"),
    "same_name": ("FM-11", "warning"),
    "overlap": ("FM-11", "warning"),
    "value_unsaid": ("FM-11", "notice"),
    "term_undefined": ("FM-11", "notice"),
    "steps_far": ("FM-12", "warning"),
    "too_hard": ("FM-12", "warning"),
    "too_easy": ("FM-13", "warning"),
    "nothing_new": ("FM-14", "notice"),
    "interest_fades": ("FM-14", "warning"),
    "no_grace": ("FM-15", "warning"),
    "short_life": ("FM-15", "warning"),
    "much_expires": ("FM-15", "warning"),
    "value_cut": ("FM-15", "error"),
    "harsher": ("FM-15", "warning"),
    "notice_short": ("FM-15", "warning"),
    "counts_anew": ("FM-11", "warning"),
    "cap_anew": ("FM-11", "notice"),
    "zone_moves": ("FM-11", "notice"),
    "personal_attribute": ("FM-16", "warning"),
    "hand_unlimited": ("FM-16", "notice"),
    "never_played": ("FM-17", "notice"),
    "many_rules": ("FM-18", "notice"),
}
"""Every finding: its code and severity. docs/guides/lint.md gives the reason and the remedy of each."""

BETWEEN_VERSIONS: Final = frozenset(
    {"value_cut", "harsher", "notice_short", "counts_anew", "cap_anew", "zone_moves"}
)
"""What only a comparison with the version before shows."""

PARTS_FR: Final = {
    "concepts": "notions",
    "currencies": "monnaies",
    "conditions": "conditions",
    "exceptions": "exceptions",
    "thresholds": "seuils",
    "numbers": "nombres",
    "sums": "calculs",
    "reading": "lecture",
}
"""The parts of the score of complexity, in French."""

_SURVEY: Final = re.compile(r"survey|questionnaire|poll\b|feedback|sondage|enquete")
_SHARE: Final = re.compile(r"share|follow|repost|social|hashtag|partage|abonne")
_PERSONAL: Final = re.compile(
    r"e_?mail|phone|mobile|telephone|address|adresse|passport|passeport|iban|social_security|ssn"
    r"|health|sante|religion|ethnic|card_number|password"
)


def looked(program: Program, reward: Threshold | None = None) -> Looked:
    """What a history should be watched for. The first reward is a unit of kind reward or cash, or `reward`.

    Where the program has neither, it is taken to be points worth 5 of the program's money (500 of a money
    without decimals): what a coffee costs.
    """
    rewards = frozenset(c.key for c in program.point_currencies if c.kind in ("reward", "cash"))
    known = Bounds().reward_days
    rounds = {f"goal:{goal.key}": len(goal.steps) for goal in program.goals if goal.steps}
    rounds |= {f"streak:{streak.key}": streak.steps[-1].at for streak in program.streaks if streak.steps}
    if reward is not None:
        return Looked(rewards, reward.currency, reward.points, known, rounds)
    for currency in program.point_currencies:
        if currency.kind == "points" and currency.value is not None and Fraction(currency.value):
            price = Fraction(5 if exponent(program.currency) else 500, Fraction(currency.value))
            return Looked(rewards, currency.key, -int(-price * 10**currency.scale // 1), known, rounds)
    return Looked(rewards, known_days=known, rounds=rounds)


def pages(program: Program) -> dict[str, str]:
    """The program in plain words, in each of its languages."""
    return {language: prose(describe(program, language)) for language in program.languages}


def lint(
    program: Program,
    *,
    now: int | None = None,
    since: int | None = None,
    before: Program | None = None,
    history: Totals | None = None,
    bounds: Bounds | None = None,
) -> Report:
    """Lints a valid program.

    `now` and `since` (when the latest version was published) are microseconds UTC; `before` is the version that
    this one would follow; `history` a backtest of the program that was `looked` at.
    """
    found = _Linter(program, bounds or Bounds())
    found.document()
    if now is not None and since is not None:
        found.age(now, since)
    if before is not None:
        found.change(before)
    if history is not None and history.seen is not None:
        found.history(history)
    else:
        found.add(
            "never_played",
            "",
            ("no history was played through it", "aucun historique n'y a été joué"),
            ("run palier lint with --history", "lancer palier lint avec --history"),
        )
    order = {"error": 0, "warning": 1, "notice": 2}
    findings = sorted(found.findings, key=lambda item: (order[item.severity], item.code, item.name))
    return Report(program.key, found.complexity, tuple(findings), tuple(found.shown))


def _percent(part: int | Fraction, whole: int | Fraction) -> Fraction:
    return Fraction(Fraction(part) * 100, Fraction(whole)) if whole else Fraction(0)


def _told(percent: Fraction) -> str:
    """A percentage with two decimals where it is small, none where it is not; rounded down."""
    if percent < 10:
        hundredths = percent * 100 // 1
        return f"{hundredths // 100}.{hundredths % 100:02d} %"
    return f"{percent // 1} %"


class _Linter:
    """One pass over a program; every method adds to `findings`."""

    def __init__(self, program: Program, bounds: Bounds) -> None:
        self.program = program
        self.bounds = bounds
        self.pages = pages(program)
        self.findings: list[Finding] = []
        self.shown: list[Shown] = []
        self.complexity = complexity(program, self.pages)
        self.currencies: dict[str, PointCurrency] = {c.key: c for c in program.point_currencies}
        self.levels = {t.key: t.name for t in program.tiers.tiers} if program.tiers is not None else {}
        self.rules = [(rule, f"rules[{index}]") for index, rule in enumerate(program.rules)]
        for number, campaign in enumerate(program.campaigns):
            for index, rule in enumerate(campaign.rules):
                self.rules.append((rule, f"campaigns[{number}].rules[{index}]"))

    def add(self, name: str, path: str, reason: Said, remedy: Said) -> None:
        code, severity = NAMES[name]
        self.findings.append(Finding(code, name, severity, path, reason[0], remedy[0], reason[1], remedy[1]))

    def in_level(self, level: str) -> Said:
        """Where a figure holds, at the end of a sentence; nothing where there are no tiers."""
        if not level:
            return "", ""
        name, name_fr = _quoted(self.levels[level])
        return f" in {name}", f" au niveau {name_fr}"

    # --- the document ---------------------------------------------------------------------------------

    def document(self) -> None:
        self.understanding()
        self.returns_on_paper()
        self.steps()
        self.beginnings()
        self.surveys()
        self.shares()
        self.telling()
        self.attributes()
        self.by_hand()
        self.games()
        self.variety()
        self.definitions()
        self.expiry()
        self.work()

    def understanding(self) -> None:
        score = self.complexity
        if score.level == "complex":
            heavy = sorted(score.parts, key=lambda part: -part.points)[:3]
            parts = ", ".join(f"{part.name} {part.points}" for part in heavy)
            parts_fr = ", ".join(f"{PARTS_FR[part.name]} {part.points}" for part in heavy)
            reason = (
                f"it scores {score.score} for complexity, most of it for {parts}",
                f"sa complexité est de {score.score}, surtout pour {parts_fr}",
            )
            remedy = (
                "take away what few members would miss; see the parts of the score",
                "retirer ce qui manquerait à peu de membres ; voir les parts du score",
            )
            self.add("complex", "", reason, remedy)
        sums = next(part.count for part in score.parts if part.name == "sums")
        if sums > 1:
            reason = (
                f"it takes {sums} steps of reckoning to know what a purchase brings",
                f"il faut {sums} calculs pour savoir ce qu'un achat rapporte",
            )
            remedy = ("let one multiplication be enough", "faire qu'une multiplication suffise")
            self.add("many_sums", "rules", reason, remedy)
        for language, text in self.pages.items():
            age = grade(text, language).age
            if age > self.bounds.reading_age:
                reason = (
                    f'in plain words ("{language}") it is read with ease from the age of {age}',
                    f"en mots simples (« {language} »), il se lit aisément à partir de {age} ans",
                )
                remedy = (
                    "shorten names and benefits; leave conditions out",
                    "raccourcir noms et avantages ; retirer des conditions",
                )
                self.add("hard_to_read", "", reason, remedy)

    def returns_on_paper(self) -> None:
        """What the rules that act on every sale bring, at the value of their points."""
        program = self.program
        levels = [tier.key for tier in program.tiers.tiers] if program.tiers is not None else [""]
        always = [r for r in program.rules if r.on == SALE and r.per_spend is not None and r.when is None]
        valued = [
            r for r in always if (c := self.currencies.get(r.currency)) is not None and c.value is not None
        ]
        if not always or len(valued) < len(always):
            return
        for index, level in enumerate(levels):
            rate = Fraction(0)
            for rule in valued:
                assert rule.per_spend is not None
                factor = Fraction((rule.tier_multipliers or {}).get(level, "1"))
                worth = Fraction(self.currencies[rule.currency].value or "0")
                steps = Fraction(Fraction(rule.per_spend.points), Fraction(rule.per_spend.every))
                rate += steps * factor * worth
            if rate * 10_000 < self.bounds.return_floor:
                where, where_fr = self.in_level(level)
                told = _told(rate * 100)
                reason = (
                    f"by its rates {told} of what is spent comes back{where}",
                    f"d'après ses taux, {_comma(told)} de ce qui est dépensé revient{where_fr}",
                )
                path = f"tiers.tiers[{index}]" if level else "rules"
                self.add("return_low", path, reason, _RAISE)
                return  # higher tiers are told by history; the lowest is where most members are

    def worth(self, grants: Sequence[Grant]) -> tuple[str, Fraction] | None:
        """What grants are worth, in money where all have a value, else in units of their one currency."""
        if all((c := self.currencies.get(g.currency)) is not None and c.value is not None for g in grants):
            total = sum(
                (Fraction(g.points) * Fraction(self.currencies[g.currency].value or "0") for g in grants),
                Fraction(0),
            )
            return ("", total) if grants else None
        if len(grants) == 1:
            return grants[0].currency, Fraction(grants[0].points)
        return None

    def steps(self) -> None:
        for index, goal in enumerate(self.program.goals):
            path = f"goals[{index}].steps"
            ways = self.ways([Fraction(step.at) for step in goal.steps], Fraction(goal.head_start))
            self.gaps(ways, path)
            for number, (low, high) in enumerate(pairwise(goal.steps), 1):
                first, second = self.worth(low.grants), self.worth(high.grants)
                if first is None or second is None or first[0] != second[0]:
                    continue
                if second[1] <= first[1]:
                    reason = (
                        f"this step is worth no more than the one before it, for a longer way ({high.at})",
                        f"ce palier ne vaut pas plus que le précédent, pour un chemin plus long ({high.at})",
                    )
                    remedy = ("let each step be worth more", "faire valoir davantage chaque palier")
                    self.add("step_not_bigger", f"{path}[{number}]", reason, remedy)
        for index, streak in enumerate(self.program.streaks):
            ways = self.ways([Fraction(step.at) for step in streak.steps], Fraction(0))
            self.gaps(ways, f"streaks[{index}].steps")
        ladder = self.program.tiers
        if ladder is not None:
            for metric in ("spend", "points", "visits"):
                asked = [(n, _asked(tier.qualify, metric)) for n, tier in enumerate(ladder.tiers)]
                at = [(n, value) for n, value in asked if value is not None]
                ways = self.ways([value for _, value in at], Fraction(0))
                for (number, _), (near, far) in zip(at[1:], pairwise(ways), strict=False):
                    self.far(near, far, f"tiers.tiers[{number}]")

    @staticmethod
    def ways(values: Sequence[Fraction], start: Fraction) -> list[Fraction]:
        """How far it is to each of them from the one before."""
        return [high - low for low, high in pairwise([start, *values])]

    def gaps(self, ways: Sequence[Fraction], path: str) -> None:
        if len(ways) > 1 and ways[0] > 2 * ways[1]:
            reason = (
                f"the way to the first step ({ways[0]}) is more than twice that to the second ({ways[1]})",
                f"le chemin jusqu'au premier palier ({ways[0]}) fait plus du double du suivant ({ways[1]})",
            )
            remedy = (
                "put a small step first, or give a head start",
                "mettre d'abord un petit palier, ou donner une avance",
            )
            self.add("first_step_far", f"{path}[0]", reason, remedy)
        for number, (low, high) in enumerate(pairwise(ways), 1):
            self.far(low, high, f"{path}[{number}]")

    def far(self, low: Fraction, high: Fraction, path: str) -> None:
        if high > self.bounds.gap_ratio * low:
            times = _plain(Fraction(high, low)) if low else ""
            reason = (
                f"the way to this step ({_plain(high)}) is {times or 'many'} times the one before it",
                f"le chemin jusqu'à ce palier ({_comma(_plain(high))}) vaut "
                f"{_comma(times) or 'bien des'} fois le précédent",
            )
            self.add(
                "steps_far", path, reason, ("put a step between them", "placer un palier entre les deux")
            )

    def beginnings(self) -> None:
        """Whether something has to be spent at once before anything is earned."""
        on_sales = [(rule, path) for rule, path in self.rules if rule.on == SALE and rule.multiply is None]
        known = [amount for rule, _ in on_sales if (amount := _least_amount(rule.when))]
        others = any(goal.on and not goal.lines for goal in self.program.goals if goal.steps)
        if on_sales and len(known) == len(on_sales) and not others:
            least = f"{_plain(min(known))} {self.program.currency}"
            reason = (
                f"no sale below {least} brings anything",
                f"aucun achat de moins de {_comma(least)} ne rapporte rien",
            )
            remedy = (
                "let one rule act on every sale, however small",
                "laisser une règle agir sur chaque achat, si petit soit-il",
            )
            self.add("minimum_spend", f"{on_sales[0][1]}.when", reason, remedy)

    def surveys(self) -> None:
        """Surveys must not be the only way to earn, nor stand before the others."""
        paths = self.earning_paths()
        if paths and all(_SURVEY.search(kind) or kind == "quiz" for kind, _ in paths):
            reason = ("surveys are the only way to earn", "les enquêtes sont le seul moyen de gagner")
            remedy = (
                "let purchases or visits earn too; keep the survey as an extra",
                "laisser aussi gagner par l'achat ou la visite ; garder l'enquête en plus",
            )
            self.add("survey_only", paths[0][1], reason, remedy)
        for rule, path in self.rules:
            for leaf in leaves(rule.when):
                asks = leaf.field == "count" and leaf.of is not None and _SURVEY.search(leaf.of)
                if rule.on == SALE and asks:
                    reason = (
                        f"a purchase earns only after answering ({leaf.of})",
                        f"un achat ne rapporte qu'après une réponse ({leaf.of})",
                    )
                    remedy = (
                        "give the survey a bonus of its own, and let purchases earn without it",
                        "donner à l'enquête son propre bonus, et laisser l'achat rapporter sans elle",
                    )
                    self.add("survey_gate", f"{path}.when", reason, remedy)

    def earning_paths(self) -> list[tuple[str, str]]:
        """(activity type, path) of everything that gives something."""
        program = self.program
        paths = [(rule.on, path) for rule, path in self.rules]
        for index, goal in enumerate(program.goals):
            paths += [(kind, f"goals[{index}]") for kind in goal.on if goal.steps]
        for index, streak in enumerate(program.streaks):
            paths += [(kind, f"streaks[{index}]") for kind in streak.on if streak.steps]
        for index, game in enumerate(program.games):
            paths += [(kind, f"games[{index}]") for kind in (game.on or ["play"])]
        paths += [("quiz", f"quizzes[{index}]") for index, _ in enumerate(program.quizzes)]
        if program.referral is not None:
            paths += [(kind, "referral") for kind in program.referral.on]
        paths += [("fee", f"memberships[{index}]") for index, _ in enumerate(program.memberships)]
        return paths

    def shares(self) -> None:
        for rule, path in self.rules:
            if _SHARE.search(rule.on) and rule.on not in ("friend_joined", "friend_converted"):
                limited = rule.caps is not None and (rule.caps.lifetime or rule.caps.year)
                if not limited and not any(leaf.field == "nth" for leaf in leaves(rule.when)):
                    reason = (
                        f"{rule.on} earns without end: members would be paid to advertise",
                        f"{rule.on} rapporte sans fin : les membres seraient payés pour la publicité",
                    )
                    remedy = ("set a cap by year or for life", "fixer un plafond par an ou à vie")
                    self.add("share_unlimited", f"{path}.caps", reason, remedy)

    def telling(self) -> None:
        if self.program.description is None:
            reason = (
                "no description tells members what the program is",
                "aucune description ne dit aux membres ce qu'est le programme",
            )
            remedy = ("describe it in two or three sentences", "le décrire en deux ou trois phrases")
            self.add("not_described", "description", reason, remedy)
        for index, goal in enumerate(self.program.goals):
            if goal.opt_in:
                name, name_fr = _quoted(goal.name)
                reason = (
                    f"{name} counts only for members who opted in: who has not heard of it gets nothing",
                    f"{name_fr} ne compte que pour les inscrits : qui n'en sait rien n'a rien",
                )
                remedy = ("announce it where members look", "l'annoncer là où les membres regardent")
                self.add("opt_in_needed", f"goals[{index}].opt_in", reason, remedy)

    def attributes(self) -> None:
        used = {leaf.field for condition in self.conditions() for leaf in leaves(condition)}
        birthday = any(kind == "birthday" for kind, _ in self.earning_paths())
        for name, attribute in self.program.member_attributes.items():
            path = f"member_attributes.{name}"
            if _PERSONAL.search(name):
                reason = (
                    f"the attribute {name} looks like what identifies a person or must not be known",
                    f"l'attribut {name} ressemble à ce qui identifie une personne ou ne doit pas être su",
                )
                remedy = (
                    "keep what finds a member in its identities, and leave out what no rule needs",
                    "garder dans les identités ce qui trouve un membre, et retirer ce dont nulle règle n'a besoin",
                )
                self.add("personal_attribute", path, reason, remedy)
            if attribute.description is None:
                reason = (
                    f"why the attribute {name} is asked for is not said",
                    f"on ne dit pas pourquoi l'attribut {name} est demandé",
                )
                remedy = (
                    "add a description: what it is used for",
                    "ajouter une description : à quoi cela sert",
                )
                self.add("attribute_unexplained", path, reason, remedy)
            if f"member.{name}" not in used and not (birthday and "birth" in name):
                reason = (
                    f"the attribute {name} is asked for, and nothing depends on it: members give it for nothing",
                    f"l'attribut {name} est demandé, et rien n'en dépend : les membres le donnent pour rien",
                )
                remedy = (
                    "leave it out, or give something back for it",
                    "le retirer, ou donner quelque chose en retour",
                )
                self.add("attribute_unused", path, reason, remedy)

    def by_hand(self) -> None:
        """Whoever limits adjustments and forgets a currency has left the door beside the lock open."""
        adjustments = self.program.adjustments
        if adjustments is None:
            return
        limited = {limit.currency for limit in adjustments.limits}
        for index, currency in enumerate(self.program.point_currencies):
            if currency.value is not None and Fraction(currency.value) and currency.key not in limited:
                units, units_fr = _plural(currency)
                reason = (
                    f"{units} are worth money, and may be given by hand without limit",
                    f"les {units_fr} valent de l'argent, et se donnent à la main sans limite",
                )
                remedy = (
                    "give them a limit, or an amount above which a second person approves",
                    "leur donner une limite, ou un montant au-delà duquel une seconde personne approuve",
                )
                self.add("hand_unlimited", f"point_currencies[{index}]", reason, remedy)

    def conditions(self) -> Iterator[Condition | None]:
        program = self.program
        for rule, _ in self.rules:
            yield from (rule.when, rule.lines)
        for campaign in program.campaigns:
            yield campaign.audience
        for goal in program.goals:
            yield from (goal.when, goal.lines)
        yield from (streak.when for streak in program.streaks)
        yield from (game.when for game in program.games)
        if program.referral is not None:
            yield program.referral.when

    def games(self) -> None:
        for index, game in enumerate(self.program.games):
            path = f"games[{index}]"
            total = sum(prize.weight for prize in game.prizes)
            winning = sum(prize.weight for prize in game.prizes if prize.grants)
            if game.kind != "surprise" and _percent(winning, total) < self.bounds.too_hard:
                share = _told(_percent(winning, total))
                reason = (
                    f"{share} of the draws win anything",
                    f"{_comma(share)} des tirages gagnent quelque chose",
                )
                remedy = ("add small prizes", "ajouter de petits lots")
                self.add("hardly_wins", f"{path}.prizes", reason, remedy)
            for number, prize in enumerate(game.prizes):
                if prize.stock is not None:
                    reason = (
                        f"its published odds hold only until {prize.stock} were won; then it is a blank",
                        f"ses chances publiées ne valent que jusqu'au {prize.stock}e gagné ; ensuite il est vide",
                    )
                    remedy = (
                        "say so where the odds are shown",
                        "le dire là où les chances sont affichées",
                    )
                    self.add("odds_fall", f"{path}.prizes[{number}].stock", reason, remedy)
            price = self.currencies.get(game.price.currency) if game.price is not None else None
            if price is not None and price.value is not None and Fraction(price.value):
                units, units_fr = _plural(price)
                reason = (
                    f"a draw is paid for with {units}, which are worth money",
                    f"un tirage se paie en {units_fr}, qui valent de l'argent",
                )
                remedy = (
                    "ask whether the law where it is played calls it a lottery; a free token would not be",
                    "demander si la loi du lieu y voit une loterie ; un jeton gratuit n'en serait pas une",
                )
                self.add("paid_draw", f"{path}.price", reason, remedy)

    def variety(self) -> None:
        program = self.program
        tiers = program.tiers.tiers if program.tiers is not None else []
        beyond = (
            any(currency.kind in ("reward", "badge") for currency in program.point_currencies)
            or any(tier.benefits for tier in tiers)
            or any(membership.benefits for membership in program.memberships)
            or any(partner.benefits for partner in program.partners)
        )
        if not beyond:
            reason = (
                "as far as the document says, all that is given is worth money: points, discounts, cash",
                "d'après le document, tout ce qui est donné vaut de l'argent : points, remises, espèces",
            )
            remedy = (
                "add a service, an access or an experience: a benefit of a tier, a reward of its own kind",
                "ajouter un service, un accès ou une expérience : avantage d'un niveau, récompense à part",
            )
            self.add("only_money", "", reason, remedy)
        dated = any(
            goal.kind == "challenge" or isinstance(goal.window, WindowDates) for goal in program.goals
        )
        if not (program.campaigns or program.games or program.streaks or program.leaderboards or dated):
            reason = (
                "nothing in it changes with time: no campaign, challenge, game or streak",
                "rien n'y change avec le temps : ni campagne, ni défi, ni jeu, ni série",
            )
            remedy = (
                "plan a campaign or a challenge for each season",
                "prévoir une campagne ou un défi par saison",
            )
            self.add("nothing_new", "", reason, remedy)

    def definitions(self) -> None:
        self.same_names()
        self.overlaps()
        priced = {game.price.currency for game in self.program.games if game.price is not None}
        for index, currency in enumerate(self.program.point_currencies):
            if currency.kind == "points" and currency.value is None and currency.key not in priced:
                units, units_fr = _plural(currency)
                reason = (
                    f"what {units} are worth is not said, so no return can be told",
                    f"on ne dit pas ce que valent les {units_fr} : nul taux de retour ne peut être donné",
                )
                remedy = ("give them a value", "leur donner une valeur")
                self.add("value_unsaid", f"point_currencies[{index}].value", reason, remedy)
        seen: set[object] = set()
        for rule, path in self.rules:
            for leaf in leaves(rule.when):
                for value in (leaf.is_, *(leaf.in_ or ())):
                    if leaf.field == "segment" and value is not None and value not in seen:
                        seen.add(value)
                        reason = (
                            f'who is in the segment "{value}" is not said in the document',
                            f"qui est dans le segment « {value} » n'est pas dit dans le document",
                        )
                        remedy = ("say it in the rule's name", "le dire dans le nom de la règle")
                        self.add("term_undefined", f"{path}.when", reason, remedy)

    def same_names(self) -> None:
        """Two things that members would read the same name of."""
        program = self.program
        ladder = program.tiers.tiers if program.tiers is not None else []
        lists: list[tuple[str, list[Text]]] = [
            ("rules", [rule.name for rule in program.rules]),
            ("tiers.tiers", [tier.name for tier in ladder]),
            ("goals", [goal.name for goal in program.goals]),
            ("campaigns", [campaign.name for campaign in program.campaigns]),
            ("games", [game.name for game in program.games]),
        ]
        for list_name, texts in lists:
            self.repeated(list_name, [text.fr or text.en for text in texts])
        nouns = [(c.name.fr or c.name.en) for c in program.point_currencies]
        self.repeated("point_currencies", [noun.other if noun is not None else "" for noun in nouns])

    def repeated(self, path: str, names: Sequence[str]) -> None:
        first: dict[str, int] = {}
        for index, name in enumerate(names):
            word = name.strip().casefold()
            if word and word in first:
                reason = (
                    f'"{name}" is the name of {path}[{first[word]}] too',
                    f"« {name} » est aussi le nom de {path}[{first[word]}]",
                )
                remedy = ("give each a name of its own", "donner à chacun son nom")
                self.add("same_name", f"{path}[{index}].name", reason, remedy)
            first.setdefault(word, index)

    def overlaps(self) -> None:
        """Bonuses or goals of which a member cannot tell whether one comes with the other or in its place."""
        best = {group.key for group in self.program.groups if group.stacking == "best"}
        bonuses = [(rule, path) for rule, path in self.rules if rule.fixed is not None]
        for (one, _), (two, path) in combinations(bonuses, 2):
            if (one.on, one.currency) != (two.on, two.currency) or (
                one.group == two.group and one.group in best
            ):
                continue
            shared = _overlap(one.when, two.when)
            if shared is not None:
                (first_name, first_fr), (second_name, second_fr) = _quoted(one.name), _quoted(two.name)
                reason = (
                    f"{shared} meets {first_name} and {second_name}, and both are given",
                    f"{shared} remplit {first_fr} et {second_fr}, et les deux sont donnés",
                )
                remedy = (
                    "put them in a group with stacking: best, or bound the lower one with below",
                    "les mettre dans un groupe avec stacking: best, ou borner le premier avec below",
                )
                self.add("overlap", f"{path}.when", reason, remedy)
        for (first, one_goal), (second, two_goal) in combinations(enumerate(self.program.goals), 2):
            same = [step.at for step in one_goal.steps if step.at in {other.at for other in two_goal.steps}]
            if same and _measured(one_goal) == _measured(two_goal):
                reason = (
                    f"at {same[0]} it is reached together with goals[{first}], which measures the same",
                    f"à {same[0]}, il est atteint en même temps que goals[{first}], qui mesure la même chose",
                )
                remedy = ("make one goal of the two", "faire des deux un seul objectif")
                self.add("overlap", f"goals[{second}].steps", reason, remedy)

    def expiry(self) -> None:
        fates: list[tuple[Expiry, str]] = [
            (currency.expiry, f"point_currencies[{index}].expiry")
            for index, currency in enumerate(self.program.point_currencies)
        ]
        fates += [(rule.expiry, f"{path}.expiry") for rule, path in self.rules if rule.expiry is not None]
        for expiry, path in fates:
            if isinstance(expiry, ExpiryNever):
                continue
            if not expiry.grace_days:
                reason = (
                    "what is not used in time is lost at once",
                    "ce qui n'est pas utilisé à temps est perdu aussitôt",
                )
                remedy = (
                    "add grace_days, and warn members before the end",
                    "ajouter grace_days, et prévenir les membres avant la fin",
                )
                self.add("no_grace", path, reason, remedy)
            days = _life(expiry)
            if days is not None and days < self.bounds.life_days:
                reason = (
                    f"what is earned may last only {days} days",
                    f"ce qui est gagné peut ne durer que {days} jours",
                )
                least = self.bounds.life_days
                remedy = (f"let it last {least} days or more", f"le faire durer {least} jours ou plus")
                self.add("short_life", path, reason, remedy)

    def work(self) -> None:
        counts: dict[str, int] = {}
        for rule, _ in self.rules:
            counts[rule.on] = counts.get(rule.on, 0) + 1
        for kind, count in sorted(counts.items()):
            if count > self.bounds.rules_on_one:
                reason = (
                    f"{count} rules act on {kind}: nobody foresees them together",
                    f"{count} règles agissent sur {kind} : personne ne les prévoit ensemble",
                )
                remedy = (
                    "merge rules, or end campaigns that have run",
                    "réunir des règles, ou clore les campagnes passées",
                )
                self.add("many_rules", "rules", reason, remedy)

    # --- time and change ------------------------------------------------------------------------------

    def age(self, now: int, since: int) -> None:
        if now - since > self.bounds.stale_days * DAY:
            days = (now - since) // DAY
            reason = (f"it has not changed for {days} days", f"il n'a pas changé depuis {days} jours")
            remedy = (
                "look at what members use, and renew a part of it",
                "regarder ce que les membres utilisent, et en renouveler une part",
            )
            self.add("stale", "effective_from", reason, remedy)

    def change(self, before: Program) -> None:
        """What begins anew against the version before; what gets worse for members, and whether they are told."""
        for name, path, reason, remedy in beginnings(before, self.program):
            self.add(name, path, reason, remedy)
        notice = self.program.notice
        worse = list(_worse(before, self.program))
        if notice is None:
            for name, path, reason in worse:
                remedy = (
                    "add a notice: announced_on and text, before effective_from",
                    "ajouter un avis (notice) : announced_on et text, avant effective_from",
                )
                self.add(name, path, reason, remedy)
        elif worse and self.program.effective_from is not None:
            clock = Plan(self.program, 1).clock
            days = (parse_instant(self.program.effective_from) - starts_at(notice.announced_on, clock)) // DAY
            if days < self.bounds.notice_days:
                english, french = worse[0][2]
                reason = (
                    f"members are told {days} days before, and {english}",
                    f"les membres l'apprennent {days} jours avant, et {french}",
                )
                least = self.bounds.notice_days
                remedy = (
                    f"announce it {least} days before or more",
                    f"l'annoncer {least} jours avant ou plus",
                )
                self.add("notice_short", "notice.announced_on", reason, remedy)

    # --- a history ------------------------------------------------------------------------------------

    def show(self, name: str, value: str) -> None:
        self.shown.append(Shown(name, value))

    def history(self, totals: Totals) -> None:
        seen = totals.seen
        assert seen is not None
        plan = Plan(self.program, 1)
        self.show("members", str(totals.members))
        self.show("activities", str(totals.activities))
        self.tier_returns(totals, plan)
        if seen.asked:
            had = _percent(len(seen.waits), seen.asked)
            self.show("first reward", f"{_told(had)} of members")
            for rank in (25, 50, 75, 90):
                place = -(-seen.asked * rank // 100) - 1
                days = f"{seen.waits[place]} days" if place < len(seen.waits) else "not reached"
                self.show(f"first reward, p{rank}", days)
            half = -(-seen.asked // 2) - 1
            waited = seen.waits[half] if half < len(seen.waits) else None
            if waited is None or waited > self.bounds.reward_days:
                reason = (
                    (
                        f"half of the members have no reward: {_told(had)} of {seen.asked} had one",
                        f"la moitié des membres n'a pas de récompense : {_comma(_told(had))} sur {seen.asked} "
                        "en ont eu une",
                    )
                    if waited is None
                    else (
                        f"half of the members wait {waited} days or more for a first reward",
                        f"la moitié des membres attend {waited} jours ou plus une première récompense",
                    )
                )
                remedy = (
                    "add a small first reward, or raise the rate",
                    "ajouter une petite première récompense, ou relever le taux",
                )
                self.add("first_reward_late", "", reason, remedy)
        if seen.sales:
            share = _percent(seen.sales_without, seen.sales)
            self.show("sales that bring nothing", _told(share))
            if share > self.bounds.sales_without:
                reason = (
                    f"{_told(share)} of the sales bring nothing",
                    f"{_comma(_told(share))} des achats ne rapportent rien",
                )
                remedy = (
                    "lower the step of the rate, or drop a condition",
                    "réduire le pas du taux, ou retirer une condition",
                )
                self.add("sales_without", "rules", reason, remedy)
        if seen.active:
            self.reached(totals)
        if seen.quarter_before:
            share = _percent(seen.quarter, seen.quarter_before)
            self.show("active in the last quarter", f"{_told(share)} of the quarter before")
            if share < self.bounds.quarter:
                reason = (
                    f"{_told(share)} as many members are active as in the quarter before",
                    f"il n'y a que {_comma(_told(share))} des membres actifs du trimestre précédent",
                )
                remedy = (
                    "bring something new; see what stopped working",
                    "apporter du nouveau ; chercher ce qui ne marche plus",
                )
                self.add("interest_fades", "", reason, remedy)
        for index, currency in enumerate(self.program.point_currencies):
            moved = totals.currencies.get(currency.key)
            if moved is not None and moved.issued:
                share = _percent(moved.expired, moved.issued)
                self.show(f"{currency.key} expired", _told(share))
                if share > self.bounds.expired:
                    units, units_fr = _plural(currency)
                    reason = (
                        f"{_told(share)} of all {units} expired unused",
                        f"{_comma(_told(share))} des {units_fr} ont expiré sans servir",
                    )
                    remedy = (
                        "lengthen their life, lower the first reward's price, or warn members",
                        "allonger leur durée, baisser le prix de la première récompense, ou prévenir les membres",
                    )
                    self.add("much_expires", f"point_currencies[{index}].expiry", reason, remedy)
        self.pay_outs(totals)

    def tier_returns(self, totals: Totals, plan: Plan) -> None:
        seen = totals.seen
        assert seen is not None
        returns: list[tuple[int, str, Fraction]] = []
        for index, level in enumerate(plan.levels):
            found = seen.tiers.get(level)
            if found is None or found.spend <= 0:
                continue
            worth = sum(plan.worth(key, points) for key, points in found.points.items())
            returns.append((index, level, _percent(worth, found.spend)))
        for index, level, percent in returns:
            where, where_fr = self.in_level(level)
            self.show(f"effective return in {level}" if level else "effective return", _told(percent))
            if percent * 100 < self.bounds.return_floor:
                reason = (
                    f"{_told(percent)} of what was spent came back{where}",
                    f"{_comma(_told(percent))} de ce qui a été dépensé est revenu{where_fr}",
                )
                path = f"tiers.tiers[{index}]" if level else "rules"
                self.findings = [
                    item for item in self.findings if item.name != "return_low" or item.path != path
                ]
                self.add("return_low", path, reason, _RAISE)
        for (_, low, before), (index, high, percent) in pairwise(returns):
            if percent < before:
                (above, above_fr), (below, below_fr) = self.in_level(high), self.in_level(low)
                reason = (
                    f"{_told(percent)} comes back{above}, and {_told(before)}{below}, which is lower",
                    f"{_comma(_told(percent))} revient{above_fr}, et {_comma(_told(before))}{below_fr}, plus bas",
                )
                remedy = ("raise the rate of the higher tier", "relever le taux du niveau le plus haut")
                self.add("return_falls", f"tiers.tiers[{index}]", reason, remedy)

    def reached(self, totals: Totals) -> None:
        """The share of members active in the last year who reached each step and tier in it."""
        seen = totals.seen
        assert seen is not None
        parts: list[tuple[str, Said, str, int, bool]] = []
        for index, goal in enumerate(self.program.goals):
            for number, _ in enumerate(goal.steps, 1):
                last = number == len(goal.steps) and not goal.repeat
                count = seen.reached.get(f"goal:{goal.key}:{number}", 0)
                gives = bool(goal.steps[number - 1].grants)
                if gives:
                    name, name_fr = _quoted(goal.name)
                    said = (f"step {number} of {name}", f"le palier {number} de {name_fr}")
                    parts.append(
                        (
                            f"{goal.key}, step {number}",
                            said,
                            f"goals[{index}].steps[{number - 1}]",
                            count,
                            last,
                        )
                    )
        for index, streak in enumerate(self.program.streaks):
            for number, step in enumerate(streak.steps):
                count = seen.reached.get(f"streak:{streak.key}:{step.at}", 0)
                name, name_fr = _quoted(streak.name)
                said = (f"the step at {step.at} of {name}", f"le palier à {step.at} de {name_fr}")
                parts.append(
                    (f"{streak.key}, {step.at}", said, f"streaks[{index}].steps[{number}]", count, False)
                )
        ladder = self.program.tiers.tiers if self.program.tiers is not None else []
        for index, tier in enumerate(ladder[1:], 1):
            held = seen.held.get(tier.key, 0)
            name, name_fr = _quoted(tier.name)
            said = (f"the tier {name}", f"le niveau {name_fr}")
            parts.append((tier.key, said, f"tiers.tiers[{index}]", held, index == len(ladder) - 1))
        for key, (name, name_fr), path, count, last in parts:
            share = _percent(count, seen.active)
            self.show(f"reached {key}", _told(share))
            told = (
                f"{_told(share)} of the members active in the last year reached {name}",
                f"{_comma(_told(share))} des membres actifs dans l'année ont atteint {name_fr}",
            )
            if share < self.bounds.too_hard:
                remedy = (
                    "lower it, or put an easier step before it",
                    "l'abaisser, ou mettre avant lui un palier plus facile",
                )
                self.add("too_hard", path, told, remedy)
            elif last and share > self.bounds.too_easy:
                self.add("too_easy", path, told, ("add a step beyond it", "ajouter un palier au-delà"))

    def pay_outs(self, totals: Totals) -> None:
        """Whether cash ever reaches the least that is paid out, at what members earn in a year."""
        seen = totals.seen
        assert seen is not None
        for index, currency in enumerate(self.program.point_currencies):
            moved = totals.currencies.get(currency.key)
            if currency.pay_out_from is None or moved is None or not totals.members:
                continue
            mean = Fraction(moved.issued - moved.reversed, totals.members * 10**currency.scale)
            if mean < Fraction(currency.pay_out_from):
                reason = (
                    f"members earned {_plain(mean)} on average, and {currency.pay_out_from} is paid out at least",
                    f"les membres ont gagné {_comma(_plain(mean))} en moyenne, et l'on ne verse qu'à partir de "
                    f"{_comma(currency.pay_out_from)}",
                )
                remedy = ("lower pay_out_from", "baisser pay_out_from")
                self.add("pay_out_far", f"point_currencies[{index}].pay_out_from", reason, remedy)


# --- small readings of a document ---------------------------------------------------------------------


def _quoted(name: Text) -> Said:
    """What members call something, in quotes."""
    return f'"{name.en or name.fr}"', f"« {name.fr or name.en} »"


def _plural(currency: PointCurrency) -> Said:
    """What members call points, of more than one."""
    english, french = currency.name.en or currency.name.fr, currency.name.fr or currency.name.en
    assert english is not None
    assert french is not None
    return english.other, french.other


def _plain(value: Fraction) -> str:
    """A number for a sentence: at most two decimals, rounded down."""
    hundredths = value * 100 // 1
    return f"{hundredths // 100}" if hundredths % 100 == 0 else f"{hundredths // 100}.{hundredths % 100:02d}"


def _comma(number: str) -> str:
    """A number as French writes it."""
    return number.replace(".", ",")


_RAISE: Final = ("raise the rate or the value of a point", "relever le taux ou la valeur d'un point")
_METRICS_FR: Final = {"spend": "dépenses", "points": "points", "visits": "visites"}


def _asked(qualify: Qualify | None, metric: str) -> Fraction | None:
    """The threshold of a tier in one metric, where it asks for it."""
    if qualify is None:
        return None
    for threshold in (*(qualify.all or ()), *(qualify.any or ())):
        if threshold.metric == metric:
            return Fraction(threshold.at_least)
    return None


def _least_amount(condition: Condition | None) -> Fraction | None:
    """The least amount that a condition always asks for, where it does."""
    if condition is None:
        return None
    if condition.all is not None:
        return max((found for part in condition.all if (found := _least_amount(part))), default=None)
    if condition.field == "amount":
        bound = condition.at_least if condition.at_least is not None else condition.above
        if isinstance(bound, (str, int)) and not isinstance(bound, bool):
            return Fraction(bound)
    return None


_BOUNDS: Final = ("at_least", "above")


def _overlap(one: Condition | None, two: Condition | None) -> str | None:
    """What meets two single comparisons that are both open above, such as an amount; None where nothing must."""
    if one is None or two is None or one.field is None or one.field != two.field:
        return None
    if (one.per, one.of) != (two.per, two.of) or one.field not in (
        "amount",
        "quantity",
        "lines",
        "nth",
        "count",
    ):
        return None
    highest: list[Fraction] = []
    for condition in (one, two):
        given = {
            name: value
            for name in ("is_", "in_", "is_not", "not_in", "at_least", "at_most", "above", "below", "every")
            if (value := getattr(condition, name)) is not None
        }
        bounds = [value for name, value in given.items() if name in _BOUNDS]
        if len(given) != 1 or not bounds:
            return None
        highest.append(Fraction(str(bounds[0])))
    return f"{one.field} {_plain(max(highest))}"


def _measured(goal: Goal) -> bytes:
    """What a goal measures, as one value."""
    return msgspec.json.encode(
        (goal.on, goal.when, goal.lines, goal.measure, goal.currency, goal.distinct, goal.base, goal.window)
    )


def _life(expiry: Expiry) -> int | None:
    """The fewest days that something earned lasts, where the document says."""
    match expiry:
        case ExpiryRolling() | ExpiryInactivity():
            return expiry.days
        case ExpiryEndOfMonth():
            return expiry.after_months * 30
        case ExpiryEndOfYear():
            return expiry.after_years * 365
        case ExpiryFixedDate() | ExpiryNever():
            return None


def _rate(rule: Rule) -> Fraction:
    """How much a rule brings, for comparing it with itself in another version."""
    if rule.per_spend is not None:
        return Fraction(Fraction(rule.per_spend.points), Fraction(rule.per_spend.every))
    return Fraction(rule.per_unit or rule.fixed or rule.multiply or "0")


def _worse(before: Program, after: Program) -> Iterator[tuple[str, str, Said]]:
    """(finding, path, reason) of what is worse for members in the later of two versions."""
    old = {currency.key: currency for currency in before.point_currencies}
    for index, currency in enumerate(after.point_currencies):
        was = old.get(currency.key)
        if was is None:
            continue
        path = f"point_currencies[{index}]"
        units, units_fr = _plural(currency)
        if was.value is not None and Fraction(currency.value or "0") < Fraction(was.value):
            cut = (
                f"{units} fall from {was.value} to {currency.value or 'no value'}",
                f"les {units_fr} passent de {_comma(was.value)} à {_comma(currency.value or 'aucune valeur')}",
            )
            yield "value_cut", f"{path}.value", cut
        if _sooner(was.expiry, currency.expiry):
            sooner = (f"{units} expire sooner than before", f"les {units_fr} expirent plus tôt")
            yield "harsher", f"{path}.expiry", sooner
    rates = {rule.key: _rate(rule) for rule in all_rules(before)}
    for index, rule in enumerate(after.rules):
        if _rate(rule) < rates.get(rule.key, Fraction(0)):
            name, name_fr = _quoted(rule.name)
            less = (f"{name} brings less than before", f"{name_fr} rapporte moins qu'avant")
            yield "harsher", f"rules[{index}]", less
    kept = {rule.key for rule in all_rules(after)}
    for rule in before.rules:
        if rule.key not in kept:
            name, name_fr = _quoted(rule.name)
            yield "harsher", "rules", (f"{name} is gone", f"{name_fr} n'y est plus")
    gone: tuple[tuple[str, Sequence[_Kept], Sequence[_Kept], Said], ...] = (
        ("tiers.tiers", _ladder(before), _ladder(after), ("who holds it loses it", "qui le détient le perd")),
        ("goals", before.goals, after.goals, _GATHERED),
        ("streaks", before.streaks, after.streaks, _GATHERED),
        ("memberships", before.memberships, after.memberships, _PAID),
    )
    for path, was_there, still, lost in gone:
        there = {part.key for part in still}
        for part in was_there:
            if part.key not in there:
                name, name_fr = _quoted(part.name)
                yield "harsher", path, (f"{name} is gone, {lost[0]}", f"{name_fr} n'y est plus, {lost[1]}")
    tiers = {tier.key: tier for tier in before.tiers.tiers} if before.tiers is not None else {}
    for index, tier in enumerate(after.tiers.tiers if after.tiers is not None else []):
        name, name_fr = _quoted(tier.name)
        for metric in ("spend", "points", "visits"):
            was_asked = _asked(tiers[tier.key].qualify, metric) if tier.key in tiers else None
            asked = _asked(tier.qualify, metric)
            if was_asked is not None and asked is not None and asked > was_asked:
                yield (
                    "harsher",
                    f"tiers.tiers[{index}].qualify",
                    (
                        f"{name} asks for more {metric} than before",
                        f"{name_fr} demande plus de {_METRICS_FR[metric]} qu'avant",
                    ),
                )
    goals = {goal.key: goal for goal in before.goals}
    for index, goal in enumerate(after.goals):
        earlier = goals[goal.key].steps if goal.key in goals else []
        for number, (old_step, step) in enumerate(zip(earlier, goal.steps, strict=False)):
            if Fraction(step.at) > Fraction(old_step.at):
                name, name_fr = _quoted(goal.name)
                more = (f"{name} asks for more than before", f"{name_fr} demande plus qu'avant")
                yield "harsher", f"goals[{index}].steps[{number}]", more


_Kept = Tier | Goal | Streak | Membership
"""What a member has of his own, so that he loses it where it goes."""
_PAID: Final = ("who has paid for it loses it", "qui l'a payée la perd")
_GATHERED: Final = ("with what members have gathered for it", "avec ce que les membres y ont amassé")


def _ladder(program: Program) -> Sequence[Tier]:
    return program.tiers.tiers if program.tiers is not None else ()


def _sooner(was: Expiry, now: Expiry) -> bool:
    """Whether what is earned lasts shorter, as far as the two can be compared."""
    if isinstance(was, ExpiryNever) or isinstance(now, ExpiryNever):
        return isinstance(was, ExpiryNever) and not isinstance(now, ExpiryNever)
    old, new = _life(was), _life(now)
    return (old is not None and new is not None and new < old) or now.grace_days < was.grace_days


__all__ = ["NAMES", "Bounds", "Finding", "Report", "Shown", "lint", "looked", "pages"]
