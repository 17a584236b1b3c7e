"""The table of benchmarks: those of the GPO paper and related ones. To add a benchmark, add an entry here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import cast

from askwell.tasks import benchmark_shapes
from askwell.tasks.benchmark_layouts import headerless, text_in_label_folder, text_with_labels
from askwell.tasks.benchmark_shapes import Shape
from askwell.tasks.grading.grade import AnswerType
from askwell.tasks.hub import HUB_PREFIX, PARQUET_EXPORT
from askwell.tasks.readers import Record, read_records

Sizes = tuple[int, int, int]
"""Numbers of examples in train, dev and test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkSource:
    """One source that a benchmark can be read from."""

    path: str
    """A data set name ("hf:…"), or a glob pattern under the data folder; all matching files form one pool."""
    shape: Shape
    read: Callable[[Path], Iterator[Record]] = read_records


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A task of the literature.

    Train, dev and test are drawn by seed from the single official split (or pool of splits) that `hub` names, so that
    a local copy of the same file gives the same examples.
    """

    name: str
    suite: str
    """The suite that it belongs to; its own name if it belongs to none."""
    hub: BenchmarkSource
    local: tuple[BenchmarkSource, ...]
    """Local file formats, in order of preference: the first whose pattern matches a file is read."""
    sizes: Sizes
    """Those of the GPO paper, section 4.1; its largest sizes for a benchmark that the paper lacks."""
    answer_type: AnswerType
    licence: str
    placement: str = "Q_end"


def _bbh() -> Iterator[Benchmark]:
    odd_sizes: dict[str, Sizes] = {
        "causal_judgement": (35, 35, 107), "penguins_in_a_table": (27, 27, 82), "snarks": (33, 33, 102),
    }  # fmt: skip
    read = benchmark_shapes.columns("input", "target")
    for task, answer_type in BBH_TASKS.items():
        yield Benchmark(
            name=f"bbh/{task}",
            suite="bbh",
            hub=BenchmarkSource(path=f"{HUB_PREFIX}lukaemon/bbh@{PARQUET_EXPORT}:{task}:test", shape=read),
            local=(BenchmarkSource(path=f"bbh/{task}.json", shape=read),),
            sizes=odd_sizes.get(task, (48, 48, 144)),
            answer_type=answer_type,
            licence="MIT",
        )


def _mmlu() -> Iterator[Benchmark]:
    on_hub = benchmark_shapes.multiple_choice("question", "choices", "answer")
    as_published = benchmark_shapes.multiple_choice("question", ("A", "B", "C", "D"), "answer")
    csv = headerless("question", "A", "B", "C", "D", "answer")
    for subject in MMLU_SUBJECTS:
        yield Benchmark(
            name=f"mmlu/{subject}",
            suite="mmlu",
            hub=BenchmarkSource(path=f"{HUB_PREFIX}cais/mmlu:{subject}:test+validation+dev", shape=on_hub),
            local=(
                BenchmarkSource(path=f"mmlu/{subject}/*.jsonl", shape=benchmark_shapes.columns("input", "output")),
                BenchmarkSource(path=f"mmlu/*/{subject}_*.csv", shape=as_published, read=csv),
            ),
            sizes=(20, 20, 60),
            answer_type="choice",
            licence="MIT",
        )


def _standalone(
    name: str,
    hub: BenchmarkSource,
    local: BenchmarkSource,
    answer_type: AnswerType,
    licence: str,
    sizes: Sizes = (100, 100, 300),
) -> Benchmark:
    prefixed = BenchmarkSource(path=HUB_PREFIX + hub.path, shape=hub.shape)
    return Benchmark(
        name=name, suite=name, hub=prefixed, local=(local,), sizes=sizes, answer_type=answer_type, licence=licence
    )


BBH_TASKS: Mapping[str, AnswerType] = cast(
    "Mapping[str, AnswerType]",
    {
        "boolean_expressions": "boolean",
        "causal_judgement": "boolean",
        "date_understanding": "choice",
        "disambiguation_qa": "choice",
        "dyck_languages": "brackets",
        "formal_fallacies": "boolean",
        "geometric_shapes": "choice",
        "hyperbaton": "choice",
        "logical_deduction_five_objects": "choice",
        "logical_deduction_seven_objects": "choice",
        "logical_deduction_three_objects": "choice",
        "movie_recommendation": "choice",
        "multistep_arithmetic_two": "number",
        "navigate": "boolean",
        "object_counting": "number",
        "penguins_in_a_table": "choice",
        "reasoning_about_colored_objects": "choice",
        "ruin_names": "choice",
        "salient_translation_error_detection": "choice",
        "snarks": "choice",
        "sports_understanding": "boolean",
        "temporal_sequences": "choice",
        "tracking_shuffled_objects_five_objects": "choice",
        "tracking_shuffled_objects_seven_objects": "choice",
        "tracking_shuffled_objects_three_objects": "choice",
        "web_of_lies": "boolean",
        "word_sorting": "words",
    },
)

MMLU_SUBJECTS = (
    "abstract_algebra", "anatomy", "astronomy", "business_ethics", "clinical_knowledge", "college_biology",
    "college_chemistry", "college_computer_science", "college_mathematics", "college_medicine", "college_physics",
    "computer_security", "conceptual_physics", "econometrics", "electrical_engineering", "elementary_mathematics",
    "formal_logic", "global_facts", "high_school_biology", "high_school_chemistry", "high_school_computer_science",
    "high_school_european_history", "high_school_geography", "high_school_government_and_politics",
    "high_school_macroeconomics", "high_school_mathematics", "high_school_microeconomics", "high_school_physics",
    "high_school_psychology", "high_school_statistics", "high_school_us_history", "high_school_world_history",
    "human_aging", "human_sexuality", "international_law", "jurisprudence", "logical_fallacies", "machine_learning",
    "management", "marketing", "medical_genetics", "miscellaneous", "moral_disputes", "moral_scenarios", "nutrition",
    "philosophy", "prehistory", "professional_accounting", "professional_law", "professional_medicine",
    "professional_psychology", "public_relations", "security_studies", "sociology", "us_foreign_policy", "virology",
    "world_religions",
)  # fmt: skip

_TOPICS = ("World", "Sports", "Business", "Sci/Tech")
_EMOTIONS = ("anger", "joy", "optimism", "sadness")
_COSMOS = benchmark_shapes.multiple_choice(
    "{context}\n{question}", ("answer0", "answer1", "answer2", "answer3"), "label"
)
_HELLASWAG = benchmark_shapes.multiple_choice("{ctx}\nWhich ending is the most plausible?", "endings", "label")
_SENTIMENT = benchmark_shapes.classification("text", "label", {"neg": "negative", "pos": "positive"})
_EXTRACT = benchmark_shapes.columns("input", "output")

_SINGLE = (
    _standalone(
        "gsm8k",
        BenchmarkSource(path="openai/gsm8k:main:test", shape=benchmark_shapes.worked_solution),
        BenchmarkSource(path="gsm8k/test.jsonl", shape=benchmark_shapes.worked_solution),
        "number",
        "MIT",
    ),
    _standalone(
        "wsc",
        BenchmarkSource(path=f"ErnestSDavis/winograd_wsc@{PARQUET_EXPORT}:wsc285:test", shape=benchmark_shapes.pronoun),
        BenchmarkSource(path="wsc/*.jsonl", shape=_EXTRACT),
        "choice",
        "CC-BY-4.0",
        sizes=(50, 50, 150),
    ),
    _standalone(
        "webnlg",
        BenchmarkSource(path=f"GEM/web_nlg@{PARQUET_EXPORT}:en:test", shape=benchmark_shapes.triples),
        BenchmarkSource(path="webnlg/*.jsonl", shape=_EXTRACT),
        "rouge-l",
        "CC-BY-NC-SA-4.0",
    ),
    _standalone(
        "ag_news",
        BenchmarkSource(
            path="fancyzhx/ag_news:test",
            shape=benchmark_shapes.classification("text", "label", {t: t for t in _TOPICS}),
        ),
        BenchmarkSource(
            path="ag_news/test.csv",
            shape=benchmark_shapes.classification(
                "{title} {text}", "label", {str(index): topic for index, topic in enumerate(_TOPICS, start=1)}
            ),
            read=headerless("label", "title", "text"),
        ),
        "label",
        "non-commercial use (its authors' terms)",
    ),
    _standalone(
        "boolq",
        BenchmarkSource(path="google/boolq:validation", shape=benchmark_shapes.passage_question),
        BenchmarkSource(path="boolq/dev.jsonl", shape=benchmark_shapes.passage_question),
        "boolean",
        "CC-BY-SA-3.0",
    ),
    _standalone(
        "imdb",
        BenchmarkSource(path="stanfordnlp/imdb:test", shape=_SENTIMENT),
        BenchmarkSource(path="imdb/test/*/*.txt", shape=_SENTIMENT, read=text_in_label_folder),
        "label",
        "none stated",
    ),
    _standalone(
        "tweet_emotion",
        BenchmarkSource(
            path="cardiffnlp/tweet_eval:emotion:test",
            shape=benchmark_shapes.classification("text", "label", {name: name for name in _EMOTIONS}),
        ),
        BenchmarkSource(
            path="tweet_emotion/test_text.txt",
            shape=benchmark_shapes.classification(
                "text", "label", {str(index): name for index, name in enumerate(_EMOTIONS)}
            ),
            read=text_with_labels,
        ),
        "label",
        "none stated",
    ),
    _standalone(
        "cosmos_qa",
        BenchmarkSource(path=f"allenai/cosmos_qa@{PARQUET_EXPORT}:default:validation", shape=_COSMOS),
        BenchmarkSource(path="cosmos_qa/valid.csv", shape=_COSMOS),
        "choice",
        "CC-BY-4.0",
    ),
    _standalone(
        "hellaswag",
        BenchmarkSource(path=f"Rowan/hellaswag@{PARQUET_EXPORT}:default:validation", shape=_HELLASWAG),
        BenchmarkSource(path="hellaswag/hellaswag_val.jsonl", shape=_HELLASWAG),
        "choice",
        "MIT",
    ),
    _standalone(
        "svamp",
        BenchmarkSource(path="ChilleD/SVAMP::train+test", shape=benchmark_shapes.story_problem),
        BenchmarkSource(path="svamp/SVAMP.json", shape=benchmark_shapes.story_problem),
        "number",
        "MIT",
    ),
)

BENCHMARKS: Mapping[str, Benchmark] = MappingProxyType({entry.name: entry for entry in (*_bbh(), *_mmlu(), *_SINGLE)})
"""Benchmark name -> benchmark, suite by suite."""
