"""A word, a letter and a number are found in scripts without spaces and within Korean, Arabic and Hebrew words."""

from __future__ import annotations

import re

import pytest

from askwell.tasks.grading.boundaries import ENDS_WORD, STARTS_WORD, is_unspaced, whole_word

WORDS = [
    ("我住在北京市。", "北京", True), ("东京和北京", "北京", True), ("東京タワーに行く", "東京", True),
    ("บ้านเชียงใหม่สวย", "เชียงใหม่", True), ("ຂ້ອຍຢູ່ວຽງຈັນ", "ວຽງຈັນ", True), ("ခင်ဗျားရန်ကုန်မှာ", "ရန်ကုန်", True),
    ("ខ្ញុំនៅភ្នំពេញ", "ភ្នំពេញ", True), ("서울은 수도입니다", "서울", True), ("정답:서울에서는", "서울", True),
    ("사과나무", "사과", False), ("풋사과", "사과", False), ("in a cat", "cat", True), ("category", "cat", False),
    ("我用gpt写", "gpt", True), ("我用gpt4写", "gpt", False), ("gpt2", "gpt", False), ("हिन्दी में", "हिन्द", False),
    ("हिन्दी।", "हिन्दी", True), ("في باريس", "باريس", True), ("وباريس", "باريس", True), ("בפריז", "פריז", True),
    ("в Москве", "Москве", True), ("в Москве", "Москв", False), ("Москва\u0301", "Москва", False),
    ("New\n  York", "New York", True), ("x² y", "x", False), ("naïve", "na", False), ("a", " ", False),
]  # fmt: skip
EDGES = [
    ("答案是12", "12", True), ("共12个", "12", True), ("정답은 12입니다", "12", True), ("คำตอบคือ12", "12", True),
    ("उत्तर12है", "12", True), ("ב12", "12", True), ("正解はBです", "B", True), ("B입니다", "B", True),
    ("x12", "12", False),
    ("α12", "12", False), ("Т12", "12", False), ("12th", "12", False), ("Bé", "B", False), ("B2", "B", False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "word", "found"), WORDS)
def test_a_whole_word_is_found_in_any_script(text: str, word: str, found: bool) -> None:
    assert (re.search(whole_word(word), text) is not None) is found


@pytest.mark.parametrize(("text", "inner", "found"), EDGES)
def test_letters_of_another_script_do_not_join_a_digit_or_latin_letter(text: str, inner: str, found: bool) -> None:
    assert (re.search(STARTS_WORD + inner + ENDS_WORD, text) is not None) is found


def test_unspaced_scripts_are_known() -> None:
    assert all(is_unspaced(character) for character in "京きキไວမភ々〇𠀋")
    assert not any(is_unspaced(character) for character in "aé1한हا。,")
