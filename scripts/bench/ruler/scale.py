"""tokenize-features on ten times the data against itself: the whole process, once and ten times train.json.

Ids and contexts of the copies are made different, so that nothing is tokenised once for all. The bounds are on the
ratios of the wall times and of the peaks of anonymous memory; the tables are mapped, and count as resident memory
alone.
"""

import gzip
import json
import pathlib

from . import inputs, rounds, sides

COPIES = {"1 x": 1, "10 x": 10}
TIME_WANTED = 11.0
MEMORY_WANTED = 1.3


def measure(args) -> rounds.Outcome:
    squad = json.loads(gzip.decompress(inputs.train_file(args).read_bytes()))
    validation, model = inputs.one_question_file(args), inputs.tiny_model(args)
    contenders = {}
    for name, count in COPIES.items():
        train = args.work / f"train-{count}x.json"
        write_copies(squad, count, train)
        settings = inputs.settings(args, train, validation, model)
        sides.artifact("ingest", args, settings)
        contenders[name] = lambda settings=settings: sides.forced("tokenize-features", args, settings)
    del squad
    measured = rounds.in_turns(contenders, args.rounds)
    rounds.print_table(measured, to="1 x")
    memory = rounds.ratios(measured, "10 x", to="1 x", key="peak_anonymous_bytes")
    bounds = [
        rounds.at_most("seconds, 10 x / 1 x", rounds.ratios(measured, "10 x", to="1 x"), TIME_WANTED),
        rounds.at_most("peak anonymous memory, 10 x / 1 x", memory, MEMORY_WANTED),
    ]
    features = [sides.metrics(runs[0])["train"]["features"] for runs in measured.values()]
    print(f"\n{' and '.join(map(str, features))} features; {rounds.circumstances(args)}.")
    return rounds.Outcome(measured, all(bounds))


def write_copies(squad: dict, count: int, path: pathlib.Path):
    """A SQuAD file with the questions of `squad` so many times."""
    with path.open("w") as file:
        before = '{"version": "1.1", "data": ['
        for copy in range(count):
            for article in squad["data"]:
                paragraphs = [
                    {
                        "context": f"{paragraph['context']} {copy}",
                        "qas": [{**qa, "id": f"{qa['id']}-{copy}"} for qa in paragraph["qas"]],
                    }
                    for paragraph in article["paragraphs"]
                ]
                file.write(before + json.dumps({"title": article["title"], "paragraphs": paragraphs}))
                before = ",\n"
        file.write("]}")
