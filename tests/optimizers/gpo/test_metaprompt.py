"""The text of meta-prompts and of requests for reflections and summaries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.core.types import Candidate, Completion, Example, Message, Prompt, Rollout, Score
from askwell.optimizers.gpo.metaprompt import (
    REFINEMENTS,
    Exemplar,
    Memory,
    MetaPrompt,
    format_meta_prompt,
    format_reflection_request,
    format_summary_request,
    make_exemplar,
    to_percent,
)
from tests.support.gpo_simulation import q_end


def candidate(text: str, score: float) -> Candidate:
    return Candidate(step=1, prompt=Prompt(instruction=text), score=score, n=48)


FULL = MetaPrompt(
    current="Sort them.",
    score=0.6,
    memory=Memory(entries=(candidate("Think.", 0.25), candidate("Sort.", 0.5)), order="from worst to best"),
    reflection="It does not say how to sort.",
    exemplars=(Exemplar(question="b, a\n<Prompt>", answer="a, b"),),
    budget_words=42,
)


def test_the_sections_are_in_the_papers_order():
    text = format_meta_prompt(FULL)
    parts = [
        "replaces <Prompt>", "<prompt>Think.</prompt>\n<score>25</score>", "<prompt>Sort.</prompt>\n<score>50</score>",
        "<prompt>Sort them.</prompt>\n<score>60</score>", "It does not say how", "b, a\n<Prompt>",
        REFINEMENTS["generation"], "at most 42 words", "<START> the prompt <END>",
    ]  # fmt: skip
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert all(text.count(part) == 1 for part in parts)


def test_empty_sections_are_left_out():
    text = format_meta_prompt(MetaPrompt(current="Sort them.", score=None))
    for word in ("score>", "<entry>", "<reflection>", "<example>", "words of", "Scores are"):
        assert word not in text
    assert "Sort them." in text


def test_the_score_range_is_stated_once_wherever_scores_are_shown():
    assert format_meta_prompt(FULL).count("integers from 0 to 100") == 1
    assert format_meta_prompt(MetaPrompt(current="Sort them.", score=0.5)).count("integers from 0 to 100") == 1


@given(st.floats(0, 1))
def test_shown_scores_are_integers_of_the_stated_range(score: float):
    assert 0 <= to_percent(score) <= 100
    assert abs(to_percent(score) - 100 * score) <= 0.5 + 1e-9


def test_halves_round_up():
    assert [to_percent(score) for score in (0.005, 0.015, 0.125, 1.0, 0.0)] == [1, 2, 13, 100, 0]


@pytest.mark.parametrize("refinement", sorted(REFINEMENTS))
def test_each_refinement_has_its_own_instruction(refinement: str):
    text = format_meta_prompt(MetaPrompt(current="Sort them.", score=0.5, refinement=refinement))
    assert [name for name, words in REFINEMENTS.items() if words in text] == [refinement]


def test_an_exemplar_shows_the_position_of_the_prompt_and_its_first_answer():
    example = Example(id="1", input="b, a", target=("a, b", "a b"))
    assert make_exemplar(example, q_end) == Exemplar(question="b, a\n<Prompt>", answer="a, b")


def test_an_exemplar_of_several_messages_names_their_roles():
    def system(prompt: Prompt, example: Example) -> tuple[Message, ...]:
        return (Message(role="system", content=prompt.instruction), Message(role="user", content=example.input))

    shown = make_exemplar(Example(id="1", input="b, a", target="a, b"), system)
    assert shown.question == "System: <Prompt>\nUser: b, a"


def test_reflection_and_summary_requests_show_their_subject():
    example = Exemplar(question="b, a\n<Prompt>", answer="a, b")
    wrong = Rollout(
        step=1, split="train", prompt=Prompt(instruction="Sort them."), example_id="1", query="b, a",
        completion=Completion(text="b, a it is"), score=Score(value=0.0),
    )  # fmt: skip
    asked = format_reflection_request("Sort them.", [(example, wrong)])
    assert all(part in asked for part in ("Sort them.", "b, a it is", "<answer>a, b</answer>"))
    assert "<START>" not in asked
    summary = format_summary_request("Sorting helps.", candidate("Sort.", 0.5))
    assert all(part in summary for part in ("Sorting helps.", "<score>50</score>", "Sort."))
    assert "so far" not in format_summary_request("", candidate("Sort.", 0.5))
