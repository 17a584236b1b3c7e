"""Hugging Face data sets: names, and the real `datasets` package on a local folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from askwell.core.errors import ConfigError, DataError
from askwell.tasks.hub import HubName, parse_hub_name
from askwell.tasks.load import load


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("hf:openai/gsm8k", HubName(path="openai/gsm8k")),
        ("hf:openai/gsm8k:main", HubName(path="openai/gsm8k", config="main")),
        ("hf:openai/gsm8k:main:test", HubName(path="openai/gsm8k", config="main", split="test")),
        ("hf:openai/gsm8k::test", HubName(path="openai/gsm8k", split="test")),
        ("hf:imdb:test", HubName(path="imdb", split="test")),
        ("hf:imdb:test[:100]", HubName(path="imdb", split="test[:100]")),
        ("hf:cais/mmlu:anatomy:test[10:20]", HubName(path="cais/mmlu", config="anatomy", split="test[10:20]")),
        ("hf:./folder:train", HubName(path="./folder", split="train")),
        ("hf:svamp:train+test", HubName(path="svamp", split="train+test")),
        ("hf:a/b@1f2e:main:test", HubName(path="a/b", revision="1f2e", config="main", split="test")),
        ("hf:a/b@refs/convert/parquet::test", HubName(path="a/b", revision="refs/convert/parquet", split="test")),
    ],
)
def test_names(source: str, expected: HubName) -> None:
    assert parse_hub_name(source) == expected


@pytest.mark.parametrize("source", ["hf:", "hf:a b", "hf:a:b:c:d", "hf::test"])
def test_bad_names(source: str) -> None:
    with pytest.raises(ConfigError, match="bad data set name"):
        load(source)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    datasets = pytest.importorskip("datasets")
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    home = tmp_path / "home"
    home.mkdir()
    for name, texts in {"train": ["a", "b", "c"], "test": ["d", "e"]}.items():
        rows = pa.table({"text": texts, "label": [index % 2 for index in range(len(texts))]})
        table = rows.cast(features.arrow_schema)
        parquet.write_table(table, home / f"{name}.parquet")
    return home


def test_a_data_set_with_its_label_names(folder: Path) -> None:
    examples = load(f"hf:{folder}:train")
    assert [(example.input, example.target) for example in examples] == [("a", "no"), ("b", "yes"), ("c", "no")]
    assert len(load(f"hf:{folder}:test", limit=1)) == 1
    assert [example.input for example in load(f"hf:{folder}:train[1:]")] == ["b", "c"]


def test_a_split_must_be_named_if_there_are_several(folder: Path) -> None:
    with pytest.raises(DataError, match=r"has several splits; .*choose one of \['test', 'train'\]"):
        load(f"hf:{folder}")
    (folder / "test.parquet").unlink()
    assert len(load(f"hf:{folder}")) == 3


def test_the_parquet_export_keeps_a_config_in_a_folder(folder: Path, tmp_path: Path) -> None:
    export = tmp_path / "export"
    for language, source in {"en": "train", "ru": "test"}.items():
        (export / language / "validation").mkdir(parents=True)
        (folder / f"{source}.parquet").rename(export / language / "validation" / "0000.parquet")
    examples = load(f"hf:{export}@refs/convert/parquet:ru:validation")
    assert [(example.input, example.target) for example in examples] == [("d", "no"), ("e", "yes")]
    with pytest.raises(ConfigError, match="must name its split"):
        load(f"hf:{export}@refs/convert/parquet:ru")


def test_a_loading_script_is_refused_in_one_line(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "old.py").write_text("")
    with pytest.raises(DataError, match=r"can't load .*: Dataset scripts are no longer supported"):
        load(f"hf:{tmp_path / 'old'}:train")


def test_missing_data_sets(folder: Path) -> None:
    with pytest.raises(DataError, match="can't load"):
        load(f"hf:{folder}:default:validation")
    with pytest.raises(DataError, match="can't load"):
        load(f"hf:{folder / 'nowhere'}:train")
