"""ISO 4217 currencies: how many decimals their minor unit has, and how an amount is written.

The exponents are those of ISO 4217 list one (active codes); funds and metals, which have no minor unit,
are left out because no shop prices in them.
"""

from __future__ import annotations

from typing import Final

from palier.engine.amounts import from_minor

ISO_4217: Final = r"^[A-Z]{3}$"
"""How a code is written."""
_NO_DECIMALS: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS: Final = "BHD IQD JOD KWD LYD OMR TND"
_TWO_DECIMALS: Final = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF "
    "CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL "
    "HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP "
    "MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD "
    "SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS "
    "VED VES WST XCD XCG YER ZAR ZMW ZWG"
)

EXPONENTS: Final[dict[str, int]] = {
    **dict.fromkeys(_NO_DECIMALS.split(), 0),
    **dict.fromkeys(_TWO_DECIMALS.split(), 2),
    **dict.fromkeys(_THREE_DECIMALS.split(), 3),
}

_SYMBOLS: Final = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}


def exponent(code: str) -> int:
    """Decimals of a currency's minor unit; 2 for a code that is not in the table (`check` refuses it)."""
    return EXPONENTS.get(code, 2)


def localized(text: str, language: str) -> str:
    """A plain decimal string with the separators of the language: "1,234.50" or "1 234,50"."""
    sign, text = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, _, fraction = text.partition(".")
    grouped = f"{int(whole):,}"
    if language == "fr":
        grouped = grouped.replace(",", "\u202f")  # narrow no-break space, the French thousands separator
    separator = "," if language == "fr" else "."
    return f"{sign}{grouped}{separator}{fraction}" if fraction else f"{sign}{grouped}"


def money(minor: int, currency: str, language: str) -> str:
    """An amount of money for reading: "€20.00" in English, "20,00 €" in French; a true minus before all of it."""
    number = localized(from_minor(abs(minor), exponent(currency)), language)
    symbol = _SYMBOLS.get(currency)
    sign = "\u2212" if minor < 0 else ""
    if language == "fr":
        return f"{sign}{number}\u00a0{symbol or currency}"
    return f"{sign}{symbol}{number}" if symbol else f"{sign}{currency}\u00a0{number}"
