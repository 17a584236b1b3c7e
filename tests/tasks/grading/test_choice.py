"""Choices in many languages, reviews of options, first impressions, and targets that are an index or a text."""

from __future__ import annotations

import pytest

from askwell.core.errors import DataError
from askwell.tasks.metrics import grade

LANGUAGES = [
    ("答案是B", "B", 1), ("故选B", "B", 1), ("选择B。", "B", 1), ("正解はBです", "B", 1), ("정답은 B입니다", "B", 1),
    ("คำตอบคือB", "B", 1), ("本题选B项", "B", 1), ("答案：B", "B", 1), ("答案为B。", "B", 1), ("正确答案是：B",
    "B", 1),
    ("因此，正确选项是B。", "B", 1), ("所以应该选C。", "C", 1), ("答案是A。", "A", 1), ("选A", "A", 1), ("答案是选项A",
    "A", 1),
    ("A是正确的，因为B太小。", "A", 1), ("答案应为D，因为其他选项都错。", "D", 1), ("答えはAです。", "A", 1),
    ("答えはCだ。", "C", 1), ("正しい選択肢はDです。", "D", 1), ("정답은 A입니다.", "A", 1), ("답: C", "C", 1),
    ("정답: B번", "B", 1), ("따라서 정답은 D입니다.", "D", 1), ("คำตอบที่ถูกต้องคือ A", "A", 1), ("ตอบข้อ C", "C", 1),
    ("La respuesta es B.", "B", 1), ("La respuesta correcta es la B.", "B", 1), ("La respuesta es A porque sí.",
    "A", 1),
    ("La respuesta correcta es la opción C, ya que es mayor.", "C", 1), ("Respuesta: D", "D", 1),
    ("La respuesta correcta es B, no A.", "B", 1), ("La respuesta correcta es B, no A.", "A", 0),
    ("No es A, es B.", "B", 1), ("A est la bonne réponse.", "A", 1), ("La réponse est A car elle est vraie.", "A", 1),
    ("La bonne réponse est la C.", "C", 1), ("Réponse : B", "B", 1), ("La réponse est B et non A.", "B", 1),
    ("Die richtige Antwort ist B.", "B", 1), ("Antwort: A", "A", 1), ("Die Antwort lautet C.", "C", 1),
    ("A ist die richtige Antwort.", "A", 1), ("Die Antwort ist B, nicht A.", "B", 1), ("A ist falsch, B ist richtig.",
    "B", 1),
    ("A resposta é a letra C.", "C", 1), ("A resposta correta é B.", "B", 1), ("Resposta: A", "A", 1),
    ("A alternativa correta é a D.", "D", 1), ("La risposta corretta è B.", "B", 1), ("Risposta: C", "C", 1),
    ("La risposta è A perché gli altri sono falsi.", "A", 1), ("Правильный ответ: B", "B", 1),
    ("Правильный ответ — C.", "C", 1), ("Ответ B.", "B", 1), ("Het juiste antwoord is B.", "B", 1),
    ("Svaret är C.", "C", 1), ("Doğru cevap B'dir.", "B", 1), ("Cevap: A", "A", 1), ("Poprawna odpowiedź to D.",
    "D", 1),
    ("Đáp án đúng là B.", "B", 1), ("Đáp án: A", "A", 1), ("Jawaban yang benar adalah B.", "B", 1),
    ("الإجابة الصحيحة هي B.", "B", 1), ("الجواب: C", "C", 1), ("התשובה הנכונה היא B", "B", 1), ("सही उत्तर B है।",
    "B", 1),
    ("उत्तर: A", "A", 1), ("答案是B，不是A。", "B", 1), ("答案是B而不是A", "B", 1), ("AではなくBです", "B", 1),
    ("A错误，B正确，C错误", "B", 1), ("A는 틀렸고 B가 정답입니다.", "B", 1), ("答案是A或B", "A", 0), ("我不知道。",
    "A", 0),
    ("No lo sé.", "A", 0), ("Ich weiß es nicht.", "I", 0), ("A primera vista no lo sé.", "A", 0),
    ("A resposta não está clara.", "A", 0), ("维生素C对身体好，所以答案是B。", "B", 1), ("我用了GPT回答：B", "B", 1),
    ("Le choix B est correct.", "B", 1), ("Opción (b)", "B", 1), ("Ｂ．北京", "B", 1), ("（B）", "B", 1), ("【B】",
    "B", 1),
]  # fmt: skip
REVIEWS = [
    form.format(wrong=wrong, right=right)
    for wrong, right in (
        ("incorrect", "correct"), ("✗", "✓"), ("❌", "✅"), ("False", "True"), ("No", "Yes"), ("Wrong", "Right"),
        ("✘", "✔"), ("✗ wrong", "✓ right"), ("not correct", "correct"), ("错误", "正确"), ("falso", "verdadero"),
        ("falsch", "richtig"), ("faux", "vrai"), ("неверно", "верно"),
    )
    for form in (
        "A. x - {wrong}\nB. y - {right}\nC. z - {wrong}",
        "(A) x: {wrong}\n(B) y: {right}\n(C) z: {wrong}",
        "A) x ({wrong})\nB) y ({right})\nC) z ({wrong})",
        "- A: {wrong}\n- B: {right}\n- C: {wrong}",
        "* **A**: {wrong}.\n* **B**: {right}.\n* **C**: {wrong}.",
        "| Option | Verdict |\n|---|---|\n| A | {wrong} |\n| B | {right} |\n| C | {wrong} |",
        "| A. x | {wrong} | because |\n| B. y | {right} | because |\n| C. z | {wrong} | because |",
        "Option A: {wrong}, it is small.\nOption B: {right}, it fits.\nOption C: {wrong}, it is big.",
        "A: {wrong}\n\nB: {right}\n\nC: {wrong}",
        "A - {wrong}; B - {right}; C - {wrong}",
    )
]  # fmt: skip
OTHER_REVIEWS = [
    ("✗ A. x\n✓ B. y\n✗ C. z", "B", 1), ("- [ ] A. x\n- [x] B. y\n- [ ] C. z", "B", 1), ("❌ A\n✅ B\n❌ C", "B", 1),
    ("**A) Paris**\nThis is incorrect, since it is in France.\n**B) Rome**\nThis is correct.\n"
     "**C) Oslo**\nThis is incorrect.", "B", 1),
    ("A. x is wrong.\nB. y is wrong.\nC. z is right.", "C", 1), ("A. x ✗\nB. y\nC. z ✗", "B", 1),
    ("A: True\nB: True\nC: False", "C", 0), ("A: True\nB: True\nC: False", "A", 0),
    ("A. x - incorrect\nB. y - correct\nC. z - correct", "C", 0), ("A. x - incorrect\nB. y - incorrect", "B", 0),
    ("A. x - correct\nB. y - incorrect\n\nThe answer is B.", "B", 1),
    ("A. x - partly right\nB. y - incorrect\nC. z - incorrect\n\nSo I choose A.", "A", 1),
    ("(A) x ✓ (B) y ✗", "B", 0), ("A. x - incorrect\nB. y - correct\nC. z - incorrect\n\nHope that helps!", "B", 1),
    ("Let me check each option.\n1. A: False\n2. B: False\n3. C: False\n4. D: True", "D", 1),
]  # fmt: skip
IMPRESSIONS = [
    ("At first glance the answer is A, but it's actually C.", "C", 1),
    ("At first glance the answer is A, but it's actually C.", "A", 0),
    ("One might think the answer is A. However, the correct choice is C.", "C", 1),
    ("My first answer was A. On reflection: C.", "C", 1), ("A student might pick A, but the answer's C.", "C", 1),
    ("Initially I thought the answer was B, but it is D.", "D", 1), ("The obvious answer is B. In fact it is C.",
    "C", 1),
    ("It is tempting to choose A, but C is right.", "C", 1), ("Many people would say B. It's D.", "D", 1),
    ("The common wrong answer is A. The correct answer is B.", "B", 1), ("乍一看答案是A，但实际上是C。", "C", 1),
    ("A primera vista la respuesta es A, pero en realidad es C.", "C", 1),
    ("Auf den ersten Blick ist die Antwort A, aber es ist C.", "C", 1),
    ("The obvious answer is A.", "A", 1), ("The answer is B. A student may pick A, but that ignores X.", "B", 1),
    ("B. One might say A, but D is ruled out.", "B", 1),
    ("Initially, there were 3 birds, but 2 left. The answer is B.", "B", 1),
    ("The answer is A. At first I was not sure, but C cannot be.", "A", 1),
    ("The first option is A, but the answer is B.", "B", 1), ("Between B and C, B is better.", "B", 1),
    ("Between B and C, B is better.", "C", 0), ("(A)(B)", "A", 0), ("(A) (B)", "A", 0), ("[A][C]", "C", 0),
    ("Answer: D\n\n$$\\boxed{E = mc^2}$$", "D", 1), ("The answer is (D), as \\boxed{C_p} shows", "D", 1),
    ("The answer is (D).\n\n\\boxed{D}", "D", 1), ("\\boxed{B. Paris}", "B", 1), ("Answer seems to be A", "A", 1),
    ("Answer: Let's think step by step.", "L", 0), ("Antwort:\n\nAntwort: C", "C", 1), ("Answer: $B", "B", 1),
    ("The answer's explanation is long. Option B.", "B", 1), ("My answer's B.", "B", 1),
    ("A car is faster, so I choose B.", "B", 1), ("A car is faster than a bike.", "A", 0), ("A jest is no answer.",
    "A", 0),
    ("A study says so. It is C.", "C", 1), ("Not A but B", "B", 1), ("Was it A? No, B", "B", 1),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "target", "mark"), [*LANGUAGES, *OTHER_REVIEWS, *IMPRESSIONS])
def test_a_letter_is_read(reply: str, target: str, mark: float) -> None:
    assert grade("choice", reply, target) == mark


@pytest.mark.parametrize("reply", REVIEWS)
def test_a_review_of_the_options_is_read(reply: str) -> None:
    assert [grade("choice", reply, letter) for letter in "ABC"] == [0.0, 1.0, 0.0]


LETTERED = "Which?\n(A) Rome\n(B) New York\n(C) Oslo"
FORMS = [
    LETTERED, "Which?\nA. Rome\nB. New York\nC. Oslo", "Which?\nA) Rome\nB) New York\nC) Oslo",
    "Which? A. Rome B. New York C. Oslo",
    "Which? (A) Rome (B) New York (C) Oslo", "Which? A) Rome, B) New York, C) Oslo",
    "哪个？\nA．Rome\nB．New York\nC．Oslo",
    "Which?\n\n- A: Rome\n- B: New York\n- C: Oslo", "Which?\na) Rome\nb) New York\nc) Oslo",
    "Which?\n[A] Rome\n[B] New York\n[C] Oslo",
    "Which?\nA. Rome  B. New York\nC. Oslo", "Dr. A. Smith asks: which? A. Rome B. New York C. Oslo",
]  # fmt: skip


@pytest.mark.parametrize("question", FORMS)
@pytest.mark.parametrize("target", ["B", "(B)", "1", "New York", "new york"])
def test_a_target_may_be_a_letter_a_text_or_an_index(question: str, target: str) -> None:
    for reply in ("The answer is (B).", "B", "New York", "The answer is New York.", "A. wrong\nB. right\nC. wrong"):
        assert grade("choice", reply, target, question=question) == 1.0, reply
    for reply in ("The answer is (A).", "Oslo", "", "A or B"):
        assert grade("choice", reply, target, question=question) == 0.0, reply


def test_an_option_that_is_a_number_is_taken_as_a_text() -> None:
    question = "How many?\n(A) 3\n(B) 0\n(C) 1"
    assert grade("choice", "The answer is (C).", "1", question=question) == 1.0
    assert grade("choice", "The answer is (B).", "1", question=question) == 0.0


def test_options_that_are_verdicts_are_no_review() -> None:
    question = "Is it so?\n(A) Yes\n(B) No"
    assert grade("choice", "(A) Yes\n(B) No\n\n(B)", "B", question=question) == 1.0
    assert grade("choice", "Options:\n(A) Yes\n(B) No\nI would go with (B).", "B", question=question) == 1.0


@pytest.mark.parametrize("target", ["3", "7", "Paris", "None"])
def test_a_target_that_names_no_option_is_refused(target: str) -> None:
    with pytest.raises(
        DataError, match=rf"target '{target}' is neither the letter nor the text of an option \(A, B, C\)"
    ):
        grade("choice", "B", target, question=LETTERED)


def test_an_index_without_options_is_refused() -> None:
    with pytest.raises(DataError, match="target '1' is a number, but the question lists no options"):
        grade("choice", "B", "1", question="Which is it?")
    assert grade("choice", "Paris", "Paris", question="Which is it?") == 1.0


NUMBERED = "Which?\n1. Rome\n2. New York\n3. Oslo"


@pytest.mark.parametrize(
    ("reply", "target", "mark"),
    [
        ("2", "2", 1), ("The answer is 2.", "2", 1), ("2. New York", "2", 1), ("New York", "2", 1), ("(2)", "2", 1),
        ("Option 2", "2", 1), ("3", "2", 0), ("Oslo", "2", 0), ("2", "New York", 1), ("The answer is New York.",
        "New York", 1),
        ("1. Rome ✗\n2. New York ✓\n3. Oslo ✗", "2", 1),
    ],
)  # fmt: skip
def test_options_may_be_numbered(reply: str, target: str, mark: float) -> None:
    assert grade("choice", reply, target, question=NUMBERED) == mark
