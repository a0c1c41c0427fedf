"""The model's pass over the features of dev-open against run_qa's evaluation loop.

distilburn: crates/evaluate/examples/inference.rs, features packed, in the batches of its evaluate stage. PyTorch:
reference/evaluation_loop.py, features padded to 384, in the batches of run_qa's default (8) and of the users who want
it faster (32). `seconds` are those from the first batch to the logits of all features; the model is loaded before. A
contender's runs take minutes each at the default shape: --questions takes a part of dev-open, drawn at random.
"""

import json

from . import inputs, rounds, sides

WANTED = 3.0
MAX_LENGTH = 384
# train.eval_batch_size of pipeline.toml.
OWN_BATCH_SIZE = 32
# (name, features in a batch, environment)
CONTENDERS = [
    ("PyTorch, batch 8, same allocator", 8, sides.KEEP_MEMORY),
    ("PyTorch, batch 8, as installed", 8, {}),
    ("PyTorch, batch 32, same allocator", 32, sides.KEEP_MEMORY),
    ("PyTorch, batch 32, as installed", 32, {}),
]


def validation(args) -> tuple:
    """The model, the arguments of examples/inference, the token ids of all features, and a file of them."""
    model = inputs.shaped_model(args)
    settings = inputs.settings(args, inputs.train_file(args), inputs.dev_file(args), model) + [
        "ingest.max_train_examples=8",
        f"ingest.max_validation_examples={args.questions}",
        f"tokenize-features.max_length={MAX_LENGTH}",
    ]
    ingest, features = (sides.artifact(stage, args, settings) for stage in ("ingest", "tokenize-features"))
    input_ids = inputs.columns(features / "features-validation.arrow", ["input_ids"])["input_ids"]
    file = args.work / "input-ids.json"
    file.write_text(json.dumps(input_ids))
    own = [ingest, features, args.precision, args.threads, OWN_BATCH_SIZE]
    return model, own, input_ids, file


def measure(args) -> rounds.Outcome:
    model, own, input_ids, file = validation(args)

    def pytorch(batch_size, environment):
        words = ["--model", model, "--precision", args.precision, "--threads", args.threads]
        words += ["--batch-size", batch_size, "--max-length", MAX_LENGTH]
        return sides.reference("evaluation_loop.py", file, *words, environment=environment)

    contenders = {rounds.OWN: lambda: sides.example("inference", *own)}
    for name, batch_size, environment in CONTENDERS:
        contenders[name] = lambda batch_size=batch_size, environment=environment: pytorch(batch_size, environment)
    measured = rounds.in_turns(contenders, args.rounds)
    rounds.check_same(measured, "features")
    rounds.print_table(measured)
    met = rounds.times_as_long(measured, [name for name, _, _ in CONTENDERS], WANTED)
    tokens = sum(map(len, input_ids))
    print(
        f"\n{args.shape}, {args.precision}, {len(input_ids)} features with {tokens} real tokens, padded ones "
        f"{MAX_LENGTH * len(input_ids) / tokens:.2f} times as many; {rounds.circumstances(args)}."
    )
    return rounds.Outcome(measured, met)
