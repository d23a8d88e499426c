"""What settings of a program document are called in a form, and the French of what they mean.

What a setting means stands in English beside the type (`palier.engine.program.meanings`); the form shows it as the
consequence beside the field. A test holds that every setting has its name and its French here.
"""

from __future__ import annotations

from typing import Final

from palier.engine.describe.page import typeset
from palier.engine.program import meanings

NAMES: Final[dict[str, tuple[str, str]]] = {
    "accent": ("Colour", "Couleur"),
    "active_from": ("From", "À partir du"),
    "active_until": ("Through", "Jusqu'au"),
    "activity": ("Per activity", "Par activité"),
    "activity_types": ("Activity types", "Types d'activité"),
    "adjustments": ("Adjustments by staff", "Ajustements par l'équipe"),
    "after_months": ("Months after", "Mois après"),
    "after_years": ("Years after", "Années après"),
    "agreements": ("Agreements", "Accords"),
    "alt": ("What it shows", "Ce qu'elle montre"),
    "all": ("All of", "Toutes ces conditions"),
    "announced_on": ("Announced on", "Annoncé le"),
    "answers": ("Answers", "Réponses"),
    "any": ("One of", "Une de ces conditions"),
    "approval_above": ("Approval above", "Approbation au-delà de"),
    "approval_days": ("Days to approve", "Jours pour approuver"),
    "approval_to_publish": ("A second person publishes", "Publication à deux"),
    "at": ("At", "À"),
    "at_least": ("At least", "Au moins"),
    "at_most": ("At most", "Au plus"),
    "at_once": ("At once", "En une fois"),
    "at_risk_hours": ("Hours at risk", "Heures d'alerte"),
    "attempts": ("Attempts", "Essais"),
    "attributes": ("Attributes", "Attributs"),
    "audience": ("Audience", "Public"),
    "above": ("More than", "Plus de"),
    "base": ("What counts", "Ce qui compte"),
    "below": ("Less than", "Moins de"),
    "benefits": ("Benefits", "Avantages"),
    "birth_date": ("Date of birth", "Date de naissance"),
    "brand": ("Brand", "Marque"),
    "budget": ("Budget", "Budget"),
    "burn_price": ("Price of a point used", "Prix d'un point utilisé"),
    "calendar": ("Times", "Horaires"),
    "campaigns": ("Campaigns", "Campagnes"),
    "caps": ("Caps", "Plafonds"),
    "choices": ("Choices", "Choix"),
    "cool_down_days": ("Days between two wins", "Jours entre deux gains"),
    "counts": ("Activities that count", "Activités qui comptent"),
    "currency": ("Currency", "Monnaie"),
    "date": ("Date", "Date"),
    "day": ("Per day", "Par jour"),
    "days": ("Days", "Jours"),
    "days_of_month": ("Days of the month", "Jours du mois"),
    "decimals": ("Decimals", "Décimales"),
    "description": ("Description", "Description"),
    "direction": ("Direction", "Sens"),
    "discounts": ("Discounts", "Remises"),
    "distinct": ("New values of", "Nouvelles valeurs de"),
    "dividend": ("Dividend", "Dividende"),
    "effective_from": ("Takes effect", "Prend effet"),
    "en": ("English", "Anglais"),
    "every": ("For every", "Tous les"),
    "exclusive": ("Only one acts of", "Une seule agit parmi"),
    "expiry": ("Expiry", "Expiration"),
    "fee": ("Fee", "Cotisation"),
    "field": ("Field", "Champ"),
    "fixed": ("Bonus", "Bonus"),
    "fr": ("French", "Français"),
    "free_unit": ("Free unit worth", "Valeur de l'unité offerte"),
    "freeze": ("Freeze token", "Jeton de pause"),
    "friend": ("For the friend", "Pour l'ami"),
    "from": ("From", "De"),
    "funded_by": ("Paid by", "Financé par"),
    "games": ("Games", "Jeux"),
    "gift_cards": ("Gift cards", "Cartes cadeaux"),
    "goal": ("Goal", "Objectif"),
    "goals": ("Goals and cards", "Objectifs et cartes"),
    "grace_days": ("Days of grace", "Jours de grâce"),
    "grants": ("Gives", "Donne"),
    "group": ("Group", "Groupe"),
    "groups": ("Groups of rules", "Groupes de règles"),
    "head_start": ("Head start", "Avance offerte"),
    "hidden": ("Hidden", "Caché"),
    "hold_minutes": ("Minutes a hold lasts", "Minutes d'une réservation"),
    "icon": ("Icon", "Icône"),
    "in": ("Is one of", "Est parmi"),
    "invitation": ("Invitation", "Invitation"),
    "is": ("Is", "Est"),
    "is_not": ("Is not", "N'est pas"),
    "issue_price": ("Price of a point issued", "Prix d'un point émis"),
    "keep": ("To stay", "Pour y rester"),
    "keep_value": ("Keep their value", "Gardent leur valeur"),
    "key": ("Key", "Clé"),
    "kind": ("Kind", "Sorte"),
    "languages": ("Languages", "Langues"),
    "late_window_days": ("Days for late activities", "Jours pour les retards"),
    "leaderboards": ("Rankings", "Classements"),
    "leap_day": ("29 February", "29 février"),
    "least": ("At least", "Au moins"),
    "lifetime": ("In all", "En tout"),
    "limits": ("Limits", "Limites"),
    "logo": ("Logo", "Logo"),
    "logo_says_name": ("The logo says the name", "Le logo dit le nom"),
    "lines": ("Lines that count", "Lignes qui comptent"),
    "measure": ("Measure", "Mesure"),
    "member_attributes": ("What is known of members", "Ce qu'on sait des membres"),
    "memberships": ("Memberships", "Adhésions"),
    "metric": ("Metric", "Mesure"),
    "mode": ("Rounding", "Arrondi"),
    "money": ("Money", "Argent"),
    "month": ("Per month", "Par mois"),
    "months": ("Months", "Mois"),
    "most": ("At most", "Au plus"),
    "most_per_day": ("Most per day", "Maximum par jour"),
    "most_points_month": ("Most points per month", "Maximum de points par mois"),
    "most_rounds": ("Most rounds", "Nombre de tours"),
    "multiply": ("Multiplies by", "Multiplie par"),
    "name": ("Name", "Nom"),
    "names": ("Names of the shop's own keys", "Noms des clés du magasin"),
    "not": ("None of", "Aucune de ces conditions"),
    "not_in": ("Is none of", "N'est pas parmi"),
    "notice": ("Notice to members", "Annonce aux membres"),
    "of": ("Of", "De"),
    "on": ("On", "Sur"),
    "one": ("One", "Un"),
    "opt_in": ("Only after opting in", "Seulement après inscription"),
    "origins": ("Pages of the shop", "Pages du magasin"),
    "other": ("Several", "Plusieurs"),
    "palier": ("Format", "Format"),
    "partners": ("Partners", "Partenaires"),
    "paused": ("Paused", "En pause"),
    "pay_out_from": ("Paid out from", "Versé à partir de"),
    "pending": ("Wait before spending", "Attente avant usage"),
    "per": ("Within", "Dans"),
    "per_spend": ("Points per amount", "Points par montant"),
    "per_unit": ("Points per unit", "Points par unité"),
    "period": ("Period", "Période"),
    "point_currencies": ("Points", "Points"),
    "points": ("Points", "Points"),
    "points_currency": ("Points that count", "Points qui comptent"),
    "points_part": ("Paid in points", "Payé en points"),
    "prepaid": ("Paid ahead", "Payé d'avance"),
    "price": ("Price", "Prix"),
    "prizes": ("Prizes", "Lots"),
    "product_code": ("Product codes", "Codes de produits"),
    "qualify": ("To reach it", "Pour l'atteindre"),
    "questions": ("Questions", "Questions"),
    "quizzes": ("Quizzes", "Quiz"),
    "reasons": ("Reasons", "Motifs"),
    "referral": ("Bring a friend", "Parrainage"),
    "referrer": ("For who brought the friend", "Pour le parrain"),
    "repeat": ("Begins anew", "Recommence"),
    "required": ("Required", "Obligatoire"),
    "return_grace_days": ("Days after a return", "Jours après un retour"),
    "right": ("Right answer", "Bonne réponse"),
    "rounding": ("Rounding", "Arrondi"),
    "rules": ("Rules", "Règles"),
    "sale_key": ("What names a sale", "Ce qui désigne une vente"),
    "scale": ("Decimals", "Décimales"),
    "shipping": ("Shipping", "Livraison"),
    "shown": ("Ranks shown", "Rangs affichés"),
    "soft_landing": ("One tier down at a time", "Un niveau à la fois"),
    "source": ("Address", "Adresse"),
    "spend_base": ("What counts as spend", "Ce qui compte comme dépense"),
    "stacking": ("Together", "Ensemble"),
    "steps": ("Steps", "Étapes"),
    "stock": ("Stock", "Stock"),
    "streaks": ("Streaks", "Séries"),
    "surplus": ("Surplus", "Surplus"),
    "taking_back": ("When spent points are taken back", "Reprise de points dépensés"),
    "tax": ("Tax", "Taxe"),
    "tenders": ("Rates by tender", "Taux par moyen de paiement"),
    "text": ("Text", "Texte"),
    "through": ("Through rank", "Jusqu'au rang"),
    "tier_multipliers": ("Multipliers by tier", "Multiplicateurs par niveau"),
    "tiers": ("Tiers", "Niveaux"),
    "ties": ("Ties", "Ex æquo"),
    "time_zone": ("Time zone", "Fuseau horaire"),
    "transferable": ("Transferable", "Transférables"),
    "type": ("Type", "Type"),
    "until": ("Until", "Jusqu'à"),
    "value": ("Value of one", "Valeur d'un"),
    "wait_days": ("Days of waiting", "Jours d'attente"),
    "week": ("Per week", "Par semaine"),
    "weekdays": ("Days of the week", "Jours de la semaine"),
    "weight": ("Weight", "Poids"),
    "when": ("Condition", "Condition"),
    "widget": ("Widget", "Widget"),
    "window": ("Window", "Période"),
    "withdraws": ("Withdraws", "Annule"),
    "within_days": ("Within days", "Dans les jours"),
    "year": ("Per year", "Par an"),
    "zone": ("Whose days", "Jours de qui"),
}
"""Setting -> its name in English and French."""

CHOICES: Final[dict[str, tuple[str, str]]] = {
    "activities": ("Activities", "Activités"),
    "activity": ("Until an activity", "Jusqu'à une activité"),
    "add": ("Add up", "S'additionnent"),
    "anniversary": ("Anniversary", "Anniversaire d'adhésion"),
    "average": ("Average price", "Prix moyen"),
    "badge": ("Badge", "Badge"),
    "basket": ("Once for the basket", "Une fois par panier"),
    "best": ("Only the best", "Le meilleur seulement"),
    "birthday": ("Birthday", "Anniversaire"),
    "boolean": ("Yes or no", "Oui ou non"),
    "both": ("Either", "Les deux"),
    "calendar": ("Calendar period", "Période du calendrier"),
    "carry": ("Remainder carried on", "Reste reporté"),
    "cash": ("Money", "Argent"),
    "category": ("Category", "Catégorie"),
    "ceiling": ("Up", "Au-dessus"),
    "challenge": ("Challenge", "Défi"),
    "channel": ("Channel", "Canal"),
    "cheapest": ("Cheapest", "Le moins cher"),
    "date": ("Date", "Date"),
    "dates": ("Between two dates", "Entre deux dates"),
    "day": ("Day", "Jour"),
    "days": ("Days", "Jours"),
    "debt": ("Owed", "Dus"),
    "decimal": ("Decimal number", "Nombre décimal"),
    "deducted": ("After discounts", "Après remises"),
    "distinct": ("New values", "Nouvelles valeurs"),
    "each": ("Each period", "Chaque période"),
    "earliest": ("Who was first", "Le premier arrivé"),
    "en": ("English", "Anglais"),
    "end_of_month": ("End of a month", "Fin d'un mois"),
    "end_of_year": ("End of a year", "Fin d'une année"),
    "february_28": ("28 February", "28 février"),
    "fee": ("Membership fee", "Cotisation"),
    "fixed_date": ("A date", "Une date"),
    "floor": ("Down", "Au-dessous"),
    "fr": ("French", "Français"),
    "friday": ("Friday", "Vendredi"),
    "friend_converted": ("A friend converted", "Un ami converti"),
    "friend_joined": ("A friend joined", "Un ami inscrit"),
    "from_start": ("From the start", "Dès le début"),
    "give": ("Given", "Donnés"),
    "goal": ("Goal", "Objectif"),
    "half_even": ("To the nearest, halves to even", "Au plus près, moitiés au pair"),
    "half_up": ("To the nearest, halves up", "Au plus près, moitiés en haut"),
    "ignored": ("Before discounts", "Avant remises"),
    "in": ("Counts", "Compte"),
    "inactivity": ("After inactivity", "Après inactivité"),
    "integer": ("Whole number", "Nombre entier"),
    "joined": ("Joining", "Inscription"),
    "levels": ("Levels", "Niveaux"),
    "lifetime": ("For life", "À vie"),
    "line": ("Each line", "Chaque ligne"),
    "location": ("Location", "Lieu"),
    "march_1": ("1 March", "1er mars"),
    "member": ("Member", "Membre"),
    "milestone": ("Milestone", "Cap"),
    "monday": ("Monday", "Lundi"),
    "month": ("Month", "Mois"),
    "never": ("Never", "Jamais"),
    "out": ("Does not count", "Ne compte pas"),
    "opt_in": ("Takes part in a challenge", "Participe à un défi"),
    "opt_out": ("Leaves a challenge", "Quitte un défi"),
    "pair": ("A pair", "Un binôme"),
    "pair_act": ("Act of a pair", "Acte d'un binôme"),
    "paired": ("A pair begins", "Début d'un binôme"),
    "partner": ("Partner", "Partenaire"),
    "play": ("Play of a game", "Partie d'un jeu"),
    "points": ("Points", "Points"),
    "program": ("Program", "Programme"),
    "quarter": ("Quarter", "Trimestre"),
    "quiz": ("Quiz answered", "Réponse à un quiz"),
    "refuse": ("The return is refused", "Le retour est refusé"),
    "reset": ("Dropped", "Perdu"),
    "return": ("Return", "Retour"),
    "reward": ("Reward", "Récompense"),
    "roll_over": ("Counts for the next round", "Compte pour le tour suivant"),
    "rolling": ("Rolling days", "Jours glissants"),
    "sale": ("Sale", "Vente"),
    "saturday": ("Saturday", "Samedi"),
    "save_for": ("Saves for a reward", "Épargne pour une récompense"),
    "scratch_card": ("Scratch card", "Carte à gratter"),
    "segment": ("Segment", "Segment"),
    "shared": ("Shared", "Partagé"),
    "sku": ("Product", "Produit"),
    "source": ("Source", "Source"),
    "spend": ("Spend", "Dépense"),
    "stamp_card": ("Stamp card", "Carte à tampons"),
    "sunday": ("Sunday", "Dimanche"),
    "surprise": ("Surprise", "Surprise"),
    "take": ("Taken", "Repris"),
    "tender": ("Tender", "Moyen de paiement"),
    "text": ("Text", "Texte"),
    "thursday": ("Thursday", "Jeudi"),
    "ticket_number": ("Ticket number", "Numéro de ticket"),
    "token": ("Token", "Jeton"),
    "tuesday": ("Tuesday", "Mardi"),
    "units": ("Units", "Unités"),
    "unpaired": ("A pair ends", "Fin d'un binôme"),
    "visit": ("Visit", "Visite"),
    "visits": ("Visits", "Visites"),
    "wednesday": ("Wednesday", "Mercredi"),
    "week": ("Week", "Semaine"),
    "wheel": ("Wheel", "Roue"),
    "write_off": ("Let go", "Abandonnés"),
    "year": ("Year", "Année"),
}
"""Value of a setting that has few -> its word in English and French."""

FIELDS: Final[dict[str, tuple[str, str]]] = {
    "amount": ("Amount", "Montant"),
    "quantity": ("Quantity", "Quantité"),
    "lines": ("Number of lines", "Nombre de lignes"),
    "category": ("Category", "Catégorie"),
    "sku": ("Product", "Produit"),
    "channel": ("Channel", "Canal"),
    "location": ("Location", "Lieu"),
    "partner": ("Partner", "Partenaire"),
    "tender": ("Tender", "Moyen de paiement"),
    "tier": ("Tier", "Niveau"),
    "segment": ("Segment", "Segment"),
    "membership": ("Membership", "Adhésion"),
    "weekday": ("Day of the week", "Jour de la semaine"),
    "day_of_month": ("Day of the month", "Jour du mois"),
    "time": ("Time of day", "Heure"),
    "date": ("Date", "Date"),
    "nth": ("Which time", "Combientième fois"),
    "count": ("How often", "Combien de fois"),
    "kind": ("Kind of line", "Sorte de ligne"),
}
"""Field of a condition -> its word."""

_FRENCH: Final[dict[str, str]] = {
    "The English text.": "Le texte anglais.",
    "The French text.": "Le texte français.",
    "The singular.": "Le singulier.",
    "The plural.": "Le pluriel.",
    "In English.": "En anglais.",
    "In French.": "En français.",
    "Local days from the instant of earning.": "Jours locaux à compter du gain.",
    "Local days after expiry in which points can still be spent.": (
        "Jours après l'expiration où les points restent utilisables."
    ),
    "Whole months after the month of earning.": "Mois entiers après le mois du gain.",
    "Whole years after the year of earning.": "Années entières après l'année du gain.",
    "The last local day, YYYY-MM-DD.": "Le dernier jour, AAAA-MM-JJ.",
    "Local days without an earning activity.": "Jours sans activité qui rapporte.",
    "Local days from the sale.": "Jours à compter de la vente.",
    "A declared activity type; an activity of it names the sale.": (
        "Un type d'activité déclaré ; une activité de ce type nomme la vente."
    ),
    "Holds when every one of these does.": "Vrai quand toutes le sont.",
    "Holds when at least one of these does.": "Vrai quand l'une au moins l'est.",
    "Holds when this does not.": "Vrai quand ceci ne l'est pas.",
    "What is compared.": "Ce qui est comparé.",
    "Equal to this.": "Égal à ceci.",
    "Not equal to this.": "Différent de ceci.",
    "Equal to one of these.": "Égal à l'une de ces valeurs.",
    "Equal to none of these.": "Différent de toutes ces valeurs.",
    "This or more.": "Cela ou plus.",
    "This or less.": "Cela ou moins.",
    "More than this.": "Plus que cela.",
    "Less than this.": "Moins que cela.",
    "Time or date from here on; a time may pass midnight.": (
        "À partir de cette heure ou date ; une heure peut passer minuit."
    ),
    "Before this time, or through this date.": "Avant cette heure, ou jusqu'à cette date incluse.",
    "Every so many times, for nth.": "Toutes les tant de fois.",
    "The window in which nth and count count.": "La période où l'on compte.",
    "Of which type activities are counted, for count.": "Le type d'activité que l'on compte.",
    "Tax counts or not.": "La taxe compte ou non.",
    "Shipping counts or not.": "La livraison compte ou non.",
    "What is left after discounts counts, or what was before them.": (
        "Compte ce qui reste après les remises, ou ce qu'il y avait avant."
    ),
    "Bought gift cards count or not.": "Les cartes cadeaux achetées comptent ou non.",
    "What was paid in points counts or not.": "Ce qui est payé en points compte ou non.",
    "How many local days.": "Combien de jours.",
    "Which calendar period.": "Quelle période du calendrier.",
    "The point currency.": "La sorte de points.",
    "How many units.": "Combien d'unités.",
    "In units of the point currency.": "En unités de cette sorte de points.",
    "In the program's money, by the currency's value.": "Dans la monnaie du programme, selon la valeur d'un point.",
    "What must be reached, in the goal's measure.": "Ce qu'il faut atteindre, dans la mesure de l'objectif.",
    "What members read.": "Ce que lisent les membres.",
    "What reaching it gives.": "Ce que donne cette étape.",
    "First local date, or instant with its offset.": "Premier jour, ou instant avec son décalage horaire.",
    "Last local date, or the instant before which it ends.": "Dernier jour, ou instant où cela se termine.",
    "Local days.": "Jours locaux.",
    "Unique name of the goal.": "Nom unique de l'objectif.",
    "How it is shown; it changes nothing in what it gives.": "Comment il est montré ; ce qu'il donne n'en change pas.",
    "Name of a drawing.": "Nom d'un dessin.",
    "Activity types that count.": "Types d'activité qui comptent.",
    "The condition an activity needs to count.": "La condition pour qu'une activité compte.",
    "Which lines count, for spend, units and distinct.": (
        "Quelles lignes comptent (dépense, unités, nouvelles valeurs)."
    ),
    "What is counted.": "Ce que l'on compte.",
    "The point currency, for points.": "La sorte de points, quand on compte des points.",
    "Of what new values are counted, for distinct.": "De quoi l'on compte les nouvelles valeurs.",
    "What part of a sale counts, for spend.": "Quelle part d'une vente compte comme dépense.",
    "The most that counts in a local day, in whole units of the measure.": (
        "Le maximum qui compte en un jour, en unités entières."
    ),
    "The time in which it counts.": "La période où cela compte.",
    "Whether activities count only after the member has opted in.": (
        "Rien ne compte avant que le membre se soit inscrit."
    ),
    "What the member has from the beginning (in the first round of a window).": (
        "Ce que le membre a dès le début (au premier tour)."
    ),
    "Whether it begins anew after the last step; one activity fills it 1,000 times at most.": (
        "Recommence après la dernière étape ; une activité le remplit 1 000 fois au plus."
    ),
    "How many times it can be finished in a window, where it repeats.": (
        "Combien de fois on peut le finir dans la période."
    ),
    "What one activity brings beyond the last step: it counts for the next round, or is dropped.": (
        "Ce qui dépasse la dernière étape : reporté au tour suivant, ou perdu."
    ),
    "For cards that count units: what a free unit is worth at most, of the prices of the units that filled it.": (
        "Pour une carte qui compte des unités : ce que vaut au plus l'unité offerte."
    ),
    "The steps, lowest first.": "Les étapes, la plus basse d'abord.",
    "Consecutive periods.": "Périodes consécutives.",
    "Unique name of the streak.": "Nom unique de la série.",
    "What must not be missed.": "Ce qu'il ne faut pas manquer.",
    "Activities needed in each period.": "Activités nécessaires à chaque période.",
    "Whose local days count.": "Les jours de qui comptent.",
    "Whether one member acts, or both of a pair.": "Un membre seul, ou les deux d'un binôme.",
    "The point currency of tokens that save a missed period; not of a pair.": (
        "Les jetons qui sauvent une période manquée (pas pour un binôme)."
    ),
    "Hours before the lapse from which the streak is said to be at risk.": (
        "Heures avant la fin où la série est dite en danger."
    ),
    "Whether the last step gives again each time its length is added.": (
        "La dernière étape redonne chaque fois que sa longueur s'ajoute."
    ),
    "Lengths that give something, lowest first; a streak needs none.": (
        "Longueurs qui donnent quelque chose, la plus courte d'abord."
    ),
    "Unique name in its game.": "Nom unique dans son jeu.",
    "Its chance is this over the sum of all weights.": "Sa chance : ce poids sur la somme de tous.",
    "What it gives.": "Ce qu'il donne.",
    "How many times it can be won by all members together; then its draws bring nothing.": (
        "Combien de fois tous ensemble peuvent le gagner ; ensuite il ne donne plus rien."
    ),
    "In a local day.": "En un jour.",
    "In a local week.": "En une semaine.",
    "In a local month.": "En un mois.",
    "In all.": "En tout.",
    "Unique name of the game.": "Nom unique du jeu.",
    "The fields, each with its weight.": "Les cases, chacune avec son poids.",
    "A wheel and a scratch card are played; a surprise comes with an activity of a type in `on`.": (
        "Une roue et une carte à gratter se jouent ; une surprise vient avec une activité."
    ),
    "For a surprise: activity types with which it is drawn.": "Pour une surprise : les activités qui la déclenchent.",
    "The condition for playing, or for the surprise.": "La condition pour jouer, ou pour la surprise.",
    "What a play costs.": "Ce que coûte une partie.",
    "The most plays of one member.": "Le maximum de parties d'un membre.",
    "Local days between two wins of one member.": "Jours entre deux gains d'un membre.",
    "The most its prizes bring to all members together, of one point currency.": (
        "Le maximum que ses lots rapportent à tous ensemble, d'une sorte de points."
    ),
    "Whether it scores.": "Elle rapporte un point du quiz.",
    "The answers to choose from.": "Les réponses au choix.",
    "Unique name of the quiz.": "Nom unique du quiz.",
    "The questions.": "Les questions.",
    "Scores that give something, lowest first.": "Scores qui donnent quelque chose, le plus bas d'abord.",
    "How many times a member may answer; the best counts.": "Nombre d'essais ; le meilleur compte.",
    "Activity types of the friend that convert.": "Activités de l'ami qui valent conversion.",
    "The condition the converting activity needs.": "La condition que cette activité doit remplir.",
    "Local days from joining within which it must come; 0 for no limit.": (
        "Jours après l'inscription où elle doit venir ; 0 : sans limite."
    ),
    "Local days that what is given waits, as long as the activity can be returned.": (
        "Jours d'attente, tant que l'achat peut être rendu."
    ),
    "Friends for whom one member is rewarded, in a local year.": "Amis récompensés par membre et par an.",
    "What the member who brought the friend receives.": "Ce que reçoit le parrain.",
    "What the friend receives.": "Ce que reçoit l'ami.",
    "The goal that measures eligible spend; its window is each year.": (
        "L'objectif qui mesure la dépense retenue ; sa période est l'année."
    ),
    "The point currency in which it is paid; of kind cash, or points.": (
        "La sorte de points dans laquelle il est versé."
    ),
    "The eligible spend below which nothing is paid.": "La dépense en dessous de laquelle rien n'est versé.",
    "Unique name of the membership.": "Nom unique de l'adhésion.",
    "What one payment is, in the program's money.": "Le montant d'un paiement.",
    "Months that a payment covers; without it, for life.": "Mois couverts par un paiement ; vide : à vie.",
    "What each payment brings: uses of a service, vouchers, points.": (
        "Ce qu'apporte chaque paiement : services, bons, points."
    ),
    "What members read that it brings.": "Ce que les membres lisent de ses avantages.",
    "A yearly dividend for those who are members at the end of the year.": (
        "Un dividende annuel pour ceux qui sont membres en fin d'année."
    ),
    "First local date.": "Premier jour.",
    "What the partner owes for one whole point earned with it, in the program's money.": (
        "Ce que doit le partenaire pour un point gagné chez lui."
    ),
    "What the partner is owed for one whole point used with it.": (
        "Ce qu'on doit au partenaire pour un point utilisé chez lui."
    ),
    "The most points that may be earned with it in a local month, by all members together.": (
        "Le maximum de points gagnés chez lui en un mois, par tous ensemble."
    ),
    "What the partner has paid ahead from this date: points worth more at its issue price are not earned.": (
        "Ce que le partenaire a payé d'avance : au-delà, aucun point n'est gagné."
    ),
    "Unique name; activities name it in `partner`.": "Nom unique ; les activités le nomment dans `partner`.",
    "The point currency that it issues and takes.": "La sorte de points qu'il émet et accepte.",
    "Its agreements, the earliest first.": "Ses accords, le plus ancien d'abord.",
    "What a member can choose there.": "Ce qu'un membre peut y choisir.",
    "Last rank.": "Dernier rang.",
    "What each wins.": "Ce que chacun gagne.",
    "Unique name of the leaderboard.": "Nom unique du classement.",
    "The goal that measures; its window is a calendar period.": (
        "L'objectif qui mesure ; sa période est celle du calendrier."
    ),
    "Equal measures share the better rank, or who reached it first stands above.": (
        "À égalité : le meilleur rang pour tous, ou le premier arrivé devant."
    ),
    "Ranks that are shown.": "Rangs affichés.",
    "What ranks win, best first.": "Ce que gagnent les rangs, le meilleur d'abord.",
    "The local date on which members are told, YYYY-MM-DD.": "Le jour où les membres sont prévenus, AAAA-MM-JJ.",
    "What changes, in a sentence or two.": "Ce qui change, en une phrase ou deux.",
    "Point currencies of which lots earned before keep their old value: more points make up for it.": (
        "Les points déjà gagnés gardent leur valeur : des points en plus la compensent."
    ),
    "Unique name of these points.": "Nom unique de ces points.",
    "What members call them, one and several.": "Comment les membres les appellent, au singulier et au pluriel.",
    "What a unit is: a point, money's minor units (cash), a reward or use of a service, a badge, a token.": (
        "Ce qu'est une unité : un point, de l'argent, une récompense, un badge, un jeton."
    ),
    "Decimals of an amount of points, 0 to 6.": "Décimales d'un nombre de points, de 0 à 6.",
    "What one whole point is worth in the program's money.": (
        "Ce que vaut un point entier dans la monnaie du programme."
    ),
    "A reversal of spent points: owed (debt), let go (write_off), or no return (refuse).": (
        "Si les points repris sont déjà dépensés : dus, abandonnés, ou retour refusé."
    ),
    "When earned points expire.": "Quand les points gagnés expirent.",
    "What earned points wait for before they can be spent.": "Ce que les points attendent avant d'être utilisables.",
    "Local days in which points that a return gives back can be spent, at least.": (
        "Jours, au moins, pour utiliser les points rendus par un retour."
    ),
    "Whether members may transfer these points to each other.": "Les membres peuvent se les donner entre eux.",
    "For cash: the least that is paid out.": "Pour de l'argent : le minimum versé.",
    "What it holds; dates are YYYY-MM-DD.": "Ce qu'il contient ; une date s'écrit AAAA-MM-JJ.",
    "Whether an activity or member without it is refused.": "Sans lui, l'activité ou le membre est refusé.",
    "Places after the point, for type decimal.": "Chiffres après la virgule.",
    "The only texts allowed, for type text.": "Les seuls textes admis.",
    "Whether it holds product codes, for type text: numbers of 13 and 14 digits are then never taken for a\n"
    "    payment card's.": (
        "Contient des codes de produits : 13 ou 14 chiffres ne sont alors pas pris pour une carte bancaire."
    ),
    "What it means, for those who send it.": "Ce qu'il veut dire, pour ceux qui l'envoient.",
    "Unique name; activities are sent with it.": "Nom unique ; les activités sont envoyées avec lui.",
    "What activities of this type carry, by name.": "Ce que portent les activités de ce type.",
    "Whether they carry an amount, as a sale does: rent, a loan's instalment, a bill, a top-up.": (
        "Portent un montant, comme une vente : loyer, échéance, facture, recharge."
    ),
    "The declared type of which an activity of this type takes back one: a review that was removed.": (
        "Le type dont une activité en annule une : un avis retiré."
    ),
    "Points for each step.": "Points pour chaque tranche.",
    "The step, in the program's money.": "La tranche, dans la monnaie du programme.",
    "How a fraction of a point is rounded.": "Comment une fraction de point est arrondie.",
    "Once for the basket, for each line, or with the remainder carried to the next sale.": (
        "Une fois par panier, par ligne, ou avec le reste reporté à la vente suivante."
    ),
    "By one activity.": "Par une activité.",
    "In a local week, from Monday.": "En une semaine, à partir du lundi.",
    "In a local year.": "En une année.",
    "Since enrolment.": "Depuis l'inscription.",
    "Unique name of the rule.": "Nom unique de la règle.",
    "Activity type: sale, visit or a declared one.": "Type d'activité : vente, visite ou un type déclaré.",
    "The point currency it brings.": "La sorte de points qu'elle rapporte.",
    "The condition it needs; without it, always.": "La condition qu'il lui faut ; sans elle, toujours.",
    "Effect: points for an amount spent.": "Effet : des points pour un montant dépensé.",
    "Effect: points for each unit of the lines that count.": "Effet : des points par unité des lignes qui comptent.",
    "Effect: a bonus.": "Effet : un bonus.",
    "Effect: what the rules before it brought is multiplied by this.": (
        "Effet : ce que les règles d'avant ont rapporté est multiplié."
    ),
    "Which lines count.": "Quelles lignes comptent.",
    "What part of the sale counts.": "Quelle part de la vente compte.",
    "Rate in place of `points` for what was paid by a tender, by its kind.": (
        "Taux à la place des points pour ce qui est payé par ce moyen."
    ),
    "Multiplier by tier; other tiers have 1.": "Multiplicateur par niveau ; les autres ont 1.",
    "How it rounds.": "Comment elle arrondit.",
    "The most this rule brings.": "Le maximum que cette règle rapporte.",
    "The group it stands in.": "Le groupe où elle se trouve.",
    "Expiry of what it brings, in place of the currency's.": (
        "Expiration de ce qu'elle rapporte, à la place de celle des points."
    ),
    "Wait of what it brings, in place of the currency's.": (
        "Attente de ce qu'elle rapporte, à la place de celle des points."
    ),
    "Last local date, or the instant before which it acts.": "Dernier jour, ou instant avant lequel elle agit.",
    "Who pays for what it brings: the program, or the partner that the activity names.": (
        "Qui paie : le programme, ou le partenaire que nomme l'activité."
    ),
    "Unique name of the group.": "Nom unique du groupe.",
    "The sum of its rules, or only the one that brings most.": "La somme de ses règles, ou la meilleure seulement.",
    "The most the group brings.": "Le maximum que le groupe rapporte.",
    "The most of it.": "Le maximum.",
    "What is measured in the window.": "Ce qui est mesuré dans la période.",
    "The least it must be.": "Le minimum à atteindre.",
    "Every threshold is needed.": "Tous les seuils sont nécessaires.",
    "One threshold is enough.": "Un seuil suffit.",
    "Unique name of the tier.": "Nom unique du niveau.",
    "What grants it.": "Ce qui y donne accès.",
    "What it takes to stay.": "Ce qu'il faut pour y rester.",
    "What reaching it gives, the first time in the member's life.": (
        "Ce que donne ce niveau, la première fois qu'on l'atteint."
    ),
    "Whether only those who hold it see it.": "Seuls ceux qui l'ont le voient.",
    "The tiers, lowest first.": "Les niveaux, le plus bas d'abord.",
    "The window in which metrics count.": "La période où les mesures comptent.",
    "Activity types that count as visits and spend.": "Activités qui comptent comme visites et dépenses.",
    "What part of a sale counts as spend.": "Quelle part d'une vente compte comme dépense.",
    "The currency of the metric points.": "La sorte de points de la mesure « points ».",
    "Local days for which a tier no longer deserved is kept.": "Jours pendant lesquels un niveau perdu est gardé.",
    "Fall one tier at a time.": "Descendre d'un niveau à la fois.",
    "Such as [1] for the first of the month.": "Par exemple 1 pour le premier du mois.",
    "Days of the week.": "Jours de la semaine.",
    'Time of day from which it acts, "17:00".': "Heure à partir de laquelle elle agit, 17:00.",
    "Time of day before which it acts; it may pass midnight.": (
        "Heure avant laquelle elle agit ; elle peut passer minuit."
    ),
    "Unique name of the campaign.": "Nom unique de la campagne.",
    "What it brings; keys are unique in the whole program.": (
        "Ce qu'elle rapporte ; les clés sont uniques dans le programme."
    ),
    "Which members; fields tier, segment, membership and member.<attribute>.": (
        "Quels membres : niveau, segment, adhésion, attributs."
    ),
    "Recurring times.": "Horaires qui reviennent.",
    "The group of campaigns of which one acts.": "Le groupe de campagnes dont une seule agit.",
    "The most its rules bring to all members together; they then all bring the same point currency.": (
        "Le maximum que ses règles rapportent à tous ensemble, dans la même sorte de points."
    ),
    "Whether it stands still.": "Elle ne rapporte rien tant qu'elle est en pause.",
    "Unique name; adjustments are sent with it.": "Nom unique ; les ajustements sont envoyés avec lui.",
    "Whether points are given for it, taken, or either.": "Points donnés, repris, ou les deux.",
    "The most of one adjustment, also of one that a second person approves.": (
        "Le maximum d'un ajustement, même approuvé par une seconde personne."
    ),
    "The most that one person gives and takes together in a local day.": (
        "Le maximum qu'une personne donne et reprend en un jour."
    ),
    "An adjustment of more waits until a second person approves it.": (
        "Au-delà, l'ajustement attend l'accord d'une seconde personne."
    ),
    "The reasons to choose from; where there are any, every adjustment names one.": (
        "Les motifs au choix ; s'il y en a, chaque ajustement en nomme un."
    ),
    "How far one person may go, by point currency.": "Jusqu'où une personne peut aller, par sorte de points.",
    "Days for which an adjustment waits for the second person; then it is refused.": (
        "Jours d'attente de la seconde personne ; ensuite c'est refusé."
    ),
    "The address that its upload told, or one that begins with https://, which the pages of Palier do not load.": (
        "L'adresse donnée à l'envoi, ou une adresse en https://, que les pages de Palier ne chargent pas."
    ),
    "What it shows, for those who do not see it.": "Ce qu'elle montre, pour qui ne la voit pas.",
    "The logo, by the address that its upload told; its text says what is drawn, not the name.": (
        "Le logo, par l'adresse donnée à l'envoi ; son texte dit ce qui est dessiné, pas le nom."
    ),
    "Whether the name can be read in the logo, so that it is not written beside it.": (
        "Si le nom se lit dans le logo : il n'est alors pas écrit à côté."
    ),
    "The colour of buttons and of what is reached, as #rrggbb.": (
        "La couleur des boutons et de ce qui est atteint, #rrggbb."
    ),
    "The pages' origins: scheme, host and port.": "Les origines des pages : protocole, hôte et port.",
    "What the banner and the pop-up say to who is no member; without it, the program's description.": (
        "Ce que la bannière dit à qui n'est pas membre ; sinon, la description du programme."
    ),
    "Version of this document format.": "Version de ce format de document.",
    "Unique name of the program; it never changes.": "Nom unique du programme ; il ne change jamais.",
    "IANA zone in which days, months and hours are meant, such as Europe/Paris.": (
        "Fuseau des jours, mois et heures, par exemple Europe/Paris."
    ),
    "ISO 4217 code of the program's money.": "Code ISO 4217 de la monnaie du programme.",
    "The kinds of points.": "Les sortes de points.",
    "Languages in which every text must be given.": "Langues dans lesquelles chaque texte doit exister.",
    "What the program is, in a few sentences.": "Ce qu'est le programme, en quelques phrases.",
    "How members' pages look.": "L'aspect des pages des membres.",
    "Which pages of a shop may show it.": "Quelles pages d'un magasin peuvent le montrer.",
    "Instant with its offset from which this version judges; without it, when it is applied.": (
        "Instant à partir duquel cette version juge ; vide : dès la publication."
    ),
    "Days within which a late activity has what came after it decided again.": (
        "Jours pendant lesquels une activité en retard fait rejuger la suite."
    ),
    "Minutes after which points set aside are released.": "Minutes après lesquelles des points réservés sont libérés.",
    "What the program knows of a member, by name.": "Ce que le programme sait d'un membre.",
    "Activity types beyond sale, return and visit.": "Types d'activité au-delà de vente, retour et visite.",
    'What members read for keys of the shop\'s own system, by field and key: it stands behind "from" or "with".': (
        "Ce que les membres lisent à la place des clés du magasin."
    ),
    "How points are earned, in the order in which they act.": (
        "Comment on gagne des points, dans l'ordre où elles agissent."
    ),
    "Rules that stand together.": "Règles qui vont ensemble.",
    "The most a member earns, over all rules.": "Le maximum qu'un membre gagne, toutes règles réunies.",
    "The ladder of tiers.": "L'échelle des niveaux.",
    "Rules for a time, an audience and a budget.": "Règles pour un temps, un public et un budget.",
    "Goals, stamp cards, challenges and milestones.": "Objectifs, cartes à tampons, défis et caps.",
    "Consecutive days, weeks or months.": "Jours, semaines ou mois consécutifs.",
    "Wheels, scratch cards and surprises.": "Roues, cartes à gratter et surprises.",
    "Quizzes.": "Des quiz.",
    "What bringing a friend gives.": "Ce que donne un parrainage.",
    "Paid memberships.": "Adhésions payantes.",
    "The companies of a coalition.": "Les entreprises d'une coalition.",
    "Rankings.": "Des classements.",
    "What staff may do to points by hand.": "Ce que l'équipe peut faire à la main.",
    "What together names a sale beside its id, `ticket_number` among it: a second sale that states the same is\n"
    "    refused. A sale that does not say all of it is taken by its id alone. `date` is the day of the sale.": (
        "Ce qui désigne une vente, numéro de ticket compris : une seconde vente identique est refusée."
    ),
    "The member attribute of type date that is the date of birth, for rules and goals on birthday.": (
        "L'attribut qui est la date de naissance, pour les règles d'anniversaire."
    ),
    "When a birthday or anniversary of 29 February is kept in other years.": (
        "Quand fêter un 29 février les autres années."
    ),
    "What members are told of this version before it takes effect.": (
        "Ce qui est dit aux membres avant que cette version prenne effet."
    ),
    "Whether the version that follows this one waits for a second person's approval, which the console asks for.": (
        "La version suivante attend l'accord d'une seconde personne, demandé dans la console."
    ),
}


def name_of(setting: str, language: str) -> str:
    """What a setting is called."""
    found = NAMES.get(setting)
    return setting if found is None else _said(found, language)


def choice(value: str, language: str) -> str:
    """What a value of a setting with few values is called."""
    found = CHOICES.get(value)
    return value if found is None else _said(found, language)


def field_name(key: str, language: str) -> str:
    """What a field of a condition is called; one of the member by its own key."""
    found = FIELDS.get(key)
    return key.removeprefix("member.") if found is None else _said(found, language)


def _said(pair: tuple[str, str], language: str) -> str:
    return typeset(pair[1], "fr") if language == "fr" else pair[0]


def consequence(type_name: str, setting: str, language: str) -> str:
    """What a setting of a document type means, for whoever fills it in."""
    text = meanings().get(type_name, {}).get(setting, "")
    return typeset(_FRENCH.get(text, text), "fr") if language == "fr" else " ".join(text.split())


def has_french(text: str) -> bool:
    """Whether a setting's meaning is said in French."""
    return text in _FRENCH


__all__ = ["CHOICES", "FIELDS", "NAMES", "choice", "consequence", "field_name", "has_french", "name_of"]
