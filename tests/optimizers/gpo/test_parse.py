"""The prompt parsed from a reply."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.optimizers.gpo.parse import parse_prompt

PIECES = st.lists(
    st.sampled_from(
        ["<START>", "<END>", "<start>", "</END>", "**", "```", "`", '"', "'", "\n", " ", "a", "Sort it.", "_"]
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
    ],
)
def test_reads_the_prompt(reply: str, prompt: str):
    assert parse_prompt(reply) == prompt


@pytest.mark.parametrize(
    "reply", ["", "  \n", "<START><END>", "<START>  <END>", '<START>""<END>', "****", "<START>**<END>"]
)
def test_an_empty_prompt_is_unparsed(reply: str):
    assert parse_prompt(reply) == ""


@given(PIECES)
def test_parsing_never_raises_and_is_idempotent(reply: str):
    once = parse_prompt(reply)
    assert parse_prompt(once) == once
    assert once == once.strip()


@given(PLAIN, st.sampled_from(["", "Here you are: ", "**"]), st.sampled_from(["", " Done.", "**"]))
def test_round_trip(prompt: str, before: str, after: str):
    assert parse_prompt(f"{before}<START>{prompt}<END>{after}") == prompt


@given(PLAIN)
def test_a_prompt_without_tags_is_unchanged(prompt: str):
    assert parse_prompt(prompt) == prompt
