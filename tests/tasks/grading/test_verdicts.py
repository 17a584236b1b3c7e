"""Verdicts behind a repeated question, after a first impression, and in other languages."""

from __future__ import annotations

import pytest

from askwell.core.errors import DataError
from askwell.tasks.metrics import grade

ECHOES = [
    ("Is it true? No.", "false", 1), ("Is it true? No.", "true", 0), ("Is the argument valid? No.", "invalid", 1),
    ("Is this sentence plausible? No.", "implausible", 1), ("Valid? No", "invalid", 1), ("Valid? Yes.", "valid", 1),
    ("Is it true? Yes, it is.", "true", 1), ("True? No, since 2 < 3.", "false", 1), ("Is it false? No.", "true", 1),
    ("Is it false? Yes.", "false", 1), ("Could it be invalid? No, it follows.", "valid", 1),
    ("Is the statement correct? No.", "incorrect", 1), ("Is it possible? No.", "impossible", 1),
    ("**Is it true?** No.", "false", 1), ("Q: Is it true?\nA: No.", "false", 1), ("Is it true?\n\nNo.", "false", 1),
    ("Is that true? I don't know.", "true", 0), ("Is it true or false? It is false.", "false", 1),
    ("Is it true? The answer is false.", "false", 1), ("Would he lie? Yes. So the answer is no.", "no", 1),
    ("Is it yes? No.", "no", 1), ("Yes and no.", "yes", 0), ("Yes and no.", "no", 0), ("Yes? No?", "yes", 0),
    ("Yes? No?", "no", 0), ("True? False?", "true", 0), ("Yes and no. On balance, yes.", "yes", 1),
    ("Yes and no. In the end, no.", "no", 1), ("True?", "true", 1), ("No? Yes!", "yes", 1),
    ("At first glance the answer is yes. However, it is no.", "no", 1),
    ("One might think it is true, but it is false.", "false", 1), ("Initially I thought yes, but the answer is no.",
    "no", 1),
    ("The obvious answer is True. In fact it is False.", "False", 1), ("The obvious answer is yes.", "yes", 1),
    ("The answer is yes. Some might say no, but they overlook this.", "yes", 1),
    ("True and False is False, so the answer is False.", "False", 1), ("not True and not False = False", "False", 1),
    ("There is no doubt that it is true.", "true", 1), ("I don't know whether it is correct.", "true", 0),
    ("It is hard to say.", "no", 0), ("No idea.", "no", 0), ("Is it? It is. True.", "true", 1),
    ("The question: is it plausible? Lindholm plays hockey, so yes.", "yes", 1),
]  # fmt: skip
LANGUAGES = [
    ("Sí.", "yes", 1), ("Sí, es correcto.", "yes", 1), ("No, no es cierto.", "false", 1), ("Es verdadero.", "true", 1),
    ("La afirmación es falsa.", "false", 1), ("No es falso.", "true", 1), ("No es verdadero.", "false", 1),
    ("La respuesta es no.", "no", 1), ("La respuesta es sí.", "yes", 1), ("Oui.", "yes", 1), ("Non.", "no", 1),
    ("Oui, c'est possible.", "yes", 1), ("C'est vrai.", "true", 1), ("C'est faux.", "false", 1), ("Ce n'est pas vrai.",
    "false", 1),
    ("La réponse est oui.", "yes", 1), ("Ja.", "yes", 1), ("Nein.", "no", 1), ("Nein, das stimmt.", "no", 1),
    ("Das ist falsch.", "false", 1), ("Die Aussage ist wahr.", "true", 1), ("Das ist nicht richtig.", "false", 1),
    ("Die Antwort ist ja.", "yes", 1), ("Antwort: nein", "no", 1), ("Sim.", "yes", 1), ("Não.", "no", 1),
    ("A resposta é não.", "no", 1), ("É verdadeiro.", "true", 1), ("Sì, certo.", "yes", 1), ("È falso.", "false", 1),
    ("Да.", "yes", 1), ("Нет.", "no", 1), ("Нет, это не так.", "no", 1), ("Это неверно.", "false", 1), ("Это правда.",
    "true", 1),
    ("Ответ: да", "yes", 1), ("Утверждение верно.", "true", 1), ("Tak.", "yes", 1), ("Nie.", "no", 1), ("Evet.",
    "yes", 1),
    ("Hayır.", "no", 1), ("Bu yanlış.", "false", 1), ("是", "yes", 1), ("是的。", "yes", 1), ("不是。", "no", 1),
    ("否", "no", 1), ("答案是：是", "yes", 1), ("答案是否。", "no", 1), ("正确", "true", 1), ("错误。", "false", 1),
    ("这个说法是正确的。", "true", 1), ("这个说法是错误的。", "false", 1), ("这是不正确的。", "false", 1),
    ("这个说法不正确", "false", 1), ("对。", "true", 1), ("不对。", "false", 1), ("答案是真", "true", 1),
    ("答案是假。", "false", 1),
    ("はい。", "yes", 1), ("いいえ。", "no", 1), ("いいえ、違います。", "no", 1), ("正しいです。", "true", 1),
    ("これは間違いです。", "false", 1),
    ("答えははいです。", "yes", 1), ("네.", "yes", 1), ("아니요.", "no", 1), ("정답은 참입니다.", "true", 1),
    ("거짓입니다.", "false", 1),
    ("ใช่", "yes", 1), ("ไม่ใช่", "no", 1), ("نعم", "yes", 1), ("لا", "no", 1), ("नहीं", "no", 1), ("हाँ।", "yes", 1),
    ("Đúng.", "true", 1), ("Sai.", "false", 1), ("No lo sé.", "no", 0), ("我不知道。", "no", 0), ("Je ne sais pas.",
    "no", 0),
    ("不知道", "no", 0), ("Ich weiß es nicht.", "no", 0), ("Es ist wahr oder falsch.", "true", 0),
]  # fmt: skip
TARGETS = [
    ("是", "是的。", 1), ("否", "不是。", 1), ("是", "否", 0), ("正确", "这是正确的。", 1), ("错误", "错误", 1), ("sí",
    "Sí.", 1),
    ("vrai", "C'est vrai.", 1), ("faux", "C'est vrai.", 0), ("nein", "Nein.", 1), ("да", "Да", 1), ("нет", "No.", 1),
    ("はい", "はい", 1), ("참", "참입니다.", 1), ("거짓", "참입니다.", 0), ("verdadero", "True", 1),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "target", "mark"), [*ECHOES, *LANGUAGES])
def test_a_verdict_is_read(reply: str, target: str, mark: float) -> None:
    assert grade("boolean", reply, target) == mark
    assert grade("yesno", reply, target) == mark


@pytest.mark.parametrize(("target", "reply", "mark"), TARGETS)
def test_a_target_may_be_a_verdict_of_another_language(target: str, reply: str, mark: float) -> None:
    assert grade("boolean", reply, target) == mark


@pytest.mark.parametrize("target", ["unknown", "maybe", "vielleicht", "不知道"])
def test_a_target_without_a_verdict_is_refused(target: str) -> None:
    with pytest.raises(DataError, match="is no verdict"):
        grade("boolean", "yes", target)
