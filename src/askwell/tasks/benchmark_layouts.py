"""Read benchmark files that are no list of records: without a header, or with labels in other files or folder names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from askwell.core.errors import DataError
from askwell.tasks.readers import Record, read_csv
from askwell.tasks.records.text_files import text_lines


def headerless(*names: str) -> Callable[[Path], Iterator[Record]]:
    """Return a reader of CSV files without a header row, whose columns get these names."""
    header: Sequence[str] = names
    return lambda path: read_csv(path, header=header)


def text_with_labels(path: Path) -> Iterator[Record]:
    """Read TweetEval: `X_text.txt` has one text per line, `X_labels.txt` in the same folder the labels."""
    labels_path = path.with_name(path.name.replace("_text.", "_labels."))
    if labels_path == path or not labels_path.is_file():
        raise DataError(f"{path.name}: no label file {labels_path.name!r} in the same folder")
    labels = [line.strip() for _, line in text_lines(labels_path)]
    texts = list(text_lines(path))
    if len(texts) != len(labels):
        raise DataError(f"{path.name} has {len(texts)} lines, {labels_path.name} has {len(labels)}")
    for (location, text), label in zip(texts, labels, strict=True):
        yield Record(location=location, values={"text": text.strip(), "label": label})


def text_in_label_folder(path: Path) -> Iterator[Record]:
    """Read IMDB: one text per file; the folder's name is the label."""
    text = "".join(line for _, line in text_lines(path))
    yield Record(location=path.name, values={"text": text, "label": path.parent.name})
