"""Answers and n-best lists from logits as run_qa makes them, timed: what scripts/bench/compare sets beside ours.

    .cache/reference-venv/bin/python scripts/bench/ruler/reference/postprocess.py FOLDER

FOLDER is what span_inputs.py wrote; predictions.json and nbest_predictions.json go there. Follows
`postprocess_qa_predictions` of transformers' examples/pytorch/question-answering/utils_qa.py, which no package
carries, for SQuAD v1.1: the same accesses to the Datasets, the same loops, the same lists of dictionaries of NumPy
scalars, the same files; no progress bar. Prints one JSON object: the seconds of the function, and how many features
it took.
"""

import argparse
import collections
import json
import pathlib
import time

import datasets
import numpy as np

N_BEST, MAX_ANSWER_LENGTH = 20, 30


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    examples, features = (datasets.load_from_disk(folder / name) for name in ("examples", "features"))
    logits = [np.load(folder / name) for name in ("start.npy", "end.npy")]
    begin = time.perf_counter()
    postprocess_qa_predictions(examples, features, logits, folder)
    print(json.dumps({"seconds": time.perf_counter() - begin, "features": len(features)}))


def postprocess_qa_predictions(examples, features, logits, folder: pathlib.Path):
    row_of_id = {id: row for row, id in enumerate(examples["id"])}
    features_of_example = collections.defaultdict(list)
    for index, feature in enumerate(features):
        features_of_example[row_of_id[feature["example_id"]]].append(index)

    answers, n_best_lists = collections.OrderedDict(), collections.OrderedDict()
    for row, example in enumerate(examples):
        candidates = []
        null = None
        for index in features_of_example[row]:
            start_logits, end_logits = logits[0][index], logits[1][index]
            # Each access reads the row anew, here as there.
            offset_mapping = features[index]["offset_mapping"]
            max_context = features[index].get("token_is_max_context", None)
            # Kept up for v1.1 as well, which has no use for it.
            null_score = start_logits[0] + end_logits[0]
            if null is None or null["score"] > null_score:
                null = {
                    "offsets": (0, 0),
                    "score": null_score,
                    "start_logit": start_logits[0],
                    "end_logit": end_logits[0],
                }
            candidates += spans(start_logits, end_logits, offset_mapping, max_context)

        best = sorted(candidates, key=lambda one: one["score"], reverse=True)[:N_BEST]
        context = example["context"]
        for one in best:
            start_char, end_char = one.pop("offsets")
            one["text"] = context[start_char:end_char]
        if not best or (len(best) == 1 and best[0]["text"] == ""):
            best.insert(0, {"text": "empty", "start_logit": 0.0, "end_logit": 0.0, "score": 0.0})
        scores = np.array([one.pop("score") for one in best])
        weights = np.exp(scores - np.max(scores))
        for one, probability in zip(best, weights / weights.sum()):
            one["probability"] = probability
        answers[example["id"]] = best[0]["text"]
        n_best_lists[example["id"]] = [
            {key: float(value) if isinstance(value, np.floating) else value for key, value in one.items()}
            for one in best
        ]

    for name, content in (("predictions.json", answers), ("nbest_predictions.json", n_best_lists)):
        with (folder / name).open("w") as file:
            file.write(json.dumps(content, indent=4) + "\n")


def spans(start_logits, end_logits, offset_mapping, max_context) -> list[dict]:
    """Every pair of one of the best starts and one of the best ends of a feature that makes an answer."""
    found = []
    starts, ends = (np.argsort(side)[-1 : -N_BEST - 1 : -1].tolist() for side in (start_logits, end_logits))
    for start in starts:
        for end in ends:
            if (
                start >= len(offset_mapping)
                or end >= len(offset_mapping)
                or offset_mapping[start] is None
                or len(offset_mapping[start]) < 2
                or offset_mapping[end] is None
                or len(offset_mapping[end]) < 2
            ):
                continue
            if end < start or end - start + 1 > MAX_ANSWER_LENGTH:
                continue
            if max_context is not None and not max_context.get(str(start), False):
                continue
            found.append({
                "offsets": (offset_mapping[start][0], offset_mapping[end][1]),
                "score": start_logits[start] + end_logits[end],
                "start_logit": start_logits[start],
                "end_logit": end_logits[end],
            })
    return found


if __name__ == "__main__":
    main()
