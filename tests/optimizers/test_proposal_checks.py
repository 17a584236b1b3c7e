"""Which proposals are no prompts: echoes of the request, and prompts with lost or invented placeholders."""

from __future__ import annotations

import pytest

from askwell.models.bundled.editor_bank import bank
from askwell.optimizers.baselines.crossover_prompts import (
    format_crossover_request,
    format_differential_request,
    format_mutation_request,
)
from askwell.optimizers.gpo.metaprompt import Exemplar, Memory, MetaPrompt, format_meta_prompt
from askwell.optimizers.proposal_checks import find_echo, find_placeholder_change

EXEMPLAR = Exemplar(question="A text about a match.\n<Prompt>", answer="Sports")
REQUEST = format_meta_prompt(
    MetaPrompt(
        current="Say which section of the newspaper this short text is from.",
        score=0.5,
        memory=Memory(summary="Prompts that name the labels one by one do better than those that do not."),
        reflection="The prompt does not say that the answer is one of the four labels.",
        exemplars=(EXEMPLAR,),
        budget_words=20,
        keep=("{input}",),
        max_words=100,
    )
)


@pytest.mark.parametrize(
    "text",
    [
        "Scores are integers from 0 to 100; higher is better. Answer with one label.",
        "Your task is to write a prompt that replaces the text.",
        "Learn from the scores above and write a new, improved prompt.",
        "You may change at most 20 words of the current prompt. Name the topic.",
        "Reply with the prompt alone, wrapped in tags: the prompt",
        "reply with the PROMPT alone wrapped in tags the prompt!",
        "<current>\n<prompt>Sort it.",
        "Sort it.</current>",
        "<example>\n<question>\nA text\n</question>\n<answer>Sports</answer>\n</example>",
        "Name it. <entry>",
        "<lesson>Name the labels.</lesson>",
        "<lessons>",
        "<keep>{input}</keep>",
        "Name the topic.\n<score>40</score>",
        "<reflection>\nIt lacks labels.\n</reflection>",
        "<summary>\nLabels help.\n</summary>",
        "<delta>fixes 1, breaks 0</delta>",
        "Put <Prompt> in the place of the word.",
        "<answer>Sports</answer>",
    ],
)
def test_an_echo_is_refused(text: str):
    assert find_echo(text, REQUEST)


@pytest.mark.parametrize(
    "text",
    [
        "Name the topic. Put it in <answer> tags.",
        "Reply in this form: <answer>LABEL</answer>.",
        "Write your reasoning in <thinking> tags and the label in <answer></answer>.",
        "Write a summary in <summary> tags, then a <score> of your confidence.",
        "Say which section of the newspaper this short text is from. Think first.",
        "Prompts that name the labels one by one do better than those that do not.",
        "The prompt does not say that the answer is one of the four labels.",
        "A text about a match is about Sports. Answer with one of the labels.",
        "Answer with the label alone.",
        "Let's think step by step.",
        "You may use at most 20 words.",
    ],
)
def test_a_prompt_is_no_echo(text: str):
    assert find_echo(text, REQUEST) == ""


@pytest.mark.parametrize(
    ("request_text", "text"),
    [
        (format_crossover_request(["A.", "B."], [EXEMPLAR], mutate=True),
         "Cross the parent prompts: write one new prompt that combines both."),
        (format_mutation_request("A.", [EXEMPLAR]), "Mutate the current prompt: write a new version of it"),
        (format_differential_request("A.", "B.", ["C.", "D."], [EXEMPLAR]), "<parent>C.</parent>"),
    ],
)  # fmt: skip
def test_the_requests_of_the_baselines_are_not_echoed(request_text: str, text: str):
    assert find_echo(text, request_text)
    assert find_echo("Combine what is useful.", request_text) == ""


def test_what_the_initial_prompt_holds_may_be_repeated():
    assert find_echo("Read the <example> first.", REQUEST, initial="See <example>.") == ""
    shared = "Scores are integers from 0 to 100; higher is better."
    assert find_echo(f"Grade it. {shared}", REQUEST, initial=shared) == ""


PLAIN = "Name the topic."


@pytest.mark.parametrize(
    ("initial", "text", "reason"),
    [
        ("Q: {input}", "Read {input} well.", ""),
        ("Q: {input}", "Read {{input}} well.", ""),
        ("Q: {input}", "Read { question } well.", ""),
        ("Q: {input}", "Read it well.", "loses {input}"),
        ("{input} in {tone}", "{input}", "loses {tone}"),
        (PLAIN, "Read {question}.", "invents {question}, which nothing fills"),
        (PLAIN, "Read {{question}}.", "invents {{question}}, which nothing fills"),
        (PLAIN, "Read {input}.", "invents {input}, which nothing fills"),
        (PLAIN, "Read {topic}.", "invents {topic}, which nothing fills"),
        (PLAIN, "Q: [insert question here]", "invents [insert question here], which nothing fills"),
        (PLAIN, "Use \\boxed{answer}.", ""),
        ("Use \\boxed{answer} for it.", "Name the answer.", ""),
        ("Use \\boxed{answer} for it.", "Use \\boxed{result}.", ""),
        ("Use \\frac{1}{2}.", "Halve it.", ""),
        (PLAIN, 'Reply as {"answer": "…"}.', ""),
        ('Reply as {"answer": 1}.', "Reply with a number.", ""),
        (PLAIN, "The set {A, B} is closed.", ""),
    ],
)
def test_placeholders_are_neither_lost_nor_invented(initial: str, text: str, reason: str):
    assert find_placeholder_change(text, initial) == reason


@pytest.mark.parametrize(
    "slot",
    [
        "[insert question here]", "[Insert the question here]", "[Your text here]", "[QUESTION]", "[question]",
        "<question>", "<insert text>", "<<input>>", "[[input]]", "<your question here>", "(insert the passage here)",
        "[paste the article below]", "[input text]", "[add the problem here]", "(your question here)",
        "{insert the question}", "[user input]", "<INPUT_TEXT>", "[Text goes here]", "[place your sentence here]",
        "[hier Frage einfügen]", "[在此插入问题]", "[enter the news article here]",
    ],
)  # fmt: skip
def test_a_place_for_the_question_is_an_invention(slot: str):
    assert "invents" in find_placeholder_change(f"Name the topic: {slot}", PLAIN)
    assert find_placeholder_change(f"Name the topic: {slot}", f"Topic of {slot}?") == ""


@pytest.mark.parametrize(
    "text",
    [
        "Answer with [A], [B] or [C].",
        "Reply as [label]: [reason].",
        "Write the answer in <answer> tags.",
        "Answer (yes or no).",
        "Choose one of [World, Sports, Business].",
        "Read the question (all of it) and answer.",
        "If x < y and y > z, say so.",
        "Put commas (where needed) into the text.",
        "Use <b>bold</b> for the label.",
        "Sort the list [3, 1, 2] like [1, 2, 3].",
    ],
)
def test_other_brackets_are_no_inventions(text: str):
    assert find_placeholder_change(text, PLAIN) == ""


def test_no_phrase_of_the_bundled_rewriter_is_refused():
    for section in bank():
        for phrase in section.phrases:
            assert find_placeholder_change(phrase, PLAIN) == ""
            assert find_echo(phrase, REQUEST) == ""
