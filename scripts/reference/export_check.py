"""Does an exported model directory mean to transformers what it means to distilburn?

    .cache/reference-venv/bin/python scripts/reference/export_check.py MODEL_DIR [LOGITS_JSON]

Loads the directory twice, from copies that hold only `model.safetensors` and only `pytorch_model.bin`;
compares AutoTokenizer's ids with those of `tokenizer.json`, and the scores that huggingface_hub reads in the model card with
those of training_config.json; prints the logits as JSON on stdout and what it
compared on stderr. transformers computes in f64 here: in f32 a fine-tuned model's logits are up to 3e-5 off in PyTorch, more
than distilburn's may be. LOGITS_JSON is what distilburn computed:
{"input_ids": [[...]], "start_logits": [[...]], "end_logits": [[...]]}, features without padding.
Exit code 1 on any difference. Changes nothing in MODEL_DIR.
"""

import argparse
import json
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import torch
from huggingface_hub import ModelCard
from transformers import AutoModelForQuestionAnswering, AutoTokenizer
from transformers.utils import logging

from tokenizers_check import NASTY, tokenizer_problems

ABSOLUTE = RELATIVE = 1e-5  # of distilburn's fp32
FORMATS = {"safetensors": "model.safetensors", "pytorch": "pytorch_model.bin"}



def one_format(source: pathlib.Path, file: str, target: pathlib.Path) -> pathlib.Path:
    """A copy of the directory in which this is the only weights file."""
    if not (source / file).is_file():
        sys.exit(f"{source} has no {file}: export with both formats")
    target.mkdir()
    for path in source.iterdir():
        if path.is_file() and (path.name == file or path.suffix not in (".safetensors", ".bin")):
            shutil.copy(path, target)
    return target


def logits_of(folder: pathlib.Path, input_ids: list[list[int]]) -> tuple[dict, dict[str, torch.Tensor], list[str]]:
    """What the model says about each feature, its weights, and what transformers had to make up."""
    model, info = AutoModelForQuestionAnswering.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.double().eval()
    result = {"input_ids": input_ids, "start_logits": [], "end_logits": []}
    for ids in input_ids:
        with torch.no_grad():
            output = model(torch.tensor([ids]))
        result["start_logits"].append(output.start_logits[0].tolist())
        result["end_logits"].append(output.end_logits[0].tolist())
    problems = [f"{kind}: {sorted(map(str, names))}" for kind, names in info.items() if names]
    return result, weights, problems


def logit_problems(name: str, found: dict, expected: dict) -> list[str]:
    problems = []
    for side in ("start_logits", "end_logits"):
        here, there = ([len(row) for row in rows] for rows in (found[side], expected[side]))
        if here != there:
            problems.append(f"{name} {side}: lengths {here} here, {there} in distilburn")
            continue
        ours, theirs = (np.array([x for row in rows for x in row]) for rows in (expected[side], found[side]))
        distance, band = np.abs(ours - theirs), ABSOLUTE + RELATIVE * np.abs(theirs)
        print(f"{name} {side}: {len(ours)} logits, largest difference {distance.max():.2e}", file=sys.stderr)
        if not (distance <= band).all():  # also where one is NaN
            at = int(np.argmax(np.where(np.isnan(distance), np.inf, distance - band)))
            problems.append(f"{name} {side}: {theirs[at]} here, {ours[at]} in distilburn (logit {at})")
    return problems


def card_problems(folder: pathlib.Path) -> list[str]:
    """What huggingface_hub reads in the model card against training_config.json; the card has two decimals."""
    config = json.loads((folder / "training_config.json").read_text())
    expected = {
        (split, metric): config[key][metric]
        for split, key in (("validation", "results"), ("test", "test_results"))
        if key in config
        for metric in ("exact_match", "f1")
    }
    results = ModelCard.load(folder / "README.md").data.eval_results
    found = {(result.dataset_split, result.metric_type): result.metric_value for result in results}
    print(f"model card: {len(found)} scores", file=sys.stderr)
    return [
        f"model card: {split} {metric} {found.get((split, metric))}, training_config.json has {value}"
        for (split, metric), value in expected.items()
        if not abs(found.get((split, metric), np.nan) - value) <= 0.005
    ]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("model_dir", type=pathlib.Path)
    arguments.add_argument("logits", type=pathlib.Path, nargs="?", help="JSON that distilburn wrote")
    options = arguments.parse_args()
    torch.set_num_threads(2)
    logging.disable_progress_bar()

    problems = tokenizer_problems(options.model_dir) + card_problems(options.model_dir)
    expected = json.loads(options.logits.read_text()) if options.logits else None
    if expected:
        input_ids = expected["input_ids"]
    else:
        tokenizer = AutoTokenizer.from_pretrained(options.model_dir)
        input_ids = [tokenizer("Who wrote it?", text)["input_ids"] for text in NASTY]
    results, weights = {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, file in FORMATS.items():
            folder = one_format(options.model_dir, file, pathlib.Path(scratch) / name)
            results[name], weights[name], made_up = logits_of(folder, input_ids)
            problems += [f"{file}: {problem}" for problem in made_up]
            if expected:
                problems += logit_problems(file, results[name], expected)
    a, b = weights.values()
    problems += [f"{name} differs between the formats" for name in a if not torch.equal(a[name], b[name])]
    print(json.dumps(results["safetensors"]))
    for problem in problems:
        print(f"DIFFERENT {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
