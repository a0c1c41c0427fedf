"""ingest of train.json against `json.load` and `datasets.Dataset.from_list`.

distilburn: the whole process, checks, audit, tables on the disk, hashes and manifest included; its validation split
has one question. It counts with a base model too small to matter, since the reference reads none; with the default
base model it is shown beside it. Python: reference/squad_rows.py, which reads, flattens and leaves the rows in
memory.
"""

from . import inputs, rounds, sides

WANTED = 4.0
PYTHON = "json.load, Dataset.from_list"


def measure(args) -> rounds.Outcome:
    train, validation = inputs.plain_train_file(args), inputs.one_question_file(args)

    def distilburn(base_model):
        run = sides.forced("ingest", args, inputs.settings(args, train, validation, base_model))
        return {**run, "questions": sides.metrics(run)["train"]["questions"]}

    tiny = inputs.tiny_model(args)
    contenders = {
        rounds.OWN: lambda: distilburn(tiny),
        "distilburn, with the default base model": lambda: distilburn(inputs.MINILM),
        PYTHON: lambda: sides.reference("squad_rows.py", train),
    }
    measured = rounds.in_turns(contenders, args.rounds)
    rounds.check_same(measured, "questions")
    rounds.print_table(measured)
    met = rounds.times_as_long(measured, [PYTHON], WANTED)
    print(f"\n{measured[PYTHON][0]['questions']} questions; {rounds.circumstances(args)}.")
    return rounds.Outcome(measured, met)
