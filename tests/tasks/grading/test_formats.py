"""Structured replies, thinking, template tokens, run-on and normal forms, over the answer types."""

from __future__ import annotations

import pytest

from askwell.tasks.metrics import grade

CASES = [
    ("number", '{"thought": "3*4", "final": 12}', "12", 1),
    (
        "number",
        '{\n  "analysis": "There are 3 boxes of 4",\n  "finalAnswer": {"value": 12, "unit": "eggs"}\n}',
        "12",
        1,
    ),
    ("exact", '{"city": "Paris", "country": "France"}', "Paris", 0),
    ("exact", "{'label': 'positive', 'score': 0.98}", "positive", 1),
    ("exact", '{"sentiment": "positive", "rationale": "great"}', "positive", 1),
    ("choice", '{"answer": "C", "eliminated": ["A", "B", "D"]}', "C", 1),
    ("choice", '{"correct_option": "B", "explanation": "Option A is wrong"}', "B", 1),
    ("choice", 'Based on the text:\n```json\n{"choice": "B", "confidence": "A"}\n```', "B", 1),
    ("boolean", '{"verdict": "invalid", "reason": "it would be valid only if"}', "invalid", 1),
    ("boolean", '{"result": true, "explanation": "not false"}', "true", 1),
    ("yesno", '{"plausible": "no", "reasoning": "yes, it seems"}', "no", 1),
    ("words", '{"sorted": ["apple", "banana", "cherry"]}', "apple banana cherry", 1),
    (
        "words",
        '{"answer": ["apple", "banana", "cherry"], "original": ["cherry", "banana", "apple"]}',
        "apple banana cherry",
        1,
    ),
    ("exact", "<response><label>sports</label><confidence>0.9</confidence></response>", "sports", 1),
    ("number", "<thinking>3 boxes</thinking>\n<answer>\n  <value>12</value>\n</answer>", "12", 1),
    ("choice", "<option>C</option>", "C", 1),
    ("boolean", "<verdict>False</verdict> It would be True if", "False", 1),
    ("number", "FINAL ANSWER: {'result': 12, 'steps': 4}", "12", 1),
    ("exact", '```python\n{"answer": "Paris"}\n```', "Paris", 1),
    ("exact", '{"response": "Paris."}', "Paris", 1),
    ("choice", '{"answer": "B) Paris", "alternatives": ["A) Rome"]}', "B", 1),
    ("choice", '{"answers": ["B", "D"]}', "B", 0),
    ("number", '[{"answer": 12}]', "12", 1),
    ("number", '{"answer": "twelve"}', "12", 1),
    ("exact", '{"Answer":"Paris","Explanation":"..."}', "Paris", 1),
    ("boolean", '{"is_true": false}', "false", 1),
    ("number", '{"total_cost": 12, "items": 3}', "12", 1),
    (
        "number",
        '{"answer": 12, "alternatives": [13, 14]}\n\nThe other values were rejected because of 3 reasons.',
        "12",
        1,
    ),
    ("exact", '{"answer": "Par\\u00eds"}', "París", 1),
    ("exact", 'json\n{"answer": "Paris"}', "Paris", 1),
    ("number", '<|message|>{"answer": 12}', "12", 1),
    ("exact", '{"intent": "book_flight", "slots": {"city": "Rome"}}', "book_flight", 1),
    ("exact", "café", "café", 1),
    ("exact", "한국", "한국", 1),
    ("contains", "Tôi ở Hà Nội", "Hà Nội", 1),
    ("f1", "Zürich", "Zürich", 1),
    ("regex", "Zürich", "Zürich", 1),
    ("choice", "Réponse\xa0: B", "B", 1),
    ("exact", "<|start|>assistant<|channel|>final<|message|>Paris<|end|>", "Paris", 1),
    ("boolean", "analysisThe statement is true? Let's check. It's false.assistantfinalTrue", "True", 1),
    ("choice", "[THINK]maybe A[/THINK]\nB", "B", 1),
    ("exact", "Paris<|endoftext|>Human: What is 2+2?", "Paris", 1),
    ("number", "The answer is 9.</s><s>[INST] next [/INST] 4", "9", 1),
    ("regex", "<reasoning>foo</reasoning>bar", "foo", 0),
    ("regex", "bar<|im_end|>", "bar$", 1),
    ("exact", "◁think▷Rome◁/think▷Paris", "Paris", 1),
    ("exact", "<think>\nRome\n</think>\n\nParis", "Paris", 1),
    (
        "number",
        "<|begin_of_thought|>7<|end_of_thought|>\n<|begin_of_solution|>The answer is \\boxed{9}<|end_of_solution|>",
        "9",
        1,
    ),
    ("choice", "<|channel|>final<|message|>The answer is B.", "B", 1),
    ("exact", "Positive\n\nReview: I hated it\nSentiment: Negative", "Positive", 1),
    ("exact", "positive\n\nText: foo\nLabel: negative", "positive", 1),
    ("exact", "thought\nThe capital is Rome? no\n</think>Paris", "Paris", 1),
    ("yesno", "No.<|eot_id|><|start_header_id|>user<|end_header_id|>Yes?", "no", 1),
]


@pytest.mark.parametrize(("answer_type", "reply", "target", "score"), CASES)
def test_a_reply_in_any_format_gets_the_right_score(answer_type: str, reply: str, target: str, score: float) -> None:
    assert grade(answer_type, reply, target) == score
