"""tokenize-features on all of train against `datasets.Dataset.map(prepare_train_features, batched=True)`.

distilburn: the whole process, planning, statistics, hashes and manifest included; its validation split has one
question. Python: reference/feature_map.py, the call of `map` alone; rows and tokenizer are loaded before. Once it
works in its own process, which is run_qa's default and spares it the pool that `num_proc=1` is; once with
`num_proc=2`. Either way the fast tokenizer has a thread for each core. The faster one counts.
"""

import shutil

from . import inputs, rounds, sides

WANTED = 15.0
# Name → processes that `map` starts; 0: it works in its own.
CONTENDERS = {"Dataset.map, own process": 0, "Dataset.map, num_proc=2": 2}


def measure(args) -> rounds.Outcome:
    train = inputs.plain_train_file(args)
    settings = inputs.settings(args, train, inputs.one_question_file(args), inputs.tiny_model(args))
    sides.artifact("ingest", args, settings)
    dataset = args.work / "train-dataset"
    shutil.rmtree(dataset, ignore_errors=True)
    sides.reference("squad_rows.py", train, "--save", dataset)

    def distilburn():
        run = sides.forced("tokenize-features", args, settings)
        return {**run, "features": sides.metrics(run)["train"]["features"]}

    def mapped(processes):
        words = [dataset, "--tokenizer", args.data / "vocab/tokenizer.json", "--processes", processes]
        return sides.reference("feature_map.py", *words, environment={"RAYON_NUM_THREADS": str(args.threads)})

    contenders = {rounds.OWN: distilburn}
    for name, processes in CONTENDERS.items():
        contenders[name] = lambda processes=processes: mapped(processes)
    measured = rounds.in_turns(contenders, args.rounds)
    rounds.check_same(measured, "features")
    rounds.print_table(measured)
    met = rounds.times_as_long(measured, list(CONTENDERS), WANTED)
    print(f"\n{measured[rounds.OWN][0]['features']} features of train; {rounds.circumstances(args)}.")
    return rounds.Outcome(measured, met)
