"""Labels: the only one named, one behind a cue, one before an explanation, denied ones, many languages and layouts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.core.errors import ConfigError
from askwell.core.types import Example
from askwell.tasks.grading.context import GradingContext
from askwell.tasks.metrics import extract, grade, metric

BULLETS = "A text about a match.\nOptions:\n- Red\n- Sports\n- Blue"
LISTS = [
    BULLETS, "A text.\nOptions:\n(A) Red\n(B) Sports\n(C) Blue", "A text.\n\nLabels: Red, Sports, Blue",
    "A text.\nChoose one of: Red, Sports or Blue\n", "A text.\nOptions:\n1. Red\n2. Sports\n3. Blue",
    "A text.\nA. Red\nB. Sports\nC. Blue",
    "A text.\nPossible categories: Red | Sports | Blue.", "文本\n选项：\n- Red\n- Sports\n- Blue",
    "A text.\n\nOptions:\n\n* Red\n* Sports\n* Blue\n",
]  # fmt: skip
SPORTS = [
    "Sports", "sports", "Sports.", "**Sports**", "- Sports", "The topic is Sports.", "The answer is: Sports",
    "The answer is:\n- Sports", "The answer is:\n\n- Sports", "The subject is Sports.", "The section is Sports.",
    "This article is about Sports.", "The article is Sports.", "Sports: the article tells of", "1. Sports",
    "- Sports\n\nSports is", "The chosen option is:\n- Sports\n-", "The answer is:\n1. Sports", "Answer: **Sports**",
    "Sports, because a match was played.", "Sports (a match)", "Sports - it tells of Red Bull",
    "I think this is Sports news.",
    "It is not Red but Sports.", "Not Red. Sports.", "It could be Red, but the answer is Sports.",
    "Red is wrong. Sports is right.",
    "Red - incorrect\nSports - correct\nBlue - incorrect", "| Red | ✗ |\n| Sports | ✓ |\n| Blue | ✗ |",
    "Options:\n- Red\n- Sports\n- Blue\n\nAnswer: Sports", "Red, Sports or Blue? It is Sports.",
    "The article mentions the red cross, but it is about Sports.",
    "At first glance the answer is Red, but it is Sports.",
    "Neither Red nor Blue, so Sports.", "Category: Sports", "label = Sports", "'Sports'", "\\boxed{Sports}",
    "\\boxed{\\text{Sports}}",
    "<answer>Sports</answer>", '{"label": "Sports"}', '{"label": "Sports", "confidence": 0.9}',
    "<think>Red?</think>Sports", "The answer is Sports. Red and Blue do not fit.", "Sports\n\nRed would be wrong.",
    "So the category is Sports, not Red.", "The best fit is Sports rather than Blue.", "## Sports", "SPORTS",
    "Answer: The article tells of a match.\nSports", "Sports! The Red Sox won.", "I'd choose Sports.",
    "The text fits into Sports.", "答案是Sports", "Sports。", "这篇文章属于Sports类", "La respuesta es Sports.",
    "Antwort: Sports",
    "C'est Sports, pas Red.", "No es Red, es Sports.", "정답은 Sports입니다", "答えはSportsです。", "Ответ: Sports",
    "Let me think. Red? No. Blue? No. Therefore it is Sports.", "Topic: Sports\nReason: the Red team won.",
]  # fmt: skip
NOT_SPORTS = [
    "", "Red", "Blue.", "Not Sports", "It is not Sports.", "This isn't Sports.", "Sports is not the topic.",
    "non-Sports",
    "Sports or Red", "Sports and Blue", "Sports/Red", "Red, Sports, Blue", "Options:\n- Red\n- Sports\n- Blue",
    "I don't know.",
    "The answer is Red, not Sports.", "Red rather than Sports", "neither Red nor Sports", "Either Sports or Red.",
    "Sportsman",
    "The answer is Blue.\nIt is about sports.", "Sports - incorrect\nRed - correct", "Answer: Red (Sports is wrong)",
    "Transports",
    "The answer is Sports. Wait, the answer is Red.", "Red: the sports section is another one.", "不是Sports",
    "No es Sports.",
    "Ce n'est pas Sports.", "Das ist nicht Sports.", '{"label": "Red", "rejected": "Sports"}',
]  # fmt: skip
LABEL_SETS: list[tuple[str, str, tuple[str, ...], float]] = [
    ("very positive", "very positive", ("positive", "very positive", "negative"), 1),
    ("very positive", "positive", ("positive", "very positive", "negative"), 0),
    ("The review is very positive.", "positive", ("positive", "very positive"), 0),
    ("positive", "very positive", ("positive", "very positive"), 0), ("Sci/Tech", "Sci/Tech", ("World",
    "Sci/Tech"), 1),
    ("sci-tech", "Sci/Tech", ("World", "Sci/Tech"), 1), ("Sci / Tech", "Sci/Tech", ("World", "Sci/Tech"), 1),
    ("SciTech", "Sci/Tech", ("World", "Sci/Tech"), 1), ("Tech", "Sci/Tech", ("World", "Sci/Tech"), 0),
    ("book flight", "book_flight", ("book_flight", "cancel_flight"), 1), ("Book-Flight", "book_flight", ("book_flight",
    "book_hotel"), 1),
    ("The user wants to cancel flight", "cancel_flight", ("book_flight", "cancel_flight"), 1),
    ("book_flight", "BookFlight", ("BookFlight", "BookHotel"), 1), ("not entailment", "not_entailment", ("entailment",
    "not_entailment"), 1),
    ("not entailment", "entailment", ("entailment", "not_entailment"), 0), ("entailment", "entailment", ("entailment",
    "not_entailment"), 1),
    ("The emotion is anger.", "anger", ("anger", "joy", "sadness"), 1), ("no joy, only sadness", "sadness", ("anger",
    "joy", "sadness"), 1),
    ("more negative than positive", "negative", ("positive", "negative"), 1), ("positive or negative? positive",
    "positive", ("positive", "negative"), 1),
    ("It isn't positive.", "negative", ("positive", "negative"), 0), ("4", "4", ("1", "2", "3", "4", "5"), 1),
    ("I give it 4 stars.", "4", ("1", "2", "3", "4", "5"), 1), ("-1", "-1", ("-1", "0", "1"), 1), ("-1", "1", ("-1",
    "0", "1"), 0),
    ("正面", "正面", ("正面", "负面"), 1), ("这条评论是负面的。", "负面", ("正面", "负面"), 1), ("不是正面，而是负面",
    "负面", ("正面", "负面"), 1),
    ("答案：体育", "体育", ("体育", "财经"), 1), ("该文章属于体育类", "体育", ("体育", "财经"), 1), ("ポジティブです",
    "ポジティブ", ("ポジティブ", "ネガティブ"), 1),
    ("감정은 긍정입니다", "긍정", ("긍정", "부정"), 1), ("El sentimiento es negativo.", "negativo", ("positivo",
    "negativo"), 1),
    ("No es positivo, es negativo.", "negativo", ("positivo", "negativo"), 1), ("Тональность негативная",
    "негативная", ("позитивная", "негативная"), 1),
    ("ความรู้สึกเป็นบวก", "บวก", ("บวก", "ลบ"), 1), ("This world cup is about Sports", "Sports", ("World", "Sports"), 1),
    ("The World won", "World", ("World", "Sports"), 1), ("yes", "yes", ("yes", "no"), 1), ("No.", "no", ("yes",
    "no"), 1),
    ("B", "B", ("A", "B", "C"), 1), ("spam", "spam", ("spam", "ham"), 1), ("hamburger", "ham", ("spam", "ham"), 0),
    ("The message is spam, not ham.", "spam", ("spam", "ham"), 1), ("C++", "C++", ("C", "C++"), 1), ("C++", "C", ("C",
    "C++"), 0),
    ("caf\u00e9", "cafe\u0301", ("cafe\u0301", "bar"), 1), ("World: 10\nSports: 2", "World", ("World", "Sports"), 1),
]  # fmt: skip


@pytest.mark.parametrize("reply", SPORTS)
def test_the_label_is_read(reply: str) -> None:
    assert grade("label", reply, "Sports", question=BULLETS) == 1.0
    assert grade("label", reply, "Sports", labels=("Red", "Sports", "Blue")) == 1.0
    assert grade("label", reply, "Red", question=BULLETS) == 0.0


@pytest.mark.parametrize("reply", NOT_SPORTS)
def test_a_reply_that_gives_another_label_or_none_is_wrong(reply: str) -> None:
    assert grade("label", reply, "Sports", question=BULLETS) == 0.0


@pytest.mark.parametrize(("reply", "target", "labels", "mark"), LABEL_SETS)
def test_labels_of_many_kinds(reply: str, target: str, labels: tuple[str, ...], mark: float) -> None:
    assert grade("label", reply, target, labels=labels) == mark


@pytest.mark.parametrize("question", LISTS)
def test_labels_come_from_the_question(question: str) -> None:
    for reply in ("Sports", "The section is Sports.", "Sports: not Red"):
        assert grade("label", reply, "Sports", question=question) == 1.0
        assert grade("label", reply, "Blue", question=question) == 0.0
    assert grade("label", "Sports or Blue", "Sports", question=question) == 0.0


def test_the_letter_or_number_of_an_option_counts() -> None:
    lettered = "A text.\nOptions:\n(A) Red\n(B) Sports\n(C) Blue"
    assert grade("label", "(B)", "Sports", question=lettered) == 1.0
    assert grade("label", "The answer is B.", "Sports", question=lettered) == 1.0
    assert grade("label", "Sports", "B", question=lettered) == 1.0
    assert grade("label", "C", "Sports", question=lettered) == 0.0
    numbered = "A text.\nOptions:\n1. Red\n2. Sports"
    assert grade("label", "2", "Sports", question=numbered) == 1.0
    assert grade("label", "The answer is 2.", "2", question=numbered) == 1.0
    assert grade("label", "1. Sports", "Sports", question=numbered) == 1.0


def test_the_labels_of_the_task_count_where_the_question_does_not_list_the_target() -> None:
    question = "Which is it?\nOptions:\n- one\n- two"
    assert grade("label", "Sports", "Sports", question=question, labels=("Sports", "Red")) == 1.0


def test_unknown_labels_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"the labels beside 'Sports' are not known; give labels="):
        grade("label", "Sports", "Sports", question="What is it about?")


def test_a_score_says_what_was_read() -> None:
    score = metric("label", labels=("Red", "Sports", "Blue"))(
        "Red or Sports", Example(id="1", input="?", target="Sports")
    )
    assert (score.value, score.note) == (0.0, "several labels named: Red, Sports")
    assert extract("label", "about sports", "Red", GradingContext(labels=("Red", "Sports"))) == "Sports"
    assert metric("label", labels=("Red",))("hm", Example(id="1", input="?", target="Red")).note == "no label named"


LABELS = st.lists(st.from_regex(r"[A-Z][a-z]{2,8}", fullmatch=True), min_size=2, max_size=6, unique_by=str.casefold)
FORMS = (
    "{}",
    "- {}",
    "The answer is {}.",
    "Answer:\n1. {}",
    "**{}**",
    "{}: it tells of this",
    "The section is {}.",
    "答案是{}。",
)


@given(labels=LABELS, form=st.sampled_from(FORMS), data=st.data())
def test_each_label_is_read_in_every_form_and_no_other(labels: list[str], form: str, data: st.DataObject) -> None:
    words = {"The", "Answer", "It", "Tells", "Of", "This", "Is", "Section"}
    labels = [label for label in labels if label not in words]
    if len(labels) > 1:
        right, other = data.draw(st.permutations(labels))[:2]
        assert grade("label", form.format(right), right, labels=labels) == 1.0
        assert grade("label", form.format(right), other, labels=labels) == 0.0
        assert grade("label", f"not {right}", right, labels=labels) == 0.0
