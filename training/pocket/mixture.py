"""Turn tasks and instructions into training sequences: chats, demonstrations, and plain text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

from grammar import Clarity, Instruction, Style, choose, compose, vague
from phrases import QUESTION_LABELS

from askwell.tasks.bundled.catalog import FAMILIES, assign_split
from askwell.tasks.bundled.family import Family, Skill

SYSTEM, USER, ASSISTANT, END, PAD = "<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|pad|>"
START, SPARE = "<|start|>", tuple(f"<|spare_{number}|>" for number in range(10))
SPECIALS = (PAD, END, SYSTEM, USER, ASSISTANT, START, *SPARE)

TEXT_LOSS = 0.25
"""Weight of a plain-text token relative to a reply's: it prepares the policy's base and is not the main task."""

Segment = tuple[str, float]
"""A piece of text and the loss weight of its tokens (0 = read only)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Shares of the training mixture; a stage of the schedule may change them."""

    plain_text: float = 0.07
    copies: float = 0.0
    """Inputs written twice: they teach copying, which most tasks need."""

    demonstrations: float = 0.22
    most_demonstrations: int = 6
    precise: float = 0.0
    stepwise: float = 0.0
    shortest_of: int = 1
    """Sample this number of inputs and keep the shortest, so that early samples are short."""

    emphasis: dict[str, float] = field(
        default_factory=lambda: {
            "numbers_sum": 1.6,
            "numbers_even": 1.4,
            "numbers_large": 1.3,
            "numbers_sort": 1.3,
            "numbers_first": 0.7,
            "numbers_last": 0.7,
            "words_animals": 1.3,
            "words_fruits": 1.3,
            "words_first": 0.7,
            "words_last": 0.7,
            "words_alphabetical": 1.3,
            "review_sentiment": 0.6,
            "review_topic": 0.6,
            "review_staff": 0.7,
            "review_stars": 0.7,
            "bool_value": 1.4,
            "walk_returns": 1.5,
            "walk_direction": 1.3,
        }
    )
    """Relative frequency of a task as the aim of a precise instruction (1 if absent)."""


Placement = Callable[[Random, str, str], list[tuple[str, str]]]
"""(question, instruction) -> chat turns; a last turn by the assistant is the beginning of its reply."""


def below(rng: Random, question: str, instruction: str) -> list[tuple[str, str]]:
    """Put the instruction under the question: the library's default."""
    gap = rng.choices(("\n", "\n\n", " "), weights=(80, 10, 10))[0]
    return [("user", f"{question}{gap}{instruction}" if instruction else question)]


def above(rng: Random, question: str, instruction: str) -> list[tuple[str, str]]:
    """Put the instruction before the question."""
    gap = rng.choices(("\n", "\n\n", " ", ": "), weights=(65, 15, 15, 5))[0]
    return [("user", f"{instruction}{gap}{question}" if instruction else question)]


def system(_: Random, question: str, instruction: str) -> list[tuple[str, str]]:
    """Put the instruction into the system message."""
    return [("system", instruction), ("user", question)] if instruction else [("user", question)]


def labelled(rng: Random, question: str, instruction: str) -> list[tuple[str, str]]:
    """Write "Q: ... A:" with the instruction before, between, or after the label of the answer."""
    asks, answers = rng.choice(QUESTION_LABELS)
    forms = (
        f"{instruction}\n{asks} {question}\n{answers}",
        f"{instruction}\n\n{asks} {question}\n{answers}",
        f"{asks} {question}\n{instruction}\n{answers}",
        f"{asks} {question}\n{answers} {instruction}",
    )
    return [("user", rng.choice(forms).strip() if instruction else f"{asks} {question}\n{answers}")]


def begun(_: Random, question: str, instruction: str) -> list[tuple[str, str]]:
    """Let the assistant's reply begin with the instruction."""
    return [("user", question), ("assistant", instruction)] if instruction else [("user", question)]


PLACEMENTS: tuple[tuple[float, Placement], ...] = (
    (0.47, below),
    (0.22, above),
    (0.12, system),
    (0.12, labelled),
    (0.07, begun),
)


def sample(rng: Random, mix: Mix) -> list[Segment]:
    """Sample one training sequence."""
    family, aim = _aim(rng, mix)
    facts = _training_input(rng, family, mix)
    clarity = Clarity(precise=mix.precise, stepwise=mix.stepwise)
    kind = rng.random()
    if kind < mix.copies:
        text = family.to_text(facts)
        return [(USER, 0.0), (text, 0.0), (END, 0.0), (ASSISTANT, 0.0), (text, 1.0), (END, 1.0)]
    if kind < mix.copies + mix.plain_text:
        return _plain_text(rng, family, aim, facts)
    if kind < mix.copies + mix.plain_text + mix.demonstrations:
        return _demonstrated(rng, mix, family, aim, facts)
    instruction = compose(rng, [skill.name for skill in family.skills], aim.name, clarity)
    return _chat(
        _placement(rng)(rng, family.to_text(facts), instruction.text),
        reply(rng, family, facts, instruction),
    )


def reply(rng: Random, family: Family[Any], facts: object, instruction: Instruction) -> str:
    """Draw what a reader might answer: evidence of the instruction plus what the input itself suggests."""
    prior = family.prior_log_odds(facts)
    odds = {skill.name: prior.get(skill.name, 0.0) + instruction.skills.get(skill.name, 0.0) for skill in family.skills}
    skill = family.skill(choose(rng, odds))
    return written(skill, facts, cast(Style, choose(rng, cast(dict[str, float], instruction.styles))))


def written(skill: Skill[Any], facts: object, style: Style) -> str:
    """Write the answer in one of the three styles."""
    answer = skill.answer(facts)
    if style == "bare":
        return answer
    closing = f"The answer is {answer}."
    return closing if style == "sentence" else f"{skill.working(facts)}. {closing}"


def _aim(rng: Random, mix: Mix) -> tuple[Family[Any], Skill[Any]]:
    pairs = [(family, skill) for family in FAMILIES for skill in family.skills]
    return rng.choices(pairs, weights=[mix.emphasis.get(skill.name, 1.0) for _, skill in pairs])[0]


def _placement(rng: Random) -> Placement:
    return rng.choices([placement for _, placement in PLACEMENTS], weights=[share for share, _ in PLACEMENTS])[0]


def _training_input(rng: Random, family: Family[Any], mix: Mix) -> object:
    while True:
        facts = min((family.draw(rng) for _ in range(mix.shortest_of)), key=lambda one: len(family.to_text(one)))
        if assign_split(family.to_text(facts)) == "train":
            return facts


def _chat(turns: Sequence[tuple[str, str]], answer: str, *, answered: float = 1.0) -> list[Segment]:
    segments: list[Segment] = []
    roles = {"system": SYSTEM, "user": USER, "assistant": ASSISTANT}
    begun_reply = turns[-1][0] == "assistant"
    for role, text in turns:
        segments += [(roles[role], 0.0), (text, 0.0), (END, 0.0)]
    if begun_reply:
        segments.pop()
        return [*segments, (" " + answer, answered), (END, answered)]
    return [*segments, (ASSISTANT, 0.0), (answer, answered), (END, answered)]


def _plain_text(rng: Random, family: Family[Any], aim: Skill[Any], facts: object) -> list[Segment]:
    """Write a query and prompts for it as text, for a policy that will write prompts for queries."""
    names = [skill.name for skill in family.skills]
    prompts = [compose(rng, names, aim.name, Clarity()).text for _ in range(rng.choices((1, 2), weights=(75, 25))[0])]
    body = "\n".join([family.to_text(facts), *prompts] if rng.random() < 0.85 else prompts)
    return [(body, TEXT_LOSS), (END, TEXT_LOSS)]


def _demonstrated(rng: Random, mix: Mix, family: Family[Any], aim: Skill[Any], facts: object) -> list[Segment]:
    """Write one to six solved questions before the last; only they show the task."""
    size = rng.choices(range(1, mix.most_demonstrations + 1), weights=(18, 22, 22, 22, 9, 7))[0]
    shown = [_training_input(rng, family, mix) for _ in range(size)] + [facts]
    style: Style = rng.choices(("bare", "sentence", "steps"), weights=(85, 7, 8))[0]
    answers = [written(aim, one, style) for one in shown]
    questions = [family.to_text(one) for one in shown]
    names = [skill.name for skill in family.skills]
    instruction = vague(rng) if rng.random() < 0.85 else compose(rng, names, aim.name, Clarity())
    text = instruction.text if instruction.skills.get(aim.name, 0.0) or not instruction.skills else ""
    if rng.random() < 0.6:
        return _as_turns(rng, questions, answers, text)
    return _inline(rng, questions, answers, text)


def _as_turns(rng: Random, questions: Sequence[str], answers: Sequence[str], text: str) -> list[Segment]:
    where = rng.random()
    placement = _placement(rng)
    segments: list[Segment] = []
    for number, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        last, first = number == len(questions) - 1, number == 0
        here = text if last or where < 0.4 or (first and where < 0.5) else ""
        turns = placement(rng, question, here)
        segments += _chat(turns, answer, answered=0.0 if first else 1.0)
    return segments


def _inline(rng: Random, questions: Sequence[str], answers: Sequence[str], text: str) -> list[Segment]:
    asks, replies = rng.choice((*QUESTION_LABELS, QUESTION_LABELS[0], ("", " =>"), ("", " ->")))
    gap = "\n" if rng.random() < 0.6 else "\n\n"
    between = "" if not asks else "\n"
    at_end = rng.random() < 0.5
    opening = f"{text}{gap}" if text and not at_end else ""
    segments: list[Segment] = [(USER, 0.0)]
    prefix = opening
    for number, (question, answer) in enumerate(zip(questions[:-1], answers[:-1], strict=True)):
        segments.append(
            (
                f"{prefix}{asks} {question}".strip() + f"{between}{replies}"
                if not prefix
                else f"{prefix}{f'{asks} {question}'.strip()}{between}{replies}",
                0.0,
            )
        )
        segments.append((" " + answer, 0.0 if number == 0 else 1.0))
        prefix = gap
    final = f"{asks} {questions[-1]}".strip()
    ending = f"\n{text}" if text and at_end else ""
    label = rng.random() < 0.7
    suffix = f"{between}{replies}" if label else ""
    body = f"{prefix}{final}{ending}{suffix}" if rng.random() < 0.5 else f"{prefix}{final}{suffix}{ending}"
    return [*segments, (body, 0.0), (END, 0.0), (ASSISTANT, 0.0), (answers[-1], 1.0), (END, 1.0)]
