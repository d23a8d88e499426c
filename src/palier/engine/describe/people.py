"""Bringing a friend, paid memberships, partners; what changes, and what is good to know."""

from __future__ import annotations

from palier.engine import mechanics as made
from palier.engine.amounts import from_minor, ratio
from palier.engine.describe.games import Games
from palier.engine.describe.page import Part
from palier.engine.facts import SALE, VISIT
from palier.engine.phrases import date_words

_DATED = frozenset({"birthday", "anniversary"})


class People(Games):
    """Who else takes part."""

    # --- a friend -------------------------------------------------------------------------------------

    def friend_parts(self) -> list[Part]:
        referral = self.program.referral
        if referral is None:
            return []
        deeds = {
            SALE: ("buys something", "achète quelque chose"),
            VISIT: ("comes", "vient"),
            "fee": ("pays for a membership", "paie une adhésion"),
        }
        done = [
            self.say(*deeds[key])
            if key in deeds
            else self.say(f"does this: {self.activity_name(key)}", f"fait ceci : {self.activity_name(key)}")
            for key in referral.on
        ]
        deed = self.joined(done, last=("or", "ou"))
        texts = [
            self.say(
                "bring a friend who is not a member yet", "faites venir un ami qui n'est pas encore membre"
            ),
        ]
        items = []
        joint = self.say(": ", " : ")
        if referral.referrer:
            items.append(
                self.sentence(self.say("you get", "vous recevez") + joint + self.grants(referral.referrer))
            )
        if referral.friend:
            items.append(
                self.sentence(
                    self.say("your friend gets", "votre ami reçoit") + joint + self.grants(referral.friend)
                )
            )
        both = self.say("both of you get something", "vous recevez tous les deux quelque chose")
        one = self.say("someone gets something", "il y a une récompense")
        which = both if referral.referrer and referral.friend else one
        texts.append(
            self.say(
                f"{which} the first time your friend {deed}", f"{which} la première fois que votre ami {deed}"
            )
        )
        if referral.when is not None:
            said = self.occasion(referral.on[0] if referral.on else SALE, referral.when, verb=False)
            said = said.replace(self.say("if you ", "si vous "), self.say("if they ", "si la personne "))
            if said:
                texts.append(
                    self.say(
                        f"for your friend: only {said}", f"pour votre ami : seulement {self.third(said)}"
                    )
                )
            texts.append(self.terms(referral.on[0] if referral.on else SALE, referral.when, verb=False))
        if referral.within_days:
            days = self.days(referral.within_days)
            texts.append(
                self.say(
                    f"this must be within {days} of joining",
                    f"cela doit arriver dans les {days} après son inscription",
                )
            )
        if referral.wait_days:
            days = self.days(referral.wait_days)
            texts.append(
                self.say(
                    f"you can both use it {days} later, once it is sure that nothing is brought back",
                    f"c'est utilisable {days} plus tard, quand il est sûr que rien n'est rapporté",
                )
            )
        if referral.most is not None:
            friends = self.counted(referral.most, ("friend", "friends"), ("ami", "amis"))
            texts.append(
                self.say(f"this is for {friends} a year at most", f"c'est pour {friends} par an au plus")
            )
        return [Part("", self.sentences(*texts), items)]

    def third(self, text: str) -> str:
        for yours, theirs in (
            ("la personne dépensez", "la personne dépense"),
            ("la personne payez", "la personne paie"),
            ("la personne achetez", "la personne achète"),
            ("la personne prenez", "la personne prend"),
        ):
            text = text.replace(yours, theirs)
        return text

    # --- memberships ----------------------------------------------------------------------------------

    def membership_parts(self) -> list[Part]:
        return [self.membership_part(membership) for membership in self.program.memberships]

    def membership_part(self, membership: made.Membership) -> Part:
        fee = self.price(membership.fee)
        texts = []
        if membership.months is None:
            texts.append(
                self.say(
                    f"it costs {fee}, once, and lasts for life",
                    f"elle coûte {fee}, une seule fois, et dure toute la vie",
                )
            )
        else:
            months = self.counted(membership.months, ("month", "months"), ("mois", "mois"))
            texts.append(self.say(f"it costs {fee} for {months}", f"elle coûte {fee} pour {months}"))
        if membership.grants:
            given = self.grants(membership.grants)
            texts.append(
                self.say(f"each payment gives you {given}", f"à chaque paiement, vous recevez {given}")
            )
        if membership.dividend is not None:
            texts += self.dividend(membership.dividend)
        benefits = [
            self.sentence(self.text(benefit)) for benefit in membership.benefits if self.text(benefit)
        ]
        return Part(self.name_or(membership.name, membership.key), self.sentences(*texts), benefits)

    def dividend(self, dividend: made.Dividend) -> list[str]:
        names, goal = self.many(dividend.currency), self.goal_name(dividend.goal)
        texts = [
            self.say(
                f"at the end of the year, members get a part of {goal} back in {names}, at a rate set then",
                f"en fin d'année, les adhérents reçoivent une part de {goal} en {names}, au taux fixé alors",
            )
        ]
        if dividend.least is not None:
            least = self.price(dividend.least)
            texts.append(
                self.say(f"it takes at least {least} in the year", f"il faut au moins {least} dans l'année")
            )
        return texts

    # --- partners -------------------------------------------------------------------------------------

    def partner_parts(self) -> list[Part]:
        return [self.partner_part(partner) for partner in self.program.partners]

    def partner_part(self, partner: made.Partner) -> Part:
        names = self.many(partner.currency)
        texts = [
            self.say(f"you earn and use {names} here", f"ici, vous gagnez et utilisez vos {names}"),
        ]
        for agreement in partner.agreements:
            texts += self.agreement(agreement, partner.currency)
        benefits = [self.sentence(self.text(benefit)) for benefit in partner.benefits if self.text(benefit)]
        if len(benefits) > 1:
            texts.append(self.say("you can choose", "vous pouvez choisir"))
        return Part(self.name_or(partner.name, partner.key), self.sentences(*texts), benefits)

    def agreement(self, agreement: made.Agreement, currency: str) -> list[str]:
        """What limits what members can earn there; prices between companies are not theirs."""
        day = date_words(agreement.from_, self.language)
        texts = []
        if agreement.most_points_month is not None:
            most = self.rate_points(agreement.most_points_month, currency)
            texts.append(
                self.say(
                    f"from {day} on, all members together can earn {most} a month here",
                    f"à partir du {day}, tous les membres ensemble peuvent gagner ici {most} par mois",
                )
            )
        if agreement.prepaid is not None and ratio(agreement.issue_price)[0]:
            paid, each = ratio(agreement.prepaid), ratio(agreement.issue_price)
            scale = self.units[currency].scale if currency in self.units else 0
            whole = paid[0] * each[1] * 10**scale // (paid[1] * each[0])
            most = self.rate_points(from_minor(whole, scale), currency)
            texts.append(
                self.say(
                    f"from {day} on, all members together can earn {most} here, until more are added",
                    f"à partir du {day}, tous les membres ensemble peuvent gagner ici {most}, jusqu'au prochain ajout",
                )
            )
        return texts

    # --- changes, and the rest ------------------------------------------------------------------------

    def change_parts(self) -> list[Part]:
        program, notice = self.program, self.program.notice
        parts = []
        if notice is not None:
            day = date_words(notice.announced_on, self.language)
            texts = [
                self.say(f"told to members on {day}", f"annoncé aux membres le {day}"),
                self.text(notice.text),
            ]
            if notice.keep_value:
                names = self.joined([self.many(key) for key in notice.keep_value])
                texts.append(
                    self.say(
                        f"the {names} that you earned before keep their old value: we add some to make up for it",
                        f"vos {names} d'avant gardent leur ancienne valeur : nous en ajoutons pour compenser",
                    )
                )
            parts.append(Part("", self.sentences(*texts)))
        if program.effective_from is not None:
            start = self.point_in_time(program.effective_from)
            parts.append(
                Part(
                    "",
                    self.sentence(
                        self.say(
                            f"these rules hold from {start} on", f"ces règles valent à partir du {start}"
                        )
                    ),
                )
            )
        return parts

    def other_parts(self) -> list[Part]:
        program = self.program
        place = self.place()
        minutes = self.counted(program.hold_minutes, ("minute", "minutes"), ("minute", "minutes"))
        late = self.days(program.late_window_days)
        texts = [
            self.say(f"days and hours are those of {place}", f"les jours et les heures sont ceux de {place}"),
            self.say(
                f"what is set aside for you while you pay is free again after {minutes}",
                f"ce qui est mis de côté pendant que vous payez redevient libre après {minutes}",
            ),
            self.say(
                f"what we hear of late counts on its own day; up to {late} late, we count again what came after",
                f"ce que nous apprenons en retard compte à sa date ; jusqu'à {late} après, nous recomptons la suite",
            ),
        ]
        if program.adjustments is not None and program.adjustments.reasons:
            names = self.joined([self.name_or(r.name, r.key) for r in program.adjustments.reasons])
            texts.append(
                self.say(
                    f"when someone adds or takes something by hand, you read why: {names}",
                    f"quand quelqu'un ajoute ou reprend quelque chose à la main, vous lisez pourquoi : {names}",
                )
            )
        used = {key for goal in program.goals for key in goal.on} | {rule.on for rule in self.all_rules()}
        born = program.birth_date
        if "birthday" in used and born is not None:
            attribute = program.member_attributes.get(born)
            described = self.text(attribute.description) if attribute and attribute.description else ""
            named = self.quoted(described or born.replace("_", " "))
            texts.append(
                self.say(
                    f"for your birthday we go by what you told us: {named}",
                    f"pour votre anniversaire, nous suivons ce que vous nous avez dit : {named}",
                )
            )
        if used & _DATED:
            day = self.say(
                "28 February" if program.leap_day == "february_28" else "1 March",
                "28 février" if program.leap_day == "february_28" else "1er mars",
            )
            texts.append(
                self.say(
                    f"what falls on 29 February is kept on {day} in other years",
                    f"ce qui tombe un 29 février se fête le {day} les autres années",
                )
            )
        return [Part("", self.sentences(*texts))]
