"""Find where a reply in a language other than English states its answer: "La respuesta es …", "答案是…"."""

from __future__ import annotations

import re

from askwell.tasks.grading.boundaries import ENDS_WORD, STARTS_WORD

_SPACED_NOUNS = (
    "respuestas?|réponses?|reponse|antwort|risposta|respostas?|antwoord|svar|svaret|vastaus|cevap|cevabı|yanıt|"
    "odpowiedź|odpowiedzią|odpověď|odpoveď|odgovor|ответ|ответом|відповідь|отговор|răspuns(?:ul)?|válasz|atsakymas|"
    "απάντηση|đáp án|câu trả lời|jawaban(?:nya)?|jawapan|sagot|jibu|opción|opção|opzione|lösung|solución|soluzione|"
    "solução|вариант"
)
_LINKS = (
    "es|sería|será|fue|est|serait|sera|ist|lautet|wäre|war|è|sarebbe|é|seria|is|luidt|är|er|on|jest|to|je|este|sunt|"
    "является|є|е|είναι|là|adalah|ialah|ay|ni"
)
_SINGLE = r"[(\[\"'*]{0,3}(?:[A-Za-z](?![\w'’])|[-+]?\d)"
_AFTER_NOUN = (
    rf"(?:(?:(?![ ](?:no|não|non|nicht|pas|n'est|не|nie|niet|inte|ikke|değil)[ ])[^.\n:?!;=]){{0,60}}?(?:(?::|"
    rf"={{1,2}}>?|-+>|→|[ ][-–—])[ \t]*|"
    rf"[ ](?:{_LINKS}){ENDS_WORD}(?:[ \t]*:)?)|[ \t]+(?={_SINGLE}))"
)
_SPACED = rf"{STARTS_WORD}(?:{_SPACED_NOUNS}){ENDS_WORD}{_AFTER_NOUN}"

_CHINESE = (
    r"(?:答案|回答|答|选项|選項|结论|結論|结果|結果)(?:应该|應該|应当|应|應|就|便|即|只能|可能|一定)?"
    r"(?:[是为為选選]{1,2}[ ]*[:→]?|[:→])[ ]*|(?:故|应|應|应该|因此|所以|于是|本题|我|答案)?(?:选择|選擇|选|"
    r"選)[ :]*(?:择|擇)?(?="
    rf"{_SINGLE})"
)
_JAPANESE = r"(?:正解|答え|解答|回答|正しい選択肢|正答|結論|答)(?:は|:|=|が)[ ]?[,:]?"
_KOREAN = r"(?:정답|답|답변|해답|결론|결과)(?:은|는|이)?(?:[ ]*:|[ ]+)(?:바로[ ]+)?"
_THAI = r"คำตอบ(?:ที่ถูก(?:ต้อง)?|สุดท้าย|ที่ดีที่สุด)?[ ]?(?:ของ[^\n.:]{0,40}?)?(?:คือ|เป็น|:|ได้แก่)[ ]*(?:ข้อ|ตัวเลือก)?|ตอบ[ ]?ข้อ[ ]?"
_ARABIC = (
    r"(?:الإجابة|الاجابة|إجابة|الجواب|جواب|الحل|الخيار|پاسخ|جواب)[^.\n:?!;]{0,40}?(?:(?<= )(?:هي|هو)(?= |:)|:)[ ]*:?"
    rf"|(?:الإجابة|الاجابة|الجواب|الخيار|پاسخ)[ ]+(?={_SINGLE})"
)
_HEBREW = rf"(?:התשובה|תשובה)[^.\n:?!;]{{0,40}}?(?:(?<= )(?:היא|הוא)(?= |:)|:)[ ]*:?|התשובה[ ]+(?={_SINGLE})"
_INDIC = rf"(?:उत्तर|जवाब|উত্তর|பதில்|విడై|ઉત્તર|సమాధానం|ഉത്തരം|ಉತ್ತರ)(?:[ ]*[:=][ ]*|[ ]+(?={_SINGLE}))|(?:उत्तर|जवाब)[ ]+"

FOREIGN_CUE = re.compile(
    f"{_SPACED}|{_CHINESE}|{_JAPANESE}|{_KOREAN}|{_THAI}|{_ARABIC}|{_HEBREW}|{_INDIC}", re.IGNORECASE
)
"""Ends where a stated answer begins. Text is read after `visible_text`, which unifies "：" and ":"."""

_FINAL_VERB = re.compile(
    r"(?:です|でした|である|だ|になります|となります|입니다|이다|이에요|예요|임|है|हैं|হয়|است|'?d[iıuü]r)[.!।]?$"
)
_LEADING_CATEGORY = re.compile(r"(?:选项|選項|选择|選択肢|ข้อ|보기|선택지)[ ]?")


def without_final_verb(text: str) -> str:
    """Remove the verb that ends a statement in Japanese, Korean, Hindi, Persian or Turkish: "パリです" -> "パリ"."""
    return _FINAL_VERB.sub("", text.rstrip()).rstrip(" '")
