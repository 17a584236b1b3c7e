"""The benchmark table, and reading every benchmark from small test files and from the published files if present."""

from __future__ import annotations

from pathlib import Path

import pytest

from askwell.core.errors import ConfigError, DataError
from askwell.core.types import Example
from askwell.tasks.catalog import BENCHMARKS, find_benchmark, load_benchmark
from askwell.tasks.grading.grade import grade
from askwell.tasks.hub import parse_hub_name
from askwell.tasks.render import PLACEMENTS
from askwell.tasks.splits import check_disjoint

SMALL = Path(__file__).parents[1] / "data" / "benchmarks"
PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "benchmarks"

IN_SMALL = (
    "bbh/object_counting", "bbh/dyck_languages", "mmlu/anatomy", "mmlu/astronomy", "gsm8k", "wsc", "webnlg", "ag_news",
    "boolq", "imdb", "tweet_emotion", "cosmos_qa", "hellaswag", "svamp",
)  # fmt: skip


def first_target(example: Example) -> str:
    return example.target if isinstance(example.target, str) else example.target[0]


def everything(name: str) -> list[Example]:
    splits = load_benchmark(name, SMALL, sizes=(2, 2, 2))
    return sorted((item for members in splits.values() for item in members), key=lambda item: item.input)


def find(name: str, words: str) -> Example:
    [found] = [item for item in everything(name) if words in item.input]
    return found


def test_the_table_is_complete() -> None:
    suites = [entry.suite for entry in BENCHMARKS.values()]
    assert (suites.count("bbh"), suites.count("mmlu"), len(suites)) == (27, 57, 27 + 57 + 10)
    for name, entry in BENCHMARKS.items():
        assert entry.name == name
        assert entry.placement in PLACEMENTS
        assert parse_hub_name(entry.hub.path).split
        assert entry.local
        assert entry.licence


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("bbh/navigate", (48, 48, 144)), ("bbh/causal_judgement", (35, 35, 107)), ("bbh/snarks", (33, 33, 102)),
        ("bbh/penguins_in_a_table", (27, 27, 82)), ("mmlu/anatomy", (20, 20, 60)), ("gsm8k", (100, 100, 300)),
        ("webnlg", (100, 100, 300)), ("wsc", (50, 50, 150)),
    ],
)  # fmt: skip
def test_sizes_are_the_papers(name: str, sizes: tuple[int, int, int]) -> None:
    assert find_benchmark(name).sizes == sizes


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gsm8", "unknown benchmark 'gsm8'; did you mean 'gsm8k'"),
        ("object_counting", r"did you mean 'bbh/object_counting'\?"),
        ("bbh", "'bbh' is a suite of 27 benchmarks; name one of them, like 'bbh/boolean_expressions'"),
        ("zzz", r"unknown benchmark 'zzz'; the suites are \['ag_news'"),
    ],
)
def test_unknown_names(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_benchmark(name)


@pytest.mark.parametrize("name", IN_SMALL)
def test_small_files_are_read_and_their_own_answers_are_right(name: str) -> None:
    splits = load_benchmark(name, SMALL, sizes=(1, 1, 3), seed=3)
    assert {split: len(members) for split, members in splits.items()} == {"train": 1, "dev": 1, "test": 3}
    assert splits == load_benchmark(name, SMALL, sizes=(1, 1, 3), seed=3)
    check_disjoint(splits)
    for members in splits.values():
        for item in members:
            best = grade(
                find_benchmark(name).answer_type,
                f"The answer is {first_target(item)}",
                item.target,
                question=item.input,
            )
            assert best == 1.0 or find_benchmark(name).answer_type == "rouge-l"


def test_the_folder_may_be_the_benchmarks_own() -> None:
    assert load_benchmark("gsm8k", SMALL / "gsm8k", sizes=(2, 2, 2)) == load_benchmark("gsm8k", SMALL, sizes=(2, 2, 2))


def test_gold_answers_and_questions() -> None:
    jars = find("gsm8k", "1,200 beans")
    assert (jars.input, jars.target) == ("A jar holds 1,200 beans. How many beans are in 3 jars?", "3600")
    assert jars.meta["solution"].endswith("#### 3,600")
    assert find("svamp", "Ann") == Example(
        id="chal-1", input="Ann has 5 pens. She gives 2 away. How many pens are left?", target="3"
    )
    assert find("svamp", "rope").target == "4.5"
    assert find("webnlg", "Paris").target == ("Paris is the capital of France.", "The capital of France is Paris.")


def test_options_are_lettered_lines() -> None:
    assert find("mmlu/anatomy", "pumps") == Example(
        id=find("mmlu/anatomy", "pumps").id,
        input="Which organ pumps blood?\n(A) liver\n(B) heart\n(C) lung\n(D) skin",
        target="(B)",
    )
    rain = find("cosmos_qa", "It rained")
    assert rain.input.startswith(
        "It rained, so we stayed in and played cards.\nWhy did they play cards?\n(A) They lost"
    )
    assert rain.target == "(B)"
    assert find("hellaswag", "dog").target == "(C)"


def test_labels_are_names() -> None:
    chip = find("ag_news", "chip")
    assert chip.input == (
        "New chip shown It is smaller and faster.\nOptions:\n- World\n- Sports\n- Business\n- Sci/Tech"
    )
    assert chip.target == "Sci/Tech"
    assert find("tweet_emotion", "best day").target == "joy"
    assert {find("imdb", "Dull").target, find("imdb", "fine film").target} == {"negative", "positive"}
    whale = find("boolq", "whale")
    assert (whale.input, whale.target) == ("Whales are mammals that live in the sea.\nIs a whale a fish?", "no")


HUB_RECORDS: list[tuple[str, dict[str, object], str | list[str]]] = [
    ("bbh/navigate", {"input": "Turn left. Back at the start?", "target": "No"}, "No"),
    ("mmlu/anatomy", {"question": "Q?", "subject": "anatomy", "choices": ["a", "b", "c", "d"], "answer": "C"}, "(C)"),
    ("gsm8k", {"question": "Q?", "answer": "1 + 1 = 2\n#### 2"}, "2"),
    ("wsc", {"text": "It is big.", "pronoun": "It", "options": ["a", "b"], "label": "1", "source": ""}, "(B)"),
    ("webnlg", {"input": ["a | b | c"], "references": ["x", "y"], "target": "x"}, ["x", "y"]),
    ("webnlg", {"input": ["a | b | c"], "references": [], "target": "x"}, ["x"]),
    ("ag_news", {"text": "t", "label": "Sci/Tech"}, "Sci/Tech"),
    ("boolq", {"question": "is it", "answer": True, "passage": "It is."}, "yes"),
    ("imdb", {"text": "t", "label": "neg"}, "negative"),
    ("tweet_emotion", {"text": "t", "label": "optimism"}, "optimism"),
    (
        "cosmos_qa",
        {"context": "c", "question": "q", "answer0": "a", "answer1": "b", "answer2": "c", "answer3": "d", "label": 3},
        "(D)",
    ),
    ("hellaswag", {"ctx": "c", "endings": ["a", "b", "c", "d"], "label": "0"}, "(A)"),
    ("svamp", {"ID": "chal-1", "Body": "b", "Question": "q", "Answer": "145.0"}, "145"),
]


@pytest.mark.parametrize(("name", "record", "target"), HUB_RECORDS)
def test_records_as_the_hub_has_them(name: str, record: dict[str, object], target: str | list[str]) -> None:
    shaped = find_benchmark(name).hub.shape(record)
    assert shaped["target"] == target
    assert isinstance(shaped["input"], str)


@pytest.mark.parametrize(
    ("name", "file", "content", "message"),
    [
        ("gsm8k", "test.jsonl", '{"question": "q", "answer": "4"}\n', r"test\.jsonl: line 1: the answer has no '####'"),
        ("gsm8k", "test.jsonl", '{"query": "q", "answer": "#### 4"}\n', "line 1: no field 'question'"),
        ("boolq", "dev.jsonl", '{"question": "q", "answer": "yes", "passage": "p"}\n', "answer 'yes' is not true"),
        ("ag_news", "test.csv", '"5","a","b"\n', r"line 1: label '5' is none of \['1', '2', '3', '4'\]"),
        ("hellaswag", "hellaswag_val.jsonl", '{"ctx": "c", "endings": ["a"], "label": 1}\n', "answer '1' is none of"),
        ("hellaswag", "hellaswag_val.jsonl", '{"ctx": "c", "endings": "a", "label": 1}\n', "is str, not a list"),
        ("svamp", "SVAMP.json", '[{"Body": "b", "Question": "q", "Answer": "two"}]', "row 1: answer 'two' is not"),
        ("tweet_emotion", "test_text.txt", "a\n", "no label file 'test_labels.txt'"),
    ],
)  # fmt: skip
def test_invalid_records(tmp_path: Path, name: str, file: str, content: str, message: str) -> None:
    (tmp_path / file).write_text(content)
    with pytest.raises(DataError, match=message):
        load_benchmark(name, tmp_path)


def test_inconsistent_files(tmp_path: Path) -> None:
    (tmp_path / "test_text.txt").write_text("a\nb\n")
    (tmp_path / "test_labels.txt").write_text("0\n")
    with pytest.raises(DataError, match=r"test_text\.txt has 2 lines, test_labels\.txt has 1"):
        load_benchmark("tweet_emotion", tmp_path)


def test_the_folder_of_another_benchmark_is_not_used() -> None:
    with pytest.raises(DataError, match="no files of 'wsc'"):
        load_benchmark("wsc", SMALL / "gsm8k")
    assert load_benchmark("wsc", SMALL / "wsc", sizes=(1, 1, 1))


def test_missing_or_too_few_files(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"no files of 'mmlu/anatomy' under .*'mmlu/anatomy/\*\.jsonl' or 'mmlu/\*/anat"
    ):
        load_benchmark("mmlu/anatomy", tmp_path)
    with pytest.raises(DataError, match="6 different examples are too few for train 100, dev 100, test 300"):
        load_benchmark("gsm8k", SMALL)


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published benchmark files are not here")
def test_published_files_at_the_papers_sizes() -> None:
    here = [
        name
        for name, entry in BENCHMARKS.items()
        if any(next(PUBLISHED.glob(source.path), None) for source in entry.local)
    ]
    assert sum(name.startswith("bbh/") for name in here) == 27
    for name in here:
        entry = find_benchmark(name)
        splits = load_benchmark(name, PUBLISHED)
        assert tuple(len(members) for members in splits.values()) == entry.sizes
        check_disjoint(splits)
        if entry.answer_type == "rouge-l":
            continue
        for item in splits["dev"]:
            assert grade(entry.answer_type, first_target(item), item.target, question=item.input) == 1.0, (name, item)
