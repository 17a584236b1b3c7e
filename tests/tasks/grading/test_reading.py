"""From a reply to the text that states its answer: thinking, template tokens, run-on, JSON, dicts and tags."""

from __future__ import annotations

import unicodedata

import pytest

from askwell.tasks.grading.reading import read_reply

THINKING = [
    "<think>{}</think>", "<think duration=\"3\">{}</think>\n\n", "<thinking>{}</thinking>",
    "<reasoning>{}</reasoning>\n",
    "<analysis>{}</analysis>", "<thoughts>{}</thoughts>", "<thought>{}</thought>", "<seed:think>{}</seed:think>",
    "<thinking>{}</thinking>", "<longcat_think>{}</longcat_think>", "<THINK>{}</THINK>", "{}</think>",
    "[THINK]{}[/THINK]", "◁think▷{}◁/think▷", "<|begin_of_thought|>{}<|end_of_thought|>\n<|begin_of_solution|>",
    "<|START_THINKING|>{}<|END_THINKING|><|START_RESPONSE|>", "<|inner_prefix|>{}<|inner_suffix|>",
    "<unused94>thought\n{}<unused95>", "<|channel>thought\n{}<channel|>", "<chain_of_thought>{}</chain_of_thought>",
    "<scratchpad>{}</scratchpad>\n", "<|think|>{}<|end|><|begin|>assistant<|content|>", "<cot>{}</cot>",
    "Here is my thought process:\n{}\nHere is my response:\n", "analysis{}assistantfinal",
    "analysis{}assistantcommentary to=functions.f {}assistantfinal", "analysis\n{}\nassistant\nfinal\n",
    "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>",
    "<|start|>assistant<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>",
    "{}<|end|><|start|>assistant<|channel|>final<|message|>", "<|im_start|>assistant\n<think>{}</think>\n",
    "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final <|constrain|>JSON<|message|>",
    "<think><think>{}</think></think>", "<Thought>{}</Thought>\n<Output>",
]  # fmt: skip
ENDS = [
    "<|im_end|>", "</s>", "<|eot_id|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>", "<|end|>", "<|return|>",
    "<｜end▁of▁sentence｜>", "<eos>", "<|eom_id|>", "<|END_OF_TURN_TOKEN|>", "<|endofturn|>", "<|eos|>", "[EOS]",
    " [end of text]", "<end_of_utterance>", "<|END_RESPONSE|>", "<|end_of_solution|>", "\n<|im_end|>\n", "[INST]",
    "<|im_end|>\n<|im_start|>user\nAnd Rome?<|im_end|>", "<|endoftext|>Q: And Spain?\nA: Madrid", "</s></s></s>",
    "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nAnd?", "<end_of_turn>\n<start_of_turn>user\nAnd?",
    "<pad><pad>",
    "<|return|><|start|>user<|message|>And?<|end|>", "\nuser\nAnd Spain?\nassistant\nMadrid", "<turn|>",
]  # fmt: skip
STARTS = [
    "<|im_start|>assistant\n", "<s>", "<bos>", "<|start_header_id|>assistant<|end_header_id|>\n\n", "<|assistant|>\n",
    "<start_of_turn>model\n", "[/INST] ", "<｜Assistant｜>", "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
    "<|start|>assistant<|channel|>final<|message|>",
]  # fmt: skip


@pytest.mark.parametrize("form", THINKING)
@pytest.mark.parametrize("thought", ["The answer is Rome? No.", "用户问首都。答案是罗马？"])
def test_thinking_of_every_model_is_removed(form: str, thought: str) -> None:
    assert read_reply(form.replace("{}", thought) + "Paris").text == "Paris"


@pytest.mark.parametrize(
    "reply",
    [
        "<think>5? no", "[THINK]5? no", "◁think▷5", "<|begin_of_thought|>5", "<seed:think>5", "analysisWe need 5",
        "<|channel|>analysis<|message|>The answer is 5", "<think>The answer is 5</think>", "<|im_end|>", "</s>",
        "<|channel|>analysis<|message|>5<|end|><|start|>assistant<|channel|>commentary<|message|>", "",
        "<|im_start|>user\n",
    ],
)  # fmt: skip
def test_a_reply_without_a_message_is_empty(reply: str) -> None:
    assert read_reply(reply).text.removesuffix("user") == ""


@pytest.mark.parametrize("end", ENDS)
def test_a_reply_ends_at_its_end_token(end: str) -> None:
    assert read_reply("Paris" + end).text == "Paris"


@pytest.mark.parametrize("start", STARTS)
def test_template_tokens_before_the_reply_are_removed(start: str) -> None:
    assert read_reply(start + "Paris").text == "Paris"


@pytest.mark.parametrize(
    "reply",
    [
        "analysis of the data shows 5", "analysis: 5", "Analysis\nIt is 5", "the final assistant", "a<b and c>d",
        "It is <s>12</s> 13", "x <| y |> z", "I think [1] is right", "the virtual assistant\n\nhelps", "<b>Paris</b>",
    ],
)  # fmt: skip
def test_text_that_only_looks_like_thinking_or_a_token_is_kept(reply: str) -> None:
    assert read_reply(reply).whole == reply


RUN_ON = [
    ("3 + 6 = 9\n#### 9\n\nProblem 2: Ann has 3 cats.\n#### 4", "#### 9"),
    ("#### 9\n\n### Question\nAnn\n#### 4", "#### 9"),
    ("#### 9\n\nAnn has 3 cats and 1 dog.\n#### 4", "#### 9"), ("#### 9\n\nQ: Ann?\n#### 4", "#### 9"),
    ("The answer is 9.\n\nExample 2: Ann. The answer is 4.", "The answer is 9."),
    ("The answer is 9.\n\nInstruction: Add.\nThe answer is 4.", "The answer is 9."),
    ("9\n\nProblem 2: 2 + 2\n4", "9"),
    ("答案是9。\n\n问题：安有3只猫。\n答案是4。", "答案是9."),
    ("\\boxed{9}\n\n**Exercise 3.** Add.\n\\boxed{4}", "\\boxed{9}"),
    ("Answer: 9\n\nNext problem:\nAnswer: 4", "Answer: 9"), ("9\n\n### Instruction:\nAdd\n### Response:\n4", "9"),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "end"), RUN_ON)
def test_the_next_example_that_a_base_model_invents_is_cut(reply: str, end: str) -> None:
    assert read_reply(reply).text.endswith(end)


@pytest.mark.parametrize(
    "reply",
    [
        "**Problem:** Ann has 3 cats.\n\n**Solution:** 3 + 1\n\nAnswer: 4",
        "Question: 3 + 1?\nAnswer: 4",
        "I restate it first. It is about cats, and it says how many cats there are in the end, in words.\n\n"
        "Problem: Ann has 3.\n\nAnswer: 4",
        "#### 5\nWait, that is wrong.\n#### 4",
        "#### 1. Count\n3 cats\n#### 2. Add\n4 animals",
        "Step 1.\nExample: 2 + 2\nThe answer is 4.",
    ],
)
def test_headings_of_a_reply_are_no_run_on(reply: str) -> None:
    assert read_reply(reply).text == read_reply(reply).whole


STRUCTURED = [
    ('{"answer": "Paris"}', "Paris"), ('{"final_answer": "Paris", "confidence": 0.95}', "Paris"),
    ('{"finalAnswer": "Paris", "steps": ["Rome"]}', "Paris"), ('{"result": "Paris", "unit": "km"}', "Paris"),
    ('{"reasoning": "The answer is Rome", "answer": "Paris"}', "Paris"), ("{'answer': 'Paris'}", "Paris"),
    ("{'answer': \"it's\", 'confidence': 0.9}", "it's"), ('{"answer": "Paris",}', "Paris"),
    ("{answer: Paris}", "Paris"),
    ('```json\n{"label": "Paris", "score": 1}\n```', "Paris"), ('```\n{"answer": "Paris"}', "Paris"),
    ('Sure!\n\n```json\n{\n  "answer": "Paris"\n}\n```\n\nLet me know if Rome is needed.', "Paris"),
    ('Here it is: {"final_answer": "Paris", "why": "Rome is not"}', "Paris"), ("`{\"answer\": \"Paris\"}`", "Paris"),
    ('{"result": {"answer": 35}, "meta": {"n": 3}}', "35"), ('{"answer": {"value": 12, "unit": "km"}}', "12"),
    ('{"name": "final_answer", "arguments": {"answer": 12}}', "12"), ('[{"answer": "Paris"}]', "Paris"),
    ('{"answer": ["A", "C"]}', "A, C"), ('["A", "C"]', "A, C"), ('{"answer": ["Paris"]}', "Paris"),
    ('{"answer": true}', "true"), ("{'answer': True}", "True"), ('{"answer": null, "reasoning": "It is 5"}', ""),
    ('{"answer": ""}', ""), ('{"answer": []}', ""), ('{"selected_option": "B", "rejected": ["A", "C"]}', "B"),
    ('{"answer_value": 12, "x": 3}', "12"), ('{"Final Answer": 12, "x": 3}', "12"),
    ('{"final-answer": 12, "x": 3}', "12"),
    ('{"capital": "Paris", "confidence": 0.9}', "Paris"), ('{"is_valid": false, "explanation": "x"}', "false"),
    ('{"answer": "\\u5317\\u4eac"}', "北京"), ('{"答案": "北京", "理由": "首都"}', "北京"),
    ('{"answer": "a\\nb"}', "a\nb"),
    ('{"answer": "\\frac{1}{2}", "x": 1}', "\\frac{1}{2}"), ('{"answer": "\\\\frac{1}{2}"}', "\\frac{1}{2}"),
    ('{"answer": 1,234}', "1,234"), ('{"answer": 12.0}', "12.0"), ('{"answer": 12, "reasoning": "Because the', "12"),
    ('{"answer": "the "big" one", "x": 1}', 'the "big" one'), ("{“answer”: “Paris”}", "Paris"),
    ('{"prediction": "World", "probabilities": {"World": 0.9, "Sports": 0.1}}', "World"),
    ("<label>Paris</label>", "Paris"),
    ("<answer>Paris</answer>", "Paris"), ("<answer>Paris", "Paris"), ("So <answer>\nParis\n", "Paris"),
    ("<final_answer>Paris</final_answer>", "Paris"), ("<result>Paris</result>", "Paris"),
    ("<finalanswer>Paris</finalanswer>", "Paris"), ("<final-answer>Paris</final-answer>", "Paris"),
    ("<output>Paris</output>", "Paris"), ("<response>\nParis\n</response>", "Paris"),
    ("<Answer>Paris</Answer> x", "Paris"),
    ("<solution>Paris</solution>", "Paris"), ("It is not Rome. <choice>B</choice> C is wrong", "B"),
    ("<answer>Rome</answer> no, <answer>Paris</answer>", "Paris"), ('<answer type="x">Paris</answer>', "Paris"),
    ('<answer>{"value": 12}</answer>', "12"), ("<response><answer>12</answer><why>3</why></response>", "12"),
    ("<|begin_of_box|>Paris<|end_of_box|>", "Paris"), ("Write <answer></answer>: <answer>Paris</answer>", "Paris"),
    ('{"step": 1, "value": 5}\n{"answer": 12}', "12"), ('{"answer": {"city": "Paris"}}', "Paris"),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "answer"), STRUCTURED)
def test_the_answer_field_is_read_and_nothing_else(reply: str, answer: str) -> None:
    reading = read_reply(reply)
    assert (reading.is_structured, reading.text) == (True, answer)


@pytest.mark.parametrize(
    "reply",
    [
        "{ [ ( ) ] }", "[ [ ] ]", "[]", "{}", "The set {n : n > 5} has 3 elements", "f(x) = {x: 1}", "\\boxed{12}",
        "{'a', 'b'}", "{{answer}}", '{"a": 1, "b": 2}', "dict = {'a': 1}", "[citation needed]", "{",
        '{"total": 12} Therefore, the answer is 24.', '{"answer": 5}\n\nWait, I was wrong: the answer is 6.',
        "<answer>5</answer> Wait, that is wrong: 6", "<output>5</output> So the answer is 6.", "{\\frac{1}{2}}",
    ],
)  # fmt: skip
def test_other_braces_are_prose(reply: str) -> None:
    assert not read_reply(reply).is_structured


@pytest.mark.parametrize("reply", ["café", "한국", "Tiếng Việt", '{"answer": "café"}', "ガギグ"])
def test_normal_forms_are_one_text(reply: str) -> None:
    assert read_reply(unicodedata.normalize("NFD", reply)) == read_reply(unicodedata.normalize("NFC", reply))
