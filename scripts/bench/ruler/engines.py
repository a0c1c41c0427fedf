"""The model's pass over the features of dev-open against the engines that people deploy.

distilburn: as in `inference`, in --precision and in int8, in batches as large as those of `predict`. The others:
reference/engine.py, features sorted by length and padded to the longest of their batch; the batch size of each is the better of 8
and 32 (see the log). --precision is also that of PyTorch and OpenVINO: take the faster on the machine at hand. ONNX Runtime has no
bf16 on a CPU and runs in fp32 and int8.
`seconds` are those from the first batch to the logits of all features; in the second table one feature at a time, with all
threads (MLPerf's SingleStream). With --answers FOLDER, a fine-tuned model, each engine also answers all of dev-open, so that a
speed that is bought with answers is seen.
"""

import json
import subprocess
import sys

from . import inference, inputs, rounds, sides
from .process import ROOT

WANTED = 1.3
QUANTIZED = f"{rounds.OWN} int8"
VENV = ROOT / ".cache/engines-venv"
REQUIREMENTS = sides.REFERENCE / "engines-requirements.txt"
BATCH_SIZES = {"openvino": 8, "onnxruntime": 8, "torch-compile": 8}
# About the 1,024 tokens that `predict` puts into a batch.
OWN_BATCH_SIZE = 6


def measure(args) -> rounds.Outcome:
    set_up()
    model, own, input_ids, file = inference.validation(args)
    engines = [("openvino", args.precision), ("onnxruntime", "int8"), ("onnxruntime", "fp32"),
               ("torch-compile", args.precision)]
    engines = [(engine, precision) for engine, precision in engines if args.only in f"{engine} {precision}"]
    if not engines:
        sys.exit(f"compare: no engine has {args.only!r} in its name")

    def words(engine, precision, folder, batch_size=None):
        return [engine, "--model", folder, "--work", args.work, "--precision", precision, "--threads", args.threads,
                "--batch-size", batch_size or BATCH_SIZES[engine]]

    def contenders(batch_size):
        ingest, features, precision, threads, _ = own
        found = {
            name: lambda precision=precision: sides.example(
                "inference", ingest, features, precision, threads, batch_size or OWN_BATCH_SIZE)
            for name, precision in [(rounds.OWN, precision), (QUANTIZED, "int8")]
        }
        for engine, precision in engines:
            command = [VENV / "bin/python", sides.REFERENCE / "engine.py", *words(engine, precision, model, batch_size), file]
            found[f"{engine} {precision}"] = lambda command=command: sides.printed(command)
        return found

    all_measured, met = {}, True
    for title, batch_size in [("all at once", None), ("one at a time", 1)]:
        measured = rounds.in_turns(contenders(batch_size), args.rounds)
        rounds.check_same(measured, "features")
        print(f"\n{title}:\n")
        rounds.print_table(measured, QUANTIZED)
        met &= rounds.times_as_long(measured, list(measured)[2:], WANTED, QUANTIZED)
        all_measured |= {f"{name}, {title}": runs for name, runs in measured.items()}
    print(f"\n{args.shape}, {args.precision}, {len(input_ids)} features with {sum(map(len, input_ids))} tokens; "
          f"{rounds.circumstances(args)}.")
    if args.answers:
        print_answers(args, engines, words)
    return rounds.Outcome(all_measured, met)


def print_answers(args, engines, words):
    folder, dataset = args.answers.resolve(), inputs.dev_file(args)
    print("\n| who | exact match | F1 |\n|---|--:|--:|")
    command = [sides.BINARIES / "distilburn", "evaluate", "--model", folder, "--dataset", dataset, "--json", "--quiet"]
    found = [(name, [*command, "--set", f"run.precision={precision}"])
             for name, precision in [(rounds.OWN, args.precision), (QUANTIZED, "int8")]]
    for engine, precision in engines:
        command = [VENV / "bin/python", sides.REFERENCE / "engine.py", *words(engine, precision, folder)]
        found.append((f"{engine} {precision}", [*command, "--answers", dataset]))
    for name, command in found:
        scores = json.loads(sides.last_line(subprocess.check_output(command, cwd=ROOT, text=True)))
        print(f"| {name} | {scores['exact_match']:.2f} | {scores['f1']:.2f} |")


def set_up():
    """.cache/engines-venv: the engines, with PyTorch and transformers of the reference environment."""
    installed = VENV / "installed.txt"
    if installed.exists() and installed.read_text() == REQUIREMENTS.read_text():
        return
    subprocess.run([sides.PYTHON, "-m", "venv", VENV], check=True)
    (packages,) = VENV.glob("lib/python3*/site-packages")
    (reference,) = sides.PYTHON.parents[1].glob("lib/python3*/site-packages")
    (packages / "reference.pth").write_text(f"{reference}\n")
    pip = [VENV / "bin/pip", "install", "--disable-pip-version-check", "--no-deps", "--requirement", REQUIREMENTS]
    subprocess.run(pip, check=True)
    installed.write_text(REQUIREMENTS.read_text())
