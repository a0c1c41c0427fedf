"""A training step against PyTorch's, on the same SQuAD features in the same order.

Both sides have dropout, fused AdamW, clipping and the same threads. A run is one process of --warm-up + --steps steps;
its `seconds` are the median of the last --steps. reference/training_step.py says what the contenders are.
"""

import json
import pathlib
import statistics
import subprocess

from . import inputs, rounds, sides

SEED = 42
# (name, variant of reference/training_step.py, environment)
CONTENDERS = [
    ("PyTorch, padded to 384, same allocator", "padded", sides.KEEP_MEMORY),
    ("PyTorch, padded to 384, as installed", "padded", {}),
    ("PyTorch, dynamic padding, same allocator", "dynamic", sides.KEEP_MEMORY),
    ("PyTorch, dynamic padding, torch.compile, same allocator", "compiled", sides.KEEP_MEMORY),
    ("PyTorch, packed by hand, SDPA, same allocator", "packed-sdpa", sides.KEEP_MEMORY),
    ("PyTorch, packed by hand, products, same allocator", "packed-manual", sides.KEEP_MEMORY),
    ("products of the real tokens alone, same allocator", "floor", sides.KEEP_MEMORY),
]


def measure(args) -> rounds.Outcome:
    model = inputs.shaped_model(args)
    settings, batches = prepare(args, model)
    file = args.work / "batches.json"
    file.write_text(json.dumps(batches))

    def pytorch(variant, environment):
        words = ["--batches", file, "--model", model, "--precision", args.precision, "--threads", args.threads]
        return counted(sides.reference("training_step.py", variant, *words, environment=environment), args)

    contenders = {rounds.OWN: lambda: counted(distilburn(args, settings), args)}
    for name, variant, environment in CONTENDERS:
        if args.only not in name:
            continue
        contenders[name] = lambda variant=variant, environment=environment: pytorch(variant, environment)
    measured = rounds.in_turns(contenders, args.rounds)
    rounds.print_table(measured)
    report(args, measured, [sum(map(len, batch["input_ids"])) for batch in batches][args.warm_up :])
    return rounds.Outcome(measured)


def prepare(args, model: pathlib.Path) -> tuple[list[str], list[dict]]:
    """Makes the features; returns distilburn's settings, and the batches that its steps take."""
    steps = args.warm_up + args.steps
    settings = inputs.settings(args, inputs.train_file(args), inputs.dev_file(args), model) + [
        f"ingest.max_train_examples={2 * steps * args.batch_size}",
        "ingest.max_validation_examples=8",
        f"run.seed={SEED}",
        f"train.batch_size={args.batch_size}",
        f"train.max_steps={steps}",
        "train.warmup_steps=0",
        "train.log_every_steps=1",
    ]
    sides.artifact("ingest", args, settings)
    features = sides.artifact("tokenize-features", args, settings)
    table = inputs.columns(features / "features-train.arrow", ["input_ids", "start_positions", "end_positions"])
    count = len(table["input_ids"])
    order = json.loads(subprocess.check_output([sides.BINARIES / "examples/order", str(count), str(SEED), "1"]))
    rows = [order[first : first + args.batch_size] for first in range(0, steps * args.batch_size, args.batch_size)]
    return settings, [{column: [values[row] for row in batch] for column, values in table.items()} for batch in rows]


def distilburn(args, settings: list[str]) -> dict:
    """A training, with the seconds of each of its steps."""
    run = sides.forced("train", args, settings)
    rows = map(json.loads, (pathlib.Path(run["artifact"]) / "metrics.jsonl").read_text().splitlines())
    return {**run, "step_seconds": [row["features"] / row["features_per_s"] for row in rows if row["kind"] == "train"]}


def counted(run: dict, args) -> dict:
    """The run with the median of the steps that count as its seconds."""
    return {**run, "seconds": statistics.median(run["step_seconds"][args.warm_up :])}


def report(args, measured: dict[str, list[dict]], tokens: list[int]):
    token_ratio = 384 * args.batch_size * len(tokens) / sum(tokens)
    print(
        f"\n{args.shape}, batch {args.batch_size}, {args.precision}, {statistics.mean(tokens):.0f} real tokens a step, "
        f"padded ones {token_ratio:.2f} times as many; {args.steps} steps after {args.warm_up}; "
        f"{rounds.circumstances(args)}."
    )
    packed = [name for name, variant, _ in CONTENDERS if variant.startswith("packed") and name in measured]
    padded = CONTENDERS[0][0]
    if packed and padded in measured:
        gain = statistics.median(rounds.ratios(measured, padded, rounds.fastest(measured, packed)))
        print(f"The better packed PyTorch beats the padded one {gain:.2f} times: {gain / token_ratio:.2f} of the token ratio.")
