"""Persons and units as they are compared: spellings that mean the same become the same text."""

import re
import unicodedata
from functools import cache

import opencc
import phonenumbers
from phonenumbers import PhoneNumberType

from rules.engine.procedures import Matching, NameMatching, PhoneMatching
from schemas.errors import Refusal

_MIDDLE_DOTS = str.maketrans(dict.fromkeys("•‧∙⋅・･·᛫⸱", "·"))
_UNIT_CODE = re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}")  # GB 32100-2015
_MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
_PHONE_MARKS = frozenset("+().·-")
_LONGEST_PHONE = 40
_PLAIN_PHONE = re.compile("[1-9][0-9]{6,13}")


def normalise_name(written: str, rules: Matching) -> str:
    """A person's name as it is compared.

    Raises:
        Refusal: ``name_missing``, ``name_too_long``, ``name_unreadable``.
    """
    trimmed, longest = written.strip(), rules.name.max_length
    name = folded(trimmed, rules.name) if len(trimmed) <= longest else trimmed
    if len(name) > longest:  # one character may become many
        raise Refusal("name_too_long", limit=longest)
    if not name:
        raise Refusal("name_missing")
    if any(unicodedata.category(character)[0] in "CS" for character in name):
        raise Refusal("name_unreadable")
    return name


def normalise_phone(written: str, rules: Matching) -> str:
    """A mobile number in E.164, e.g. ``+8613800138000``.

    Raises:
        Refusal: ``phone_missing``, ``phone_has_letters``, ``phone_has_symbols``, ``phone_invalid``,
            ``phone_abroad``, ``phone_not_mobile``.
    """
    text = unicodedata.normalize("NFKC", written).strip()
    if _PLAIN_PHONE.fullmatch(text) and (plain := _plain(text, rules.phone)):
        return plain
    if not text:
        raise Refusal("phone_missing")
    if any(character.isalpha() for character in text):
        raise Refusal("phone_has_letters")
    if not all(_belongs_in_phone(character) for character in text):
        raise Refusal("phone_has_symbols")
    number = _parsed(text, rules.phone) if len(text) <= _LONGEST_PHONE else None
    if number is None:
        raise Refusal("phone_invalid")
    if phonenumbers.region_code_for_number(number) not in rules.phone.countries:
        raise Refusal("phone_abroad")
    if not _is_mobile(number, rules.phone):
        raise Refusal("phone_not_mobile")
    return _e164(number)


def _plain(digits: str, rules: PhoneMatching) -> str | None:
    """What nearly every number is, without the search for what else it may be: a mobile number as dialled."""
    country = rules.countries[0]
    code = phonenumbers.country_code_for_region(country)
    number = phonenumbers.PhoneNumber(country_code=code, national_number=int(digits))
    here = phonenumbers.region_code_for_number(number) == country
    return f"+{code}{digits}" if here and _is_mobile(number, rules) else None


def _is_mobile(number: phonenumbers.PhoneNumber, rules: PhoneMatching) -> bool:
    return phonenumbers.number_type(number) in _MOBILE or _is_added(number, rules)


def _is_added(number: phonenumbers.PhoneNumber, rules: PhoneMatching) -> bool:
    """Whether the rules add its range to the number plan, and it has as many digits as a number there."""
    complete = phonenumbers.is_possible_number_for_type(number, PhoneNumberType.MOBILE)
    return bool(complete and _e164(number).startswith(rules.also))


def _e164(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normalise_unit(written: str, rules: Matching) -> str:
    """The name of a unit as it is compared."""
    return folded(written.strip(), rules.name)


def unit_code(written: str) -> str | None:
    """The social credit code (统一社会信用代码) that a text is, or None."""
    text = unicodedata.normalize("NFKC", written).strip().upper()
    return text if _UNIT_CODE.fullmatch(text) else None


def folded(text: str, rules: NameMatching) -> str:
    """A text with the differences taken away that the rules call none."""
    text = unicodedata.normalize("NFKC", text)
    if rules.simplify:
        text = "".join(map(_simplified, text))
    if rules.unify_middle_dots:
        text = text.translate(_MIDDLE_DOTS)
    if rules.ignore_case:
        text = text.casefold()
    return re.sub(r"\s+", "" if rules.ignore_blanks else " ", text)


def _belongs_in_phone(character: str) -> bool:
    kind = unicodedata.category(character)
    return kind in ("Nd", "Zs", "Pd") or character in _PHONE_MARKS


def _parsed(text: str, rules: PhoneMatching) -> phonenumbers.PhoneNumber | None:
    """The number, as one of the country or, where that is none, with the country code it begins with."""
    for candidate in (text, f"+{text}"):
        try:
            number = phonenumbers.parse(candidate, rules.countries[0])
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number) or _is_added(number, rules):
            return number
    return None


@cache
def _simplified(character: str) -> str:
    """One character at a time: what it becomes must not depend on its neighbours in a name."""
    return character if character.isascii() else _converter().convert(character)


@cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")
