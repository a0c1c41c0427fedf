"""Training features by `datasets.Dataset.map`, timed: what scripts/bench/compare sets beside tokenize-features.

    .cache/reference-venv/bin/python scripts/bench/ruler/reference/feature_map.py DATASET --tokenizer TOKENIZER.json

DATASET is a folder that squad_rows.py saved. The call is run_qa's: batches of 1,000 rows, a fast tokenizer, windows
padded to 384 tokens that overlap by 128, the labels of `prepare_train_features`; it writes its Arrow file, and is
never answered from a cache. --processes is `num_proc`; 0 leaves it out, and the work is done in this process
(`num_proc=1` is a pool of one). Prints one JSON object: the seconds of the call, and how many features it made.
"""

import argparse
import json
import pathlib
import tempfile
import time

import datasets
from transformers import PreTrainedTokenizerFast

MAX_LENGTH, DOC_STRIDE = 384, 128
# What makes a bare tokenizer.json DistilBERT's.
SPECIAL_TOKENS = {f"{name.lower()}_token": f"[{name}]" for name in ("CLS", "SEP", "PAD", "UNK", "MASK")}
MODEL_INPUTS = ["input_ids", "attention_mask"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=pathlib.Path)
    parser.add_argument("--tokenizer", type=pathlib.Path, required=True)
    parser.add_argument("--processes", type=int, default=0)
    options = parser.parse_args()
    datasets.disable_progress_bars()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(options.tokenizer), model_input_names=MODEL_INPUTS, **SPECIAL_TOKENS
    )
    dataset = datasets.load_from_disk(options.dataset)
    # Beside the rows: a folder for temporary files may be memory.
    with tempfile.TemporaryDirectory(dir=options.dataset.parent) as folder:
        begin = time.perf_counter()
        features = dataset.map(
            prepare_train_features,
            batched=True,
            num_proc=options.processes,
            remove_columns=dataset.column_names,
            fn_kwargs={"tokenizer": tokenizer},
            cache_file_name=f"{folder}/features.arrow",
            load_from_cache_file=False,
        )
        seconds = time.perf_counter() - begin
        print(json.dumps({"seconds": seconds, "features": len(features)}))


def prepare_train_features(examples, tokenizer):
    """run_qa's: every window of a batch of questions, with the first and the last token of its answer."""
    windows = tokenizer(
        [question.lstrip() for question in examples["question"]],
        examples["context"],
        truncation="only_second",
        max_length=MAX_LENGTH,
        stride=DOC_STRIDE,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        padding="max_length",
    )
    example_of_window = windows.pop("overflow_to_sample_mapping")
    windows["start_positions"], windows["end_positions"] = [], []
    for window, offsets in enumerate(windows.pop("offset_mapping")):
        cls = windows["input_ids"][window].index(tokenizer.cls_token_id)
        answers = examples["answers"][example_of_window[window]]
        start, end = positions(offsets, windows.sequence_ids(window), answers, cls)
        windows["start_positions"].append(start)
        windows["end_positions"].append(end)
    return windows


def positions(offsets, sequence_ids, answers, cls):
    """[CLS] where the window does not hold the first answer whole."""
    if not answers["answer_start"]:
        return cls, cls
    start_char = answers["answer_start"][0]
    end_char = start_char + len(answers["text"][0])
    start = 0
    while sequence_ids[start] != 1:
        start += 1
    end = len(offsets) - 1
    while sequence_ids[end] != 1:
        end -= 1
    if offsets[start][0] > start_char or offsets[end][1] < end_char:
        return cls, cls
    while start < len(offsets) and offsets[start][0] <= start_char:
        start += 1
    while offsets[end][1] >= end_char:
        end -= 1
    return start - 1, end + 1


if __name__ == "__main__":
    main()
