import asyncio
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askwell.core.protocols import ChatModel
from askwell.core.text import edit_distance
from askwell.core.types import Candidate, Completion, Message, Prompt, Request, Rollout
from askwell.models.bundled.editor import EditorModel
from askwell.models.bundled.editor_bank import bank, split_phrases, weigh_phrases
from askwell.models.bundled.editor_reading import read_meta_prompt
from askwell.optimizers.baselines.crossover_prompts import (
    format_crossover_request,
    format_differential_request,
    format_mutation_request,
)
from askwell.optimizers.gpo.contrastive import Contrast, format_contrast_request
from askwell.optimizers.gpo.metaprompt import (
    Exemplar,
    Memory,
    MetaPrompt,
    format_meta_prompt,
    format_reflection_request,
    format_summary_request,
)
from askwell.optimizers.gpo.parse import parse_prompt

PHRASES = [phrase for section in bank() for phrase in section.phrases]
PROMPTS = st.lists(st.sampled_from([*PHRASES[:40], "Mind {input} well.", "No full stop"]), max_size=6).map(" ".join)
NUMBERS = Exemplar(question="4, 17, 8, 32, 5\n<Prompt>", answer="SECRET")
CURRENT_PHRASES = {"Add the numbers.", "Be brief.", "Check it."}
REPLY = Rollout(
    step=1, split="train", prompt=Prompt(instruction=""), example_id="1", query="", completion=Completion(), score=None
)


def candidate(text: str, score: float) -> Candidate:
    return Candidate(step=1, prompt=Prompt(instruction=text), score=score, n=48)


def situation(
    current: str = "Let's think step by step.", *past: tuple[str, float], budget: int | None = 40
) -> MetaPrompt:
    entries = tuple(candidate(text, score) for text, score in past)
    memory = Memory(entries=entries, order="in order")
    return MetaPrompt(current=current, score=0.2, memory=memory, exemplars=(NUMBERS,), budget_words=budget)


def asking(text: str, *, sample_index: int = 0, seed: int | None = 1) -> Request:
    return Request(
        messages=(Message(role="user", content=text),), temperature=1.0, sample_index=sample_index, seed=seed
    )


async def replies(text: str, draws: int = 8, editor: EditorModel | None = None) -> list[str]:
    model = editor or EditorModel()
    return [(await model.complete(asking(text, sample_index=sample_index))).text for sample_index in range(draws)]


def test_the_bank_is_large_clean_and_one_for_all_tasks():
    assert 400 <= len(PHRASES) <= 700
    assert len(set(PHRASES)) == len(PHRASES)
    assert len([section for section in bank() if not section.about]) >= 4
    assert all(phrase == phrase.strip() and phrase[-1] in ".?!" for phrase in PHRASES)


def test_is_a_chat_model_whose_name_tells_its_seed():
    assert isinstance(EditorModel(), ChatModel)
    assert (EditorModel().name, EditorModel(3).name) == ("editor", "editor:3")


async def test_answers_the_meta_prompt_with_new_prompts_in_the_tags():
    found = await replies(format_meta_prompt(situation()))
    assert all(reply.startswith("<START>") and reply.endswith("<END>") for reply in found)
    prompts = [parse_prompt(reply) for reply in found]
    assert len(set(prompts)) == 8
    assert "Let's think step by step." not in prompts


@settings(max_examples=60, deadline=None)
@given(PROMPTS, st.lists(st.tuples(PROMPTS, st.floats(0, 1)), max_size=4), st.integers(0, 60), st.integers(0, 30))
def test_keeps_to_the_measured_budget(current: str, past: list[tuple[str, float]], budget: int, sample_index: int):
    text = format_meta_prompt(situation(current, *past, budget=budget))
    reply = asyncio.run(EditorModel().complete(asking(text, sample_index=sample_index))).text
    proposed = parse_prompt(reply)
    assert edit_distance(current, proposed) <= budget or not current


async def test_the_same_request_and_seed_give_the_same_reply_in_every_process():
    text = format_meta_prompt(situation("Sort.", ("Add up all the numbers.", 0.7)))
    assert await replies(text) == await replies(text)
    code = (
        "import asyncio, sys; from askwell.core.types import Message, Request;"
        "from askwell.models.bundled.editor import EditorModel;"
        "said = (Message(role='user', content=sys.stdin.read()),);"
        "r = Request(messages=said, temperature=1.0, sample_index=3, seed=1);"
        "print(asyncio.run(EditorModel().complete(r)).text, end='')"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", code], input=text, env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout == (await replies(text))[3]


async def test_seed_draw_and_content_all_matter():
    text = format_meta_prompt(situation())
    base = asking(text, sample_index=4, seed=1)
    variants = [base, replace(base, seed=2), replace(base, sample_index=6), asking(text + " ", sample_index=4, seed=1)]
    answers = [(await EditorModel().complete(request)).text for request in variants]
    answers.append((await EditorModel(5).complete(base)).text)
    assert len(set(answers)) == len(answers)


async def test_answers_of_the_examples_do_not_matter():
    text = format_meta_prompt(situation("Sort.", ("Add.", 0.7)))
    parts = [
        weigh_phrases(tuple(read_meta_prompt(t).questions))
        for t in (text, text.replace("SECRET", "sentiment positive movie"))
    ]
    assert parts[0] == parts[1]
    assert "SECRET" not in "".join(read_meta_prompt(text).questions)


async def test_the_draws_of_a_batch_try_different_new_phrases():
    found = [split_phrases(parse_prompt(reply)) for reply in await replies(format_meta_prompt(situation()))]
    new = [phrase for phrases in found for phrase in phrases if phrase != "Let's think step by step."]
    assert len(new) >= 12
    assert len(set(new)) >= len(new) - 1


async def test_phrases_that_go_with_higher_scores_are_kept_and_harmful_ones_dropped():
    good, bad = "Report the maximum value.", "Speak in the voice of a pirate."
    past = [(f"{good} Thanks!", 0.9), (f"{good} {bad}", 0.6), (f"{bad} Thanks!", 0.1), ("Thanks!", 0.2)]
    prompts: list[str] = []
    for round_ in range(12):
        text = format_meta_prompt(situation(bad, *past, budget=40)) + "\n" * round_
        prompts += [parse_prompt(reply) for reply in await replies(text)]
    assert sum(good in prompt for prompt in prompts) > 4 * sum(bad in prompt for prompt in prompts)


def test_phrases_that_fit_the_questions_come_first():
    fit = weigh_phrases(("4, 17, 8, 32, 5",))
    numbers, _, reviews, *_ = [sum(fit[p] for p in section.phrases) / len(section.phrases) for section in bank()]
    assert numbers > 5 * reviews > 0


async def test_a_placeholder_is_never_lost():
    for reply in await replies(format_meta_prompt(situation("Read {input} and think. Be kind.", budget=50)), 16):
        assert "{input}" in reply


async def test_never_shown_prompts_are_preferred():
    text = format_meta_prompt(situation("Add up all the numbers.", ("Sort the words alphabetically.", 0.1)))
    for reply in await replies(text, 24):
        assert parse_prompt(reply) not in {"Add up all the numbers.", "Sort the words alphabetically."}


async def test_a_reflection_is_short_text_and_no_prompt():
    reply = (await replies(format_reflection_request("Be kind.", []), 1))[0]
    assert "<" not in reply
    assert reply.count(".") <= 3
    assert len(reply) > 20


async def test_a_summary_carries_scores_on_to_the_next_summary_and_to_the_meta_prompt():
    summary = ""
    for text, score in (("Sort.", 0.1), ("Report the maximum value.", 0.9), ("Add.", 0.3)):
        summary = (await replies(format_summary_request(summary, candidate(text, score)), 1))[0]
    reading = read_meta_prompt(format_meta_prompt(replace(situation("Add."), memory=Memory(summary=summary))))
    assert {(one.prompt, one.score) for one in reading.past} == {
        ("Sort.", 10), ("Report the maximum value.", 90), ("Add.", 30),
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "Improve this.\n<instruction>\nAnswer the riddle.\n</instruction>\nReply with it.",
        "I gave an assistant these instructions:\n```\nAnswer the riddle.\n```\nWrite better ones.",
        "Current prompt: Answer the riddle.\nPropose a better prompt.",
    ],
)
async def test_finds_the_prompt_in_a_meta_prompt_it_does_not_know(text: str):
    assert read_meta_prompt(text).current.prompt == "Answer the riddle."
    assert any("Answer the riddle." in reply for reply in await replies(text))


async def test_replies_have_the_requested_form():
    tagged = (await replies("Current prompt: Sort.\nWrap your answer in <prompt> and </prompt>.", 1))[0]
    fenced = (await replies("Current prompt: Sort.\nProvide the new one within ``` blocks.", 1))[0]
    assert tagged.startswith("<prompt>")
    assert tagged.endswith("</prompt>")
    assert fenced.startswith("```\n")
    assert fenced.endswith("\n```")


async def test_a_request_without_any_prompt_gets_a_phrase_of_the_bank():
    for text in ("", "Hello!", "What is the capital of France?"):
        reply = (await replies(text, 1))[0]
        assert reply in {" ".join(split_phrases(phrase)) for phrase in PHRASES} or set(split_phrases(reply)) <= {
            part for phrase in PHRASES for part in split_phrases(phrase)
        }


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80), st.sampled_from(["", "<START>", "<current>", "<entry><prompt>", "</current>", "<score>"]))
def test_never_raises(text: str, tag: str):
    completion = asyncio.run(EditorModel().complete(asking(tag + text + tag)))
    assert completion.outcome == "ok"
    assert completion.usage.cost_usd == 0.0


PARENTS = ("Count the even numbers. Answer with one number.", "Return the largest number. Be brief.")


@pytest.mark.parametrize(
    "request_text",
    [
        format_crossover_request(PARENTS, (NUMBERS,), mutate=True),
        format_crossover_request(PARENTS, (NUMBERS,), mutate=False),
        format_differential_request("Sum the numbers.", PARENTS[1], (PARENTS[0], "Sort them."), (NUMBERS,)),
    ],
)
async def test_prompts_to_be_combined_are_all_read_and_their_phrases_used(request_text: str):
    reading = read_meta_prompt(request_text)
    assert set(PARENTS) <= {one.prompt for one in reading.tried} & {*reading.parents}
    assert reading.reply_kind == "prompt"
    assert "SECRET" not in " ".join(reading.questions)
    written = [parse_prompt(reply) for reply in await replies(request_text, draws=24)]
    used = {phrase for prompt in written for phrase in split_phrases(prompt)}
    assert used & set(split_phrases(PARENTS[0]))
    assert used & set(split_phrases(PARENTS[1]))
    assert not set(PARENTS) & set(written)


async def test_a_prompt_to_be_mutated_is_the_current_one():
    assert read_meta_prompt(format_mutation_request(PARENTS[0], (NUMBERS,))).current.prompt == PARENTS[0]


COMPARISON = Contrast(gained=[(NUMBERS, REPLY)] * 2, lost=[(NUMBERS, REPLY)])


async def test_a_reflection_on_two_prompts_names_phrases_to_adopt_and_to_keep():
    request = format_contrast_request("Sort the numbers. Be brief.", "Count the even numbers. Be brief.", COMPARISON)
    (reply, *_) = await replies(request, draws=1)
    assert reply == "Take over: Count the even numbers.\nKeep: Sort the numbers."
    only_lost = Contrast(gained=[], lost=COMPARISON.lost)
    (reply, *_) = await replies(
        format_contrast_request("Sort the numbers.", "Count the even numbers.", only_lost), draws=1
    )
    assert reply == "Keep: Sort the numbers."


async def test_phrases_that_lessons_recommend_are_used_more_often():
    plain = replace(situation("Add the numbers. Be brief."), refinement="editing")
    taught = replace(plain, lessons=("Take over: Count the even numbers.",))
    count = [
        sum("Count the even numbers." in reply for reply in await replies(format_meta_prompt(s), 16))
        for s in (plain, taught)
    ]
    assert count[1] >= count[0] + 3


async def test_a_prompt_that_fixes_much_lends_its_phrases_even_where_it_scores_lower():
    past = ("Count the even numbers.", 0.1)
    told = situation("Add the numbers. Be brief.", past)
    with_delta = replace(told, memory=replace(told.memory, deltas=((5, 1),)), refinement="editing")
    found = await replies(format_meta_prompt(with_delta), 16)
    assert sum("Count the even numbers." in reply for reply in found) >= 3


async def test_a_modification_starts_from_the_current_prompt_and_not_from_a_better_one():
    told = situation("Add the numbers. Be brief. Check it.", ("Count the letters.", 0.9))
    edits = await replies(format_meta_prompt(replace(told, refinement="editing")))
    assert all(len(CURRENT_PHRASES & set(split_phrases(parse_prompt(reply)))) >= 1 for reply in edits[:5])


async def test_parts_to_be_kept_word_for_word_are_never_lost():
    kept = replace(situation("Add it all. Reply in JSON."), keep=("Reply in JSON.",), budget_words=None)
    assert all("Reply in JSON." in reply for reply in await replies(format_meta_prompt(kept), 16))


async def test_a_prompt_from_scratch_needs_no_current_one():
    blank = replace(situation(), current=None, score=None, refinement="scratch", budget_words=None)
    found = await replies(format_meta_prompt(blank))
    assert all(parse_prompt(reply) for reply in found)
    assert len(set(found)) > 4
