"""Read yes, no, true and false in languages other than English."""

from __future__ import annotations

import re

_YES = (
    "sí|si|oui|ja|jawohl|sì|sim|да|так|tak|ano|igen|da|evet|ναι|có|vâng|iya|ndiyo|kyllä|"
    "是的?|对的?|對的?|没错|はい|ええ|네|예|그렇습니다|맞습니다|ใช่(?:ครับ|ค่ะ)?|نعم|أجل|بله|כן|हाँ|हां|जी हाँ|হ্যাঁ|ஆம்"
)
_NO = (
    "no|non|nein|não|нет|ні|nie|ne|nem|nej|nee|hayır|όχι|không|tidak|bukan|hapana|ei|"
    "否|不是的?|不对|不對|不|不行|いいえ|いや|違います|아니요|아니오|아뇨|아닙니다|ไม่(?:ใช่)?(?:ครับ|ค่ะ)?|لا|كلا|خیر|לא|"
    "नहीं|जी नहीं|না|இல்லை"
)
_TRUE = (
    "verdader[oa]s?|ciert[oa]s?|correct[oa]s?|válid[oa]s?|posible|vraie?s?|correctes?|valide|exacte|wahr|richtig|"
    "korrekt|gültig|schlüssig|plausibel|vero|corrett[oa]|valid[oa]|verdadeir[oa]s?|corret[oa]s?|certo|waar|juist|"
    "geldig|sant|riktigt?|правда|истина|истинно|вер(?:ен|н(?:о|ым?|а|ы))|правильн(?:о|ым?)|prawda|prawdziwe|poprawne|doğru|"
    "geçerli|đúng|benar|betul|αληθές|σωστό|صحيحة?|صحیح|صواب|נכון|सही|सत्य|सच|সত্য|সঠিক"
)
_FALSE = (
    "fals[oa]s?|incorrect[oa]s?|inválid[oa]s?|imposible|faux|fausses?|incorrectes?|invalide|inexacte?|falsch|unwahr|"
    "inkorrekt|ungültig|unplausibel|errat[oa]|scorrett[oa]|sbagliat[oa]|invalid[oa]|incorret[oa]|errad[oa]|onwaar|"
    "onjuist|ongeldig|falskt?|felaktigt?|ложь|ложн(?:о|ым?)|неправда|невер(?:ен|н(?:о|ым?|а|ы))|неправильно|fałsz|nieprawda|"
    "fałszywe|niepoprawne|yanlış|geçersiz|sai|salah|ψευδές|λάθος|خطأ|خاطئة?|غلط|שגוי|לא נכון|गलत|असत्य|মিথ্যা|ভুল"
)
_TRUE_UNSPACED = (
    "正确|正確|属实|有效|成立|合理|对的|真的|正しい|妥当|有効|맞음|맞다|옳다|옳습니다|유효|ถูกต้อง|"
    "[真참](?=$|[.,!\n]|입니다|です|だ)"
)
_FALSE_UNSPACED = (
    "不正确|不正確|错误|錯誤|错的|虚假|假的|无效|不成立|不合理|正しくない|正しくありません|間違い|間違って|誤り|無効|거짓|"
    "틀림|틀리다|틀렸습니다|ไม่จริง|ไม่ถูกต้อง|เท็จ|[假错](?=$|[.,!\n]|です|だ)"
)
_NEGATION = (
    r"(?:\b(?:no (?:es|está|son)|n'est pas|est pas|nicht|não (?:é|está)|non è|не(?: является)?|niet|nie jest|inte|"
    r"ikke|"
    r"không|tidak|bukan)[ ]+|不是|并不|并非)"
)
_ENDS = (
    r"(?=[\"')\]*]*[ ]*(?:$|[.,;:!?()\n।–—]|-[ ]|입니다|です|でした|だ|的|이다|است|है|인|이에요|예요|"
    r"'?d[iıuü]r))"
)
_LEAD = re.compile(
    rf"[\W\d_]*(?:(?P<no>{_FALSE_UNSPACED}|{_FALSE}|{_NO})|(?P<yes>{_TRUE_UNSPACED}|{_TRUE}|{_YES})){_ENDS}",
    re.IGNORECASE,
)
_WITHIN = re.compile(
    rf"(?P<negated>{_NEGATION})?(?:(?P<no>\b(?:{_FALSE})\b|{_FALSE_UNSPACED})|"
    rf"(?P<yes>\b(?:{_TRUE})\b|{_TRUE_UNSPACED}))(?P<reversed>[ ]?(?:değil|이 아니|가 아니|ではない|ではあり))?",
    re.IGNORECASE,
)


def foreign_lead(text: str) -> bool | None:
    """Return the verdict at the start of a text ("Sí, …", "是的。"), before a sign or the end, or None."""
    match = _LEAD.match(text[:200])
    return None if match is None else match["yes"] is not None


def foreign_statement(text: str) -> bool | None:
    """Return what a sentence says to be true or false ("La frase es falsa"); None if it says neither or both."""
    verdicts = {
        (match["yes"] is not None) != bool(match["negated"] or match["reversed"]) for match in _WITHIN.finditer(text)
    }
    return verdicts.pop() if len(verdicts) == 1 else None
