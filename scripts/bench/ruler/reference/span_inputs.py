"""What both sides of scripts/bench/compare's `spans` read: examples, features and logits of a validation split.

    .cache/reference-venv/bin/python scripts/bench/ruler/reference/span_inputs.py INGEST FEATURES FOLDER

INGEST and FEATURES are artifact directories. Writes into FOLDER

    examples/, features/   Datasets as run_qa hands them to its post-processing: features padded to 384 tokens
    start.npy, end.npy     (features, 384) f32; what is padded can win nothing
    logits.f32             the same for distilburn: of each feature the start logits of its tokens, then its end logits,
                           little-endian

The logits are made up: noise, and a peak that falls off around the labelled answer, so that some of the best lie
around it, as with a trained model, and the others anywhere. Prints one JSON object: how many features there are.
"""

import argparse
import json
import pathlib

import datasets
import numpy as np
import pyarrow

MAX_LENGTH = 384
PADDED_LOGIT = -1e9


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ingest", type=pathlib.Path)
    parser.add_argument("features", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    options = parser.parse_args()
    datasets.disable_progress_bars()
    examples = read(options.ingest / "examples-validation.arrow").to_pylist()
    contexts = read(options.ingest / "contexts-validation.arrow").to_pylist()
    features = read(options.features / "features-validation.arrow").to_pydict()

    rows = [row(example, contexts[example["context_id"]]) for example in examples]
    datasets.Dataset.from_list(rows).save_to_disk(options.folder / "examples")
    columns = {
        "input_ids": [padded(ids, 0) for ids in features["input_ids"]],
        "attention_mask": [padded([1] * len(ids), 0) for ids in features["input_ids"]],
        "offset_mapping": [padded(offsets, None) for offsets in features["offset_mapping"]],
        "example_id": [examples[index]["id"] for index in features["example_index"]],
    }
    datasets.Dataset.from_dict(columns).save_to_disk(options.folder / "features")
    count = write_logits(features, options.folder)
    print(json.dumps({"features": count}))


def read(path: pathlib.Path) -> pyarrow.Table:
    with pyarrow.memory_map(str(path)) as source:
        return pyarrow.ipc.open_file(source).read_all()


def row(example: dict, context: dict) -> dict:
    """An example in the columns of the Hub's `squad`."""
    return {
        "id": example["id"],
        "title": context["title"],
        "context": context["context"],
        "question": example["question"],
        "answers": {"text": example["answer_texts"], "answer_start": example["answer_starts"]},
    }


def padded(values: list, padding) -> list:
    return values + [padding] * (MAX_LENGTH - len(values))


def write_logits(features: dict[str, list], folder: pathlib.Path) -> int:
    random = np.random.default_rng(20)
    lengths = [len(ids) for ids in features["input_ids"]]
    logits = np.full((2, len(lengths), MAX_LENGTH), PADDED_LOGIT, dtype="<f4")
    with (folder / "logits.f32").open("wb") as file:
        for feature, length in enumerate(lengths):
            for side, column in enumerate(("start_positions", "end_positions")):
                distance = np.abs(np.arange(length) - features[column][feature])
                logits[side, feature, :length] = random.normal(0, 2, length) + 8 * np.exp(-distance / 4)
                file.write(logits[side, feature, :length].tobytes())
    np.save(folder / "start.npy", logits[0])
    np.save(folder / "end.npy", logits[1])
    return len(lengths)


if __name__ == "__main__":
    main()
