"""The words and letters that multiply a number: "million", "bn", "crore", "万", "%"."""

from __future__ import annotations

import re
import unicodedata

from askwell.tasks.grading.boundaries import ENDS_WORD

_NAMES = {
    100: "hundred",
    1_000: """thousand mil mille mila tausend duizend ribu nghìn ngàn tysięcy tysiące тысяч тысяча тысячи тыс тис हज़ार
        हजार ألف آلاف هزار""",
    100_000: "lakh lakhs lac लाख",
    1_000_000: """million millions mn mln mio millón millones millionen milhão milhões milione milioni miljoen miljoner
        milyon juta triệu milionów miliony миллион миллиона миллионов млн मिलियन مليون میلیون""",
    10_000_000: "crore crores करोड़",
    1_000_000_000: """billion billions bn bln mrd milliarden milliarde milliard milliards miliardi miliardo miljard
        miljarder milyar miliar tỷ миллиард миллиарда миллиардов млрд مليار میلیارد""",
    1_000_000_000_000: "trillion trillions tn trn",
}
_FACTORS = {name: value for value, names in _NAMES.items() for name in unicodedata.normalize("NFC", names).split()}
_LETTERS = {"k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
_WORDS = "|".join(sorted(_FACTORS, key=len, reverse=True))

SCALE = rf"(?P<scale>[ ]?(?i:{_WORDS}){ENDS_WORD}|(?(currency)[ ]?[kKmMbBtT]{ENDS_WORD}|[kKMB]{ENDS_WORD}))"
"""Regex of a scale after a number with the optional group `currency`: "5m" is five metres, "€5m" are five million."""

# Han, kana and Hangul scales are written onto the digits and combine: 3万5千, 1億2000万
_ASIAN = {
    "十": 10, "百": 10**2, "千": 10**3, "万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8, "兆": 10**12,
    "백": 10**2, "천": 10**3, "만": 10**4, "억": 10**8, "조": 10**12,
    "พัน": 10**3, "หมื่น": 10**4, "แสน": 10**5, "ล้าน": 10**6,
}  # fmt: skip
_ASIAN_WORD = "|".join(_ASIAN)
# 5千克 is five kilograms and 5百分点 are percentage points: there the character belongs to a unit
_UNIT = "(?![克米瓦卡焦赫帕伏字分])"
_ASIAN_PART = rf"\d[\d,]{{0,20}}(?:\.\d{{1,9}})?[ ]?(?:{_ASIAN_WORD}){{1,3}}{_UNIT}"
ASIAN = rf"(?:{_ASIAN_PART}[ ]?){{1,4}}(?:\d{{1,9}}(?![\d.,]))?"
"""Regex of a number with Asian scales."""
_ASIAN_TERM = re.compile(rf"(\d[\d,]*(?:\.\d+)?)[ ]?((?:{_ASIAN_WORD}){{0,3}})")
_ASIAN_SCALE = re.compile(_ASIAN_WORD)

PERCENT = (
    r"(?P<percent>[ ]?\\?%|[ ]?(?i:per[ ]?cent|por[ ]ciento|por[ ]cento|pour[ ]cent|per[ ]cento|prozent|procent|"
    rf"процент(?:а|ов)?|yüzde|persen|phần[ ]trăm|प्रतिशत){ENDS_WORD}|[ ]?(?:퍼센트|パーセント|เปอร์เซ็นต์))"
)
"""Regex of a percent sign or word after a number."""


def factor(scale: str, *, currency: bool) -> int:
    """Return the factor of a scale; "mil" is a million after a currency sign and a thousand in Spanish."""
    name = scale.strip(" .").casefold()
    if name in _LETTERS:
        return _LETTERS[name]
    return 10**6 if name == "mil" and currency else _FACTORS[name]


def asian_terms(text: str) -> list[tuple[str, int]]:
    """Split "3万5千" into its terms: the digits and the factor of each."""
    terms: list[tuple[str, int]] = []
    for digits, scales in _ASIAN_TERM.findall(text):
        product = 1
        for scale in _ASIAN_SCALE.findall(scales):
            product *= _ASIAN[scale]
        terms.append((digits.replace(",", ""), product))
    return terms
