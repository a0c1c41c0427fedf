"""`distilburn run` with nothing to do: the whole process, on all of train and the base model of --shape.

The pipeline is run to its end before, with one training step and eight validation questions: what planning looks at,
the files of data and model and the manifests of all stages, is there in full size.
"""

import json
import subprocess
import sys

from . import inputs, rounds, sides
from .process import ROOT, watched

WANTED_SECONDS = 0.3


def measure(args) -> rounds.Outcome:
    settings = inputs.settings(args, inputs.train_file(args), inputs.dev_file(args), inputs.shaped_model(args)) + [
        "ingest.max_validation_examples=8",
        "train.max_steps=1",
        "train.warmup_steps=0",
    ]
    command = [sides.BINARIES / "distilburn", "run", *sides.options(args, settings), "--json"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)

    def nothing_to_do():
        output, taken = watched(command)
        if any(stage["ran"] for stage in json.loads(output)["stages"]):
            sys.exit(f"compare: a stage ran that was up to date: {output}")
        return {**taken, "seconds": taken["wall_seconds"]}

    measured = rounds.in_turns({rounds.OWN: nothing_to_do}, args.rounds)
    rounds.print_table(measured)
    met = rounds.at_most("seconds", [run["seconds"] for run in measured[rounds.OWN]], WANTED_SECONDS)
    print(f"\n{args.shape}; {rounds.circumstances(args)}.")
    return rounds.Outcome(measured, met)
