"""The n-best answers of dev-open from its logits against run_qa's `postprocess_qa_predictions`.

Logits are made up (reference/span_inputs.py), the same for both. distilburn: crates/evaluate/examples/spans.rs;
Python: reference/postprocess.py. `seconds` are those from tables and logits in memory to answers and n-best lists in
JSON files. What both have written is compared after the rounds: a difference counts as a bound that is missed.
"""

import json
import pathlib
import shutil

from . import inputs, rounds, sides

WANTED = 20.0
PYTHON = "postprocess_qa_predictions"
# The reference's softmax is in f32, ours in f64.
PROBABILITY_TOLERANCE = 1e-6


def measure(args) -> rounds.Outcome:
    model = inputs.tiny_model(args)
    settings = inputs.settings(args, inputs.train_file(args), inputs.dev_file(args), model)
    settings += ["ingest.max_train_examples=8"]
    ingest, features = (sides.artifact(stage, args, settings) for stage in ("ingest", "tokenize-features"))
    folder = args.work / "spans"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    sides.reference("span_inputs.py", ingest, features, folder)

    answers = folder / "answers.jsonl"
    contenders = {
        rounds.OWN: lambda: sides.example("spans", ingest, features, folder / "logits.f32", answers),
        PYTHON: lambda: sides.reference("postprocess.py", folder),
    }
    measured = rounds.in_turns(contenders, args.rounds)
    rounds.check_same(measured, "features")
    rounds.print_table(measured)
    met = rounds.times_as_long(measured, [PYTHON], WANTED)
    questions, differing = compare(answers, folder)
    print(
        f"\n{questions} questions, of which {differing} have another answer or another n-best list; "
        f"{measured[PYTHON][0]['features']} features; {rounds.circumstances(args)}."
    )
    return rounds.Outcome(measured, met and not differing)


def compare(answers: pathlib.Path, folder: pathlib.Path) -> tuple[int, int]:
    """How many questions there are, and how many that the two sides answer or rank differently."""
    texts, n_best = (json.loads((folder / name).read_text()) for name in ("predictions.json", "nbest_predictions.json"))
    ours = {one["id"]: one for one in map(json.loads, answers.read_text().splitlines())}
    ids = ours.keys() | texts.keys()
    same = (id in ours and id in texts and equal(ours[id], texts[id], n_best[id]) for id in ids)
    return len(ids), len(ids) - sum(same)


def equal(ours: dict, text: str, n_best: list[dict]) -> bool:
    return (
        ours["text"] == text
        and [one["text"] for one in ours["n_best"]] == [one["text"] for one in n_best]
        and all(
            abs(one["probability"] - other["probability"]) <= PROBABILITY_TOLERANCE
            for one, other in zip(ours["n_best"], n_best)
        )
    )
