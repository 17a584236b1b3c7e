"""The bundled rewriter answers other optimizers' requests in the form they ask for."""

import json

import pytest

from askwell.core.types import Message, Request
from askwell.models.bundled.editor import EditorModel
from askwell.models.bundled.editor_forms import extract_questions, parse_form
from askwell.models.bundled.editor_reading import read_meta_prompt

FORM = """Your input fields are:
1. `examples` (str): what there is
[[ ## examples ## ]]
{examples}

[[ ## basic_instruction ## ]]
{basic_instruction}

[[ ## proposed_instruction ## ]]
{proposed_instruction}

[[ ## completed ## ]]

[[ ## examples ## ]]
[Example({'question': '4, 17, 8', 'answer': 'SECRET'}) (input_keys={'question'})]
Question: 9, 2, 30
Answer: SECRET

[[ ## basic_instruction ## ]]
Do the task.
Take care.

Respond with the corresponding output fields, starting with the field `[[ ## proposed_instruction ## ]]`, and then \
ending with the marker for `[[ ## completed ## ]]`."""

ADVICE = """[[ ## modules_defn ## ]]
Module answerer
	Original Instructions:
		Do the task.
		Take care.
----

[[ ## module_names ## ]]
["answerer", "other"]

Respond with the corresponding output fields, starting with the field `[[ ## discussion ## ]]`, then \
`[[ ## module_advice ## ]]` (must be formatted as a valid Python dict[str, str]), and then ending with the marker for \
`[[ ## completed ## ]]`."""


async def reply(text: str) -> str:
    return (await EditorModel().complete(Request(messages=(Message(role="user", content=text),), seed=1))).text


def test_a_form_is_read_with_its_current_prompt_and_questions_but_no_answers() -> None:
    reading = read_meta_prompt(FORM)
    assert reading.current.prompt == "Do the task.\nTake care."
    assert reading.questions == ("4, 17, 8", "9, 2, 30")
    assert "SECRET" not in " ".join(reading.questions)


async def test_a_form_is_filled_in_with_a_new_prompt() -> None:
    text = await reply(FORM)
    head, _, rest = text.partition("\n")
    prompt, _, tail = rest.partition("\n\n")
    assert (head, tail) == ("[[ ## proposed_instruction ## ]]", "[[ ## completed ## ]]")
    assert prompt
    assert prompt != "Do the task."


async def test_advice_per_module_has_only_new_phrases() -> None:
    form = parse_form(ADVICE)
    assert form is not None
    assert form.current == "Do the task.\nTake care."
    text = await reply(ADVICE)
    section = text.split("[[ ## module_advice ## ]]\n")[1].split("\n\n[[ ##")[0]
    advice = json.loads(section)
    assert set(advice) == {"answerer", "other"}
    assert advice["answerer"]
    assert "Do the task" not in advice["answerer"]
    assert "[[ ## discussion ## ]]\n" in text


async def test_gepas_own_request_is_understood() -> None:
    proposal = pytest.importorskip("gepa.strategies.instruction_proposal", reason="needs the gepa extra")
    records = [{"Inputs": "4, 5, 6", "Generated Outputs": "15 ```x```", "Feedback": "wrong: 6"}]
    given = {"current_instruction_doc": "Do it.", "dataset_with_feedback": records, "prompt_template": None}
    text = proposal.InstructionProposalSignature.prompt_renderer(given)
    assert read_meta_prompt(text).current.prompt == "Do it."
    assert read_meta_prompt(text).questions == ("4, 5, 6",)
    found = proposal.InstructionProposalSignature.output_extractor(await reply(text))["new_instruction"]
    assert found
    assert "```" not in found


def test_no_form_no_reading() -> None:
    assert parse_form("[[ ## a ## ]]\nnothing is asked for") is None
    assert extract_questions("{'question': 4} Question:\n## Input\n") == ()
