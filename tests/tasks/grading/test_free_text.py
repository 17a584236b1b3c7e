"""Exact, contained and overlapping text: languages, remarks, key words, JSON targets, word lists, brackets."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.tasks.metrics import grade

EXACT = [
    ("答案：正面", "正面", 1), ("答案是正面。", "正面", 1), ("Respuesta: positivo", "positivo", 1),
    ("Antwort: positiv", "positiv", 1),
    ("La respuesta es París.", "París", 1), ("La réponse est Paris.", "Paris", 1), ("Die Antwort lautet Berlin.",
    "Berlin", 1),
    ("A resposta é Lisboa.", "Lisboa", 1), ("La risposta è Roma.", "Roma", 1), ("Ответ: Москва", "Москва", 1),
    ("答えはパリです。", "パリ", 1), ("정답은 파리입니다.", "파리", 1), ("คำตอบคือปารีส", "ปารีส", 1), ("उत्तर: पेरिस",
    "पेरिस", 1),
    ("الجواب: باريس", "باريس", 1), ("Đáp án là Hà Nội.", "Hà Nội", 1), ("Odpowiedź: Warszawa", "Warszawa", 1),
    ("情感：正面", "正面", 1), ("类别是体育。", "体育", 1), ("Sentimiento: positivo", "positivo", 1),
    ("Kategorie: Sport", "Sport", 1),
    ("El sentimiento es positivo.", "positivo", 1), ("答案不是正面。", "正面", 0), ("La respuesta no es París.",
    "París", 0),
    ("negative - the reviewer hates it", "negative", 1), ("negative (the reviewer hates it)", "negative", 1),
    ("negative, because x", "negative", 1), ("Negative. The reviewer hates it.", "negative", 1),
    ("Negative: the reviewer hates it.", "negative", 1), ("negative – it is a bad film", "negative", 1),
    ("Negative since he hates it", "negative", 1), ("**Negative** (sarcasm)", "negative", 1),
    ("The answer is negative (the reviewer hates it).", "negative", 1), ("Negative\nThe reviewer hates it.",
    "negative", 1),
    ("Intent: book_flight", "book_flight", 1), ("The date is 05/11/1992.", "05/11/1992", 1), ("Date: 05/11/1992",
    "05/11/1992", 1),
    ("City name: New York", "New York", 1), ("The capital is Paris.", "Paris", 1), ("It is Paris.", "Paris", 1),
    ("It's Paris.", "Paris", 1), ("The correct spelling is necessary.", "necessary", 1), ("Translation: Guten Tag",
    "Guten Tag", 1),
    ("Intent: book_flight (the user wants to fly)", "book_flight", 1), ("I'd say Paris.", "Paris", 1),
    ("The subject is Sports.", "Sports", 1), ("Language: French, because of the accents", "French", 1),
    # what must stay as it is
    ("Paris, France", "Paris", 0), ("Paris or London", "Paris", 0), ("Paris is the capital of France.", "Paris", 0),
    ("The capital of France is Paris.", "Paris", 0), ("not Paris", "Paris", 0), ("It is not Paris.", "Paris", 0),
    ("Paris? London.", "Paris", 0), ("Paris. Actually, London.", "Paris", 0), ("Paris. Wait, it is London.",
    "Paris", 0),
    ("1. Paris", "Paris", 0), ("Paris - London", "Paris", 0), ("12 - 5 = 7", "12", 0), ("C++", "C", 0), ("parish",
    "Paris", 0),
    ("The date is not 05/11/1992.", "05/11/1992", 0), ("negative or positive", "negative", 0), ("very negative",
    "negative", 0),
    ("The film is not good.", "good", 0), ("Spider-Man - No Way Home", "Spider-Man", 0), ("Intent: book_flight",
    "flight", 0),
    ("The answer is Lyon. The capital is Paris.", "Paris", 0), ("12:30", "30", 0), ("non-negative", "negative", 0),
    ("Paris and London", "London", 0), ("The cat", "cat", 0), ("Is it Paris? It is Rome.", "Paris", 0),
]  # fmt: skip
JSON_TARGETS = [
    ('{"a":1,"b":[1,2]}', '{"a": 1, "b": [1, 2]}', 1), ('{"b": [1, 2], "a": 1}', '{"a":1,"b":[1,2]}', 1),
    ('```json\n{"a": 1,\n "b": [1, 2]}\n```', '{"a":1,"b":[1,2]}', 1),
    ('Here you are: {"b": [1, 2], "a": 1}.', '{"a":1,"b":[1,2]}', 1),
    ('{"a": 1.0, "b": [1, 2]}', '{"a":1,"b":[1,2]}', 1), ('["x", "y"]', '["x","y"]', 1),
    ('Result:\n["x",\n"y"]', '["x","y"]', 1),
    ('{"a": 1, "b": [2, 1]}', '{"a":1,"b":[1,2]}', 0), ('{"a": 1}', '{"a":1,"b":[1,2]}', 0),
    ('{"a": true}', '{"a": 1}', 0),
    ('{"a": "1"}', '{"a": 1}', 0), ('{"a": 1, "c": 2}', '{"a": 1}', 0), ("a is 1", '{"a": 1}', 0),
    ('{"a": 1', '{"a": 1}', 0),
    ('<think>{"a": 1}</think>{"a": 2}', '{"a": 1}', 0), ('{"answer": {"a": 1}}', '{"answer":{"a":1}}', 1),
    ('{"name": "Zoë", "ok": null}', '{"ok":null,"name":"Zo\\u00eb"}', 1), ('["y", "x"]', '["x","y"]', 0), ("[x]",
    "[x]", 1),
]  # fmt: skip
CONTAINS = [
    ("我住在北京市。", "北京", 1), ("서울은 수도입니다", "서울", 1), ("東京タワーに行く", "東京", 1), ("ฉันอยู่ที่กรุงเทพ",
    "กรุงเทพ", 1),
    ("我用GPT写作", "GPT", 1), ("我用GPT4写作", "GPT", 0), ("共12个", "12", 1), ("共112个", "12", 0), ("12.5个",
    "12", 0),
    ("Он живёт в Москве", "Москве", 1), ("Москвеч", "Москве", 0), ("풋사과", "사과", 0), ("사과를 먹다", "사과", 1),
    ("Straße 5", "STRASSE", 1), ("El niño come", "niño", 1), ("El niñopaso", "niño", 0), ("The cat sat.", "cat", 1),
    ("concatenate", "cat", 0), ("New\nYork", "New York", 1), ("It is C++ code", "C++", 1), ("-12", "12", 0), ("1,234",
    "234", 0),
    ("cafe\u0301", "caf\u00e9", 1), ("(B) is right", "(B)", 1), ("上海", "北京", 0), ("It's 12%.", "12", 1),
]  # fmt: skip
F1 = [
    ("北京市", "北京", 0.8), ("北京", "北京", 1), ("上海", "北京", 0), ("東京です", "東京", 2 / 3), ("서울은",
    "서울", 0.8), ("กข", "กขค", 0.8),
    ("Paris…", "Paris", 1), ("¿Qué?", "qué", 1), ("«Paris»", "Paris", 1), ("Paris — of course", "Paris", 0.5),
    ("„Berlin“", "Berlin", 1),
    ("“Paris”", "Paris", 1), ("Paris!!", "paris", 1), ("the Paris", "Paris", 1), ("a b c d", "b c", 0.8), ("GPT模型",
    "模型", 0.8),
    ("New York", "new-york", 0), ("well, it's fine", "its fine", 0.8), ("", "北京", 0), ("В Москве", "Москве", 2 / 3),
    ("北京，上海", "北京上海", 1), ("12个苹果", "12个苹果", 1),
]  # fmt: skip
ROUGE_L = [
    ("Пока всем 2024", "Привет мир 2024", 1 / 3), ("Фильм вышел в 1999 году", "Книга издана в 1999 году", 0.6),
    ("猫は3匹います", "犬は3匹います", 6 / 7), ("GPT-4 は嘘つきだ", "GPT-4 は正しい", 2 * 3 / (7 + 6)), ("Η ταινία 2",
    "Το βιβλίο 2", 1 / 3),
    ("Привет мир", "Привет мир 2024", 0.8), ("über allem", "über allem", 1), ("ober allem", "über allem", 0.5),
    ("你好", "你好", 1), ("你坏", "你好", 0.5), ("cafe\u0301 bar", "caf\u00e9 bar", 1), ("한국 서울",
    "한국 부산", 0.5),
    ("नमस्ते दुनिया", "नमस्ते भारत", 0.5), ("The CAT, sat!", "the cat sat", 1), ("a-b", "a b", 1), ("cats", "cat", 0),
    ("police kill the gunman", "police killed the gunman", 0.75), ("naïve cat", "naive cat", 0.4), ("2024", "2024", 1),
    ("“the cat” — sat", "the cat sat", 1), ("Москва 2024", "2024", 2 / 3), ("…", "…", 1),
]  # fmt: skip
WORDS = [
    ("a. apple\nb. banana\nc. cherry", 1), ("apple · banana · cherry", 1), ("a) apple\nb) banana\nc) cherry", 1),
    ("(a) apple\n(b) banana\n(c) cherry", 1), ("i. apple\nii. banana\niii. cherry", 1),
    ("A. apple\nB. banana\nC. cherry", 1),
    ("apple • banana • cherry", 1), ("a. apple b. banana c. cherry", 1), ("① apple ② banana ③ cherry", 1),
    ("apple、banana、cherry", 1), ("apple，banana，cherry", 1), ("1. apple\n2. banana\n3. cherry", 1),
    ("· apple\n· banana\n· cherry", 1),
    ("b. banana\na. apple\nc. cherry", 0), ("banana · apple · cherry", 0), ("a. apple\nb. banana", 0),
    ("apple · banana", 0),
    ("答案：apple, banana, cherry", 1), ("La respuesta es apple, banana, cherry.", 1),
    ("| apple | banana | cherry |", 1),
]  # fmt: skip
BRACKETS = [
    ("答案是 ] ) >", 1), ("La respuesta es ] ) >.", 1), ("正解は ])> です", 1), ("答案是 ] )", 0),
    ("The answer's ] ) >", 1),
    ("At first I thought the answer is ) ] >, but it is ] ) >", 1),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "target", "mark"), [*EXACT, *JSON_TARGETS])
def test_exact(reply: str, target: str, mark: float) -> None:
    assert grade("exact", reply, target) == mark


@pytest.mark.parametrize(("reply", "target", "mark"), CONTAINS)
def test_contains(reply: str, target: str, mark: float) -> None:
    assert grade("contains", reply, target) == mark


@pytest.mark.parametrize(("reply", "target", "mark"), F1)
def test_f1(reply: str, target: str, mark: float) -> None:
    assert math.isclose(grade("f1", reply, target), mark)


@pytest.mark.parametrize(("reply", "target", "mark"), ROUGE_L)
def test_rouge_l(reply: str, target: str, mark: float) -> None:
    assert math.isclose(grade("rouge-l", reply, target), mark)


@pytest.mark.parametrize(("reply", "mark"), WORDS)
def test_words(reply: str, mark: float) -> None:
    assert grade("words", reply, "apple banana cherry") == mark


@pytest.mark.parametrize(("reply", "mark"), BRACKETS)
def test_brackets(reply: str, mark: float) -> None:
    assert grade("brackets", reply, "] ) >") == mark


TEXTS = st.text(alphabet="ab é北京東はกข한국मो12 ,.…", min_size=1, max_size=20).filter(
    lambda text: text.strip(" ,.…") != ""
)


@given(text=TEXTS, other=TEXTS)
def test_a_text_equals_itself_and_overlap_has_no_direction(text: str, other: str) -> None:
    for answer_type in ("f1", "rouge-l"):
        assert math.isclose(grade(answer_type, text, text), 1.0)
        assert 0.0 <= grade(answer_type, other, text) <= 1.0
    assert math.isclose(grade("f1", other, text), grade("f1", text, other))
