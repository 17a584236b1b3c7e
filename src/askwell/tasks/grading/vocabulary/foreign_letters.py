"""Words of other languages around an option letter: "no es A", "A est fausse", "B是正确的"."""

from __future__ import annotations

import re

from askwell.tasks.grading.boundaries import JOINING

OPTION_WORDS = (
    r"(?:\b(?:opción|opciones|letra|inciso|lettre|choix|proposition|buchstabe|antwort|réponse|opção|alternativa|"
    r"opzione|"
    r"lettera|вариант|буква|optie|seçenek|şık|opcja|phương án|jawaban|pilihan)|选项|選項|選択肢|보기|선택지|ข้อ|"
    r"ตัวเลือก|"
    r"الخيار|विकल्प)"
)
"""Regex: a word for "option" or "letter"."""
FILLERS = (
    r"la|el|le|il|die|der|das|den|es|est|ist|è|é|là|adalah|opción|letra|opção|alternativa|réponse|lettre|antwort|"
    r"buchstabe|"
    r"opzione|lettera|вариант|буква|correcta|correcte|bonne|richtige?|correta|corretta|đáp án|phương án"
)
"""Regex: words between an answer cue and its letter."""
AFTER_A = (
    r"porque|pues|ya que|es|está|parce|puisque|est|weil|denn|ist|da|è|perché|poiché|é|pois|omdat|потому|так как|"
    r"является|"
    r"çünkü|vì|là|karena|adalah|ponieważ|eftersom|är|car (?:il|elle|le|la|les|on|un|une|c'|l')"
)
"""Regex: words after the letter A that no English article stands before."""

# What follows an option up to a verdict on it, without a reason, which is about other options: "D because A is wrong"
_CLAUSE = (
    r"(?:(?!เพราะ|因为|因為|왜냐|\b(?:porque|pues|weil|denn|car|parce|puisque|perché|poiché|omdat|потому|так как|"
    r"çünkü|vì|karena|ponieważ)\b|لأن|क्योंकि)[^.,;()\n]){0,30}?"
)
DENIED_BEFORE = re.compile(
    r"(?:\b(?:ni|no (?:es|la|el|puede ser|la opción)|no es la|n'est pas|pas|nicht|não é|não|non è|non|не|niet|nie|inte|"
    r"ikke|"
    r"nem|bukan|không phải|descart\w+|descarto|écart\w+)|不是|而非|并非|不选|不選|排除|لا|ليس|ليست)[ ]+"
    rf"(?:(?:la|el|die|der|opción|option|{OPTION_WORDS})[ ]+)?[\"'(]*$",
    re.IGNORECASE,
)
WRONG_AFTER = re.compile(
    r"[)\]}\"'.:]*(?:[ ]*(?:,|y|e|et|und|и|和|、|と)[ ]*[(]?[A-Z]\b[)]?){0,8}"
    rf"{_CLAUSE}"
    r"(?:\b(?:no es|no son|es (?:incorrect|fals)\w+|son (?:incorrect|fals)\w+|n'est|est (?:fausse|faux|incorrecte?)|"
    r"ist (?:nicht|falsch|inkorrekt)|sind falsch|não é|está errad\w+|é (?:falsa|errada|incorreta)|non è|"
    r"è (?:sbagliata|errata|falsa)|невер\w*|не верн\w*|не подходит|неправильн\w*|is (?:fout|onjuist)|değil|yanlış\w*|"
    r"salah|sai)\b|错|錯|不对|不正确|不正確|不符|不是(?![ ]*[(A-Z])|間違|誤り|正しくない|ではな[いく]|じゃな[いく]|"
    r"틀|아니|"
    r"아닙|오답|ผิด|ไม่|خاطئ|خطأ|ليس|غلط|गलत|नहीं)",
    re.IGNORECASE,
)
RIGHT_AFTER = re.compile(
    rf"[)\]}}\"'.:]*{_CLAUSE}"
    r"(?:\b(?:(?:es|est|é|è)(?: la| a)?(?: respuesta| opción| alternativa| resposta| risposta)?"
    r"(?: correcta| verdadera| bonne| correcte| vraie| correta| certa| verdadeira| corretta| giusta| vera)|"
    r"está (?:correcta|correta|certa)|ist (?:die )?(?:richtig\w*|korrekt\w*|wahr)|верн\w+|правильн\w+|is juist|"
    r"doğru\w*|"
    r"jest poprawn\w+|đúng|benar)\b|正确|正確|符合|对(?!应)|正しい|正解|適切|맞|정답|옳|ถูก|صحيح|सही)",
    re.IGNORECASE,
)
CHOSEN_BEFORE = re.compile(
    r"(?:\b(?:por lo tanto|por tanto|así que|entonces|donc|daher|deshalb|somit|portanto|logo|quindi|dunque|значит|"
    r"поэтому|"
    r"следовательно|elijo|choisis|wähle|выбираю|escolho|scelgo)|所以|因此|故|よって|したがって|따라서|그러므로|"
    r"ดังนั้น)[ ]*,?[ ]*"
    rf"(?:(?:{FILLERS})[ ]+){{0,3}}[\"'(]*$",
    re.IGNORECASE,
)

_TO_SEPARATE = re.compile(
    rf"(?<=[^\W{JOINING}])(?=[0-9A-Za-z])|(?<=[0-9A-Za-z])(?=[^\W{JOINING}])|(?<=[A-Za-z][.:,])(?=[^\W{JOINING}])"
)
# The suffix "is" of Turkish: "B'dir"
_SUFFIX = re.compile(r"(?<=\b[A-Z])'(?=(?:d[iıuü]r|t[iıuü]r)\b)")
# Spanish and Italian write "no A" for "not A", where English means "no, A"
_ROMANCE = re.compile(r"\b(?:es|respuesta|opción|correcta|porque|è|risposta|corretta|perché)\b", re.IGNORECASE)


# Russian models write the letters of "(A)" and "B." in Cyrillic, where they look the same
_LOOKALIKE = re.compile(r"(?<![^\W_])[АВСЕ](?=[)\]:]|[.,]?[ \t]*$)", re.MULTILINE)
_LATIN = str.maketrans("АВСЕ", "ABCE")


def separate_scripts(text: str) -> str:
    """Put a space between a Latin letter or digit and a letter of a script that forms no words with it.

    An option letter in Cyrillic becomes the Latin letter that looks the same.
    """
    text = _LOOKALIKE.sub(lambda letter: letter[0].translate(_LATIN), text)
    return _SUFFIX.sub(" ", _TO_SEPARATE.sub(" ", text))


def is_romance(text: str) -> bool:
    """Return whether a text is Spanish or Italian, as far as its common words tell."""
    return _ROMANCE.search(text) is not None
