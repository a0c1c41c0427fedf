"""The model's pass over the features of dev-open against the engines that people deploy.

distilburn: as in `inference`. The others: reference/engine.py, features sorted by length and padded to the longest of their
batch; the batch size of each is the best of 1, 8 and 32 (see the log). --precision is distilburn's, PyTorch's and OpenVINO's;
ONNX Runtime has no bf16 on a CPU and runs in fp32 and int8. `seconds` are those from the first batch to the logits of all
features. With --answers FOLDER, a fine-tuned model, each engine also answers all of dev-open, so that a speed that is bought
with answers is seen.
"""

import json
import subprocess

from . import inference, inputs, rounds, sides
from .process import ROOT

WANTED = 1.0
VENV = ROOT / ".cache/engines-venv"
REQUIREMENTS = sides.REFERENCE / "engines-requirements.txt"
BATCH_SIZES = {"openvino": 8, "onnxruntime": 8, "torch-compile": 8}


def measure(args) -> rounds.Outcome:
    set_up()
    model, own, input_ids, file = inference.validation(args)
    engines = [("openvino", args.precision), ("onnxruntime", "int8"), ("onnxruntime", "fp32"),
               ("torch-compile", args.precision)]

    def words(engine, precision, folder):
        return [engine, "--model", folder, "--work", args.work, "--precision", precision, "--threads", args.threads,
                "--batch-size", BATCH_SIZES[engine]]

    contenders = {rounds.OWN: lambda: sides.example("inference", *own)}
    for engine, precision in engines:
        command = [VENV / "bin/python", sides.REFERENCE / "engine.py", *words(engine, precision, model), file]
        contenders[f"{engine} {precision}"] = lambda command=command: sides.printed(command)
    measured = rounds.in_turns(contenders, args.rounds)
    rounds.check_same(measured, "features")
    rounds.print_table(measured)
    met = rounds.times_as_long(measured, [name for name in measured if name != rounds.OWN], WANTED)
    print(f"\n{args.shape}, {args.precision}, {len(input_ids)} features with {sum(map(len, input_ids))} tokens; "
          f"{rounds.circumstances(args)}.")
    if args.answers:
        print_answers(args, engines, words)
    return rounds.Outcome(measured, met)


def print_answers(args, engines, words):
    folder, dataset = args.answers.resolve(), inputs.dev_file(args)
    print("\n| who | exact match | F1 |\n|---|--:|--:|")
    command = [sides.BINARIES / "distilburn", "evaluate", "--model", folder, "--dataset", dataset, "--json", "--quiet",
               "--set", f"run.precision={args.precision}"]
    found = [(rounds.OWN, command)]
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
