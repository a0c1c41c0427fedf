"""Fine-tunes in PyTorch as the run_qa example does: the baseline that distilburn's quality is compared with.

    .cache/reference-venv/bin/python scripts/reference/train.py --train train.json.gz \\
        --validation dev.json.gz [--train-ids ids.json] [--base FOLDER] [--seed 42] [--predictions FILE]

Prints one JSON object: recipe, losses, seconds per step, EM and F1. The loss counts [PAD], as Hugging
Face's does. Measures quality; step times are by the way (other allocator settings, see benches).
"""

import argparse
import collections
import gzip
import json
import pathlib
import re
import string
import sys
import time

import numpy as np
import torch
from transformers import AutoTokenizer, DistilBertForQuestionAnswering, get_linear_schedule_with_warmup

from features import MINILM, features
from weights import adamw, bert_as_distilbert

N_BEST, MAX_ANSWER_LENGTH = 20, 30


def read_squad(path: pathlib.Path, ids: pathlib.Path | None) -> list[dict]:
    """The questions of a SQuAD file, or those of them that `ids` lists, in the file's order."""
    raw = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    wanted = set(json.loads(ids.read_text())) if ids else None
    return [
        {**qa, "context": paragraph["context"]}
        for article in json.loads(raw)["data"]
        for paragraph in article["paragraphs"]
        for qa in paragraph["qas"]
        if wanted is None or qa["id"] in wanted
    ]


def windows(tokenizer, examples: list[dict], options) -> list[tuple]:
    """(example_index, input_ids, offset_mapping, start_position, end_position) of every feature."""
    answers = [
        {"text": one["answers"][0]["text"], "start": one["answers"][0]["answer_start"]} if one["answers"] else None
        for one in examples
    ]
    questions, contexts = [one["question"] for one in examples], [one["context"] for one in examples]
    return list(features(tokenizer, questions, contexts, answers, options.max_length, options.doc_stride))


def padded(rows: list[tuple], length: int) -> dict[str, torch.Tensor]:
    ids = torch.zeros(len(rows), max([length] + [len(row[1]) for row in rows]), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row[1])] = torch.tensor(row[1])
        mask[i, : len(row[1])] = 1
    return {"input_ids": ids, "attention_mask": mask}


def train(model, rows: list[tuple], options) -> dict:
    """run_qa's loop; the mean loss of each epoch and the median time of a step."""
    per_epoch = -(-len(rows) // options.batch_size)
    steps = options.max_steps or per_epoch * options.epochs
    optimizer = adamw(model, options.learning_rate, fused=True)
    schedule = get_linear_schedule_with_warmup(optimizer, options.warmup_steps, steps)
    generator = torch.Generator().manual_seed(options.seed)
    losses, seconds = [], []
    model.train()
    for step in range(steps):
        if step % per_epoch == 0:
            order = torch.randperm(len(rows), generator=generator).tolist()
        begin = time.perf_counter()
        first = step % per_epoch * options.batch_size
        batch = [rows[i] for i in order[first : first + options.batch_size]]
        inputs = padded(batch, options.max_length if options.padding == "max_length" else 0)
        starts, ends = torch.tensor([row[3] for row in batch]), torch.tensor([row[4] for row in batch])
        with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16"):
            loss = model(**inputs, start_positions=starts, end_positions=ends).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - begin)
        if step % 20 == 0 or step == steps - 1:
            print(f"step {step + 1}/{steps} loss {np.mean(losses[-20:]):.4f} {seconds[-1]:.2f} s", file=sys.stderr)
    epochs = [float(np.mean(losses[i : i + per_epoch])) for i in range(0, steps, per_epoch)]
    return {"steps": steps, "epoch_losses": epochs, "step_seconds_median": float(np.median(seconds))}


def predict(model, examples: list[dict], rows: list[tuple], options) -> dict[str, str]:
    """The best span of each question, as `postprocess_qa_predictions` picks it for v1.1."""
    best: dict[int, tuple[float, str]] = collections.defaultdict(lambda: (-np.inf, ""))
    model.eval()
    by_length = sorted(rows, key=lambda row: len(row[1]))
    for first in range(0, len(rows), 32):
        batch = by_length[first : first + 32]
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16"):
            output = model(**padded(batch, 0))
        for row, starts, ends in zip(batch, output.start_logits.float().numpy(), output.end_logits.float().numpy()):
            offsets, context = row[2], examples[row[0]]["context"]
            starts, ends = starts[: len(offsets)], ends[: len(offsets)]
            top_ends = [e for e in np.argsort(ends)[: -N_BEST - 1 : -1] if offsets[e]]
            for s in (s for s in np.argsort(starts)[: -N_BEST - 1 : -1] if offsets[s]):
                for e in top_ends:
                    score = float(starts[s] + ends[e])
                    if s <= e < s + MAX_ANSWER_LENGTH and score > best[row[0]][0]:
                        best[row[0]] = (score, context[offsets[s][0] : offsets[e][1]])
    return {one["id"]: best[i][1] for i, one in enumerate(examples)}


def normalize_answer(text: str) -> str:
    """As the official v1.1 script."""
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def f1(prediction: str, truth: str) -> float:
    found, wanted = normalize_answer(prediction).split(), normalize_answer(truth).split()
    same = sum((collections.Counter(found) & collections.Counter(wanted)).values())
    return 2 * same / (len(found) + len(wanted)) if same else 0.0


def score(examples: list[dict], predictions: dict[str, str]) -> dict[str, float]:
    exact = overlap = 0.0
    for one in examples:
        prediction, truths = predictions[one["id"]], [answer["text"] for answer in one["answers"]]
        exact += any(normalize_answer(prediction) == normalize_answer(truth) for truth in truths)
        overlap += max((f1(prediction, truth) for truth in truths), default=0.0)
    return {"exact_match": 100 * exact / len(examples), "f1": 100 * overlap / len(examples)}


def base_model(folder: pathlib.Path, seed: int) -> DistilBertForQuestionAnswering:
    """The folder's encoder with a fresh QA head: N(0, 0.02), zero bias."""
    config = json.loads((folder / "config.json").read_text())
    torch.manual_seed(seed)
    if config["model_type"] == "distilbert":
        return DistilBertForQuestionAnswering.from_pretrained(folder)
    head = torch.randn(2, config["hidden_size"]) * 0.02
    return bert_as_distilbert(folder, {"qa_outputs.weight": head, "qa_outputs.bias": torch.zeros(2)})


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = arguments.add_argument
    add("--train", type=pathlib.Path, required=True, help="SQuAD JSON, plain or gzip")
    add("--validation", type=pathlib.Path, required=True)
    add("--train-ids", type=pathlib.Path, help="JSON list of the question ids to take")
    add("--validation-ids", type=pathlib.Path)
    add("--base", type=pathlib.Path, default=MINILM, help="folder of a DistilBERT or BERT checkpoint")
    add("--predictions", type=pathlib.Path, help="where to write the predictions, SQuAD's form")
    add("--seed", type=int, default=42)
    add("--epochs", type=int, default=3)
    add("--max-steps", type=int, default=0, help="0: what the epochs need")
    add("--batch-size", type=int, default=8)
    add("--learning-rate", type=float, default=3e-5)
    add("--warmup-steps", type=int, default=100)
    add("--max-length", type=int, default=384)
    add("--doc-stride", type=int, default=128)
    add("--padding", choices=("dynamic", "max_length"), default="dynamic")
    add("--precision", choices=("bf16", "fp32"), default="bf16")
    add("--threads", type=int, default=torch.get_num_threads())
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)

    tokenizer = AutoTokenizer.from_pretrained(options.base)
    train_examples = read_squad(options.train, options.train_ids)
    validation = read_squad(options.validation, options.validation_ids)
    model = base_model(options.base, options.seed)
    result = {key: str(value) if isinstance(value, pathlib.Path) else value for key, value in vars(options).items()}
    result |= train(model, windows(tokenizer, train_examples, options), options)
    predictions = predict(model, validation, windows(tokenizer, validation, options), options)
    if options.predictions:
        options.predictions.write_text(json.dumps(predictions))
    print(json.dumps(result | {"questions": len(validation)} | score(validation, predictions), indent=1))


if __name__ == "__main__":
    main()
