"""SQuAD's JSON as a `datasets.Dataset`, timed: what scripts/bench/compare sets beside ingest.

    .cache/reference-venv/bin/python scripts/bench/ruler/reference/squad_rows.py SQUAD.json [--save FOLDER]

Reads the file with `json.load`, flattens it to the rows of the Hub's `squad` (id, title, context, question, answers)
and hands them to `Dataset.from_list`, which keeps them in memory. Prints one JSON object: the seconds of that, and
how many questions there are. --save writes the Dataset to a folder afterwards.
"""

import argparse
import json
import pathlib
import time

import datasets


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("squad", type=pathlib.Path)
    parser.add_argument("--save", type=pathlib.Path)
    options = parser.parse_args()
    datasets.disable_progress_bars()
    begin = time.perf_counter()
    with options.squad.open() as file:
        squad = json.load(file)
    dataset = datasets.Dataset.from_list(rows(squad))
    seconds = time.perf_counter() - begin
    if options.save:
        dataset.save_to_disk(options.save)
    print(json.dumps({"seconds": seconds, "questions": len(dataset)}))


def rows(squad: dict) -> list[dict]:
    return [
        {
            "id": qa["id"],
            "title": article["title"],
            "context": paragraph["context"],
            "question": qa["question"],
            "answers": {
                "text": [answer["text"] for answer in qa["answers"]],
                "answer_start": [answer["answer_start"] for answer in qa["answers"]],
            },
        }
        for article in squad["data"]
        for paragraph in article["paragraphs"]
        for qa in paragraph["qas"]
    ]


if __name__ == "__main__":
    main()
