"""The prompt parsed from a reply."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.optimizers.gpo.parse import END_TAG, START_TAG, parse_prompt

PIECES = st.lists(
    st.sampled_from(
        [
            "<START>",
            "<END>",
            "<start>",
            "</END>",
            "<prompt>",
            "</prompt>",
            "**",
            "```",
            "`",
            '"',
            "'",
            "\n",
            " ",
            "a",
            "Sort it.",
            "_",
        ]
    )
    | st.text(max_size=5),
    max_size=12,
).map("".join)
PLAIN = st.from_regex(r"[A-Z][a-z]{0,8}( [a-z]{1,8}){0,6}[.?!]", fullmatch=True)


@pytest.mark.parametrize(
    ("reply", "prompt"),
    [
        ("<START>Sort the words.<END>", "Sort the words."),
        ("Sure! <START> Sort the words. <END> Hope it helps.", "Sort the words."),
        ("<START>Sort the words.", "Sort the words."),
        ("Sort the words.<END> I changed it.", "Sort the words."),
        ("Sort the words.", "Sort the words."),
        ("**<START>**Sort the words.**<END>**", "Sort the words."),
        ("<START>**Sort the words.**<END>", "Sort the words."),
        ('<START>"Sort the words."<END>', "Sort the words."),
        ("<START>\n```text\nSort the words.\nSlowly.\n```\n<END>", "Sort the words.\nSlowly."),
        ("```\n<START>Sort the words.<END>\n```", "Sort the words."),
        ("<start>Sort the words.</end>", "Sort the words."),
        ("<START>Sort the words.</START>", "Sort the words."),
        ("I will use <START> and <END>. <START>Sort the words.<END>", "Sort the words."),
        ("<START><START>Sort the words.<END><END>", "Sort the words."),
        ("<START>Use **bold** and *stars*.<END>", "Use **bold** and *stars*."),
        ("<START>'a' or 'b'<END>", "'a' or 'b'"),
        ("<START>“Sort.”<END>", "Sort."),
        ("<START>Wrap in <START> and <END>.</END>", "Wrap in <START> and <END>."),
        ("I wrap it. <START>Wrap in <START> and <END>.<END> Done.", "Wrap in <START> and <END>."),
        ("Use <START>. <START>Sort the words.<END>", "Sort the words."),
        ("<prompt>Sort the words.</prompt>", "Sort the words."),
        ("<START><prompt>Sort the words.</prompt><END>", "Sort the words."),
        ("<prompt><START>Sort the words.<END></prompt>", "Sort the words."),
        ("<START>\n<prompt>\nSort the words.\n</prompt>\n<score>90</score>\n<END>", "Sort the words."),
        ("<current>\n<prompt>Sort the words.</prompt>\n<score>90</score>\n</current>", "Sort the words."),
        ("<entry>\n<prompt>Sort the words.</prompt>\n</entry>", "Sort the words."),
        ("<Prompt>Sort the words.</Prompt>", "Sort the words."),
        ("```\n<prompt>Sort the words.</prompt>\n```", "Sort the words."),
        ("<prompt>\n- World\n- Business", "- World\n- Business"),
        ("Sort the words.</prompt>", "Sort the words."),
        ("Here it is:\n<prompt>Sort the words.</prompt>\nIt is clearer.", "Sort the words."),
        ("<NEW_PROMPT>Sort the words.</NEW_PROMPT>", "Sort the words."),
        ("Put it between <prompt> and </prompt>", "Put it between <prompt> and </prompt>"),
        ("<START>Put it in <answer></answer>.<END>", "Put it in <answer></answer>."),
        ("<START>Read {{ question }} and sort.<END>", "Read {input} and sort."),
        ("<START>Put it in \\boxed{answer}.<END>", "Put it in \\boxed{answer}."),
    ],
)
def test_reads_the_prompt(reply: str, prompt: str):
    assert parse_prompt(reply) == prompt


@pytest.mark.parametrize(
    ("reply", "prompt"),
    [
        ("<NEW_PROMPT>Wrap in <START> and <END>.</NEW_PROMPT>", "Wrap in <START> and <END>."),
        ("<START>Begin with <START>.<END>", "Begin with <START>."),
        ("<START>Write <END> at the end.<END>", "Write <END> at the end."),
        ("<NEW_PROMPT>Finish with <END></NEW_PROMPT>", "Finish with <END>"),
        ("<NEW_PROMPT><prompt>Finish with <END></prompt></NEW_PROMPT>", "Finish with <END>"),
        ("<START>Begin with <START> and end with <END>.", "Begin with <START> and end with"),
        ("Begin with <NEW_PROMPT>x", "x"),
        ("<START>Sort the words.<END>", "Sort the words."),
        ("Sort the words.", "Sort the words."),
    ],
)
def test_reads_a_prompt_that_speaks_of_the_tags(reply: str, prompt: str):
    assert parse_prompt(reply, speaks_of_tags=True) == prompt


@pytest.mark.parametrize(
    "reply", ["", "  \n", "<START><END>", "<START>  <END>", '<START>""<END>', "****", "<START>**<END>"]
)
def test_an_empty_prompt_is_unparsed(reply: str):
    assert parse_prompt(reply) == ""


@given(PIECES)
def test_parsing_never_raises_and_parses_a_prompt_without_tags_to_itself(reply: str):
    once = parse_prompt(reply)
    assert once == once.strip()
    assert START_TAG.search(once) or END_TAG.search(once) or parse_prompt(once) == once


@given(PLAIN, st.sampled_from(["", "Here you are: ", "**"]), st.sampled_from(["", " Done.", "**"]))
def test_round_trip(prompt: str, before: str, after: str):
    assert parse_prompt(f"{before}<START>{prompt}<END>{after}") == prompt


@given(PLAIN)
def test_a_prompt_without_tags_is_unchanged(prompt: str):
    assert parse_prompt(prompt) == prompt
