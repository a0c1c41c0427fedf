"""Makes tests/fixtures/reference/model-*.safetensors: what PyTorch computes for distilburn to match.

    .cache/reference-venv/bin/python scripts/reference/model.py [--only tiny|minilm|base]

Logits, loss, gradients and 20 optimizer steps of DistilBertForQuestionAnswering, fp32, dropout off; the
README beside the fixtures lists the tensors. Makes no features (features.py) and no quality runs (train.py).

The loss is Hugging Face's over each feature's own tokens. In a padded batch Hugging Face's softmax also
counts the logits of [PAD], so that a feature's loss depends on its neighbours' lengths; distilburn pads
nothing, so here [PAD] is hidden from the softmax. `make` checks that this equals running features alone.
"""

import argparse
import copy
import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Callable

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file
from torch.nn.functional import cross_entropy
from transformers import DistilBertConfig, DistilBertForQuestionAnswering, get_linear_schedule_with_warmup

from batches import LENGTHS, TINY_LENGTHS, Batch, batch
from weights import adamw, bert_as_distilbert, fnv1a64, random_model, reference_tensor, splitmix64

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests/fixtures/reference"
MINILM = ROOT / ".cache/models/all-MiniLM-L6-v2"
STEPS, WARMUP_STEPS, MAX_GRAD_NORM = 20, 5, 1.0
SAMPLES = 64  # gradient values kept per tensor where the whole gradient is too large


@dataclasses.dataclass
class Reference:
    """One fixture: how its model is made and trained."""

    scale: float
    learning_rate: float
    lengths: list[list[int]]
    build: Callable[[float], DistilBertForQuestionAnswering]
    whole_gradients: bool = False


def tiny(scale: float) -> DistilBertForQuestionAnswering:
    config = DistilBertConfig(
        vocab_size=200, max_position_embeddings=64, n_layers=2, n_heads=4, dim=32, hidden_dim=64
    )
    return random_model(config, scale)


def minilm(scale: float) -> DistilBertForQuestionAnswering:
    shapes = {"qa_outputs.weight": (2, 384), "qa_outputs.bias": (2,)}
    head = {name: reference_tensor(name, shape, scale) for name, shape in shapes.items()}
    return bert_as_distilbert(MINILM, head)


REFERENCES = {
    "tiny": Reference(2**-2, 1e-3, TINY_LENGTHS, tiny, whole_gradients=True),
    "minilm": Reference(2**-4, 3e-5, LENGTHS, minilm),
    "base": Reference(2**-4, 3e-5, LENGTHS, lambda scale: random_model(DistilBertConfig(), scale)),
}


def loss_of(output, part: Batch) -> torch.Tensor:
    """Mean of start and end cross entropy, [PAD] hidden."""
    hidden = part.attention_mask == 0
    start = cross_entropy(output.start_logits.masked_fill(hidden, -torch.inf), part.start_positions)
    end = cross_entropy(output.end_logits.masked_fill(hidden, -torch.inf), part.end_positions)
    return (start + end) / 2


def forward(model: DistilBertForQuestionAnswering, part: Batch):
    """Hugging Face's output; its `loss` counts [PAD]."""
    labels = {"start_positions": part.start_positions, "end_positions": part.end_positions}
    return model(part.input_ids, part.attention_mask, **labels)


def curve(model, batches: list[Batch], learning_rate: float, padded: bool = False, autocast: bool = False) -> dict:
    """20 optimizer steps from the model's weights, which it changes: loss before each step, the global
    gradient norm before clipping, and the learning rate the step used."""
    optimizer = adamw(model, learning_rate, fused=False)
    schedule = get_linear_schedule_with_warmup(optimizer, WARMUP_STEPS, STEPS)
    rows = {"loss": [], "grad_norm": [], "learning_rate": []}
    for step in range(STEPS):
        part = batches[step % len(batches)]
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            output = forward(model, part)
            loss = output.loss if padded else loss_of(output, part)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM)
        rows["loss"].append(loss.item())
        rows["grad_norm"].append(norm.item())
        rows["learning_rate"].append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return {key: np.array(values, dtype=np.float64) for key, values in rows.items()}


def gradient_tensors(name: str, gradient: np.ndarray, whole: bool) -> dict[str, np.ndarray]:
    """The whole gradient, or its largest value and a sample of the rest (of what is not exactly zero:
    most rows of the word embeddings are), with max |g|, L2 norm, sum and sum of |g|."""
    if whole:
        return {f"gradient.{name}": gradient}
    flat = gradient.reshape(-1)
    wide = flat.astype(np.float64)
    present = np.flatnonzero(flat)
    picks = splitmix64(np.uint64(fnv1a64(name)), np.arange(SAMPLES - 1, dtype=np.uint64)) % np.uint64(len(present))
    index = np.unique(np.append(present[picks.astype(np.int64)], np.abs(flat).argmax()))
    summary = [np.abs(wide).max(), np.sqrt((wide**2).sum()), wide.sum(), np.abs(wide).sum()]
    return {
        f"gradient.{name}.index": index.astype(np.int64),
        f"gradient.{name}.value": flat[index],
        f"gradient.{name}.summary": np.array(summary),
    }


def difference(a, b) -> float:
    return float(np.abs(np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)).max())


def relative(a: np.ndarray, b: np.ndarray) -> float:
    return float((np.abs(a - b) / np.abs(b)).max())


def real_logits(output, part: Batch) -> tuple[np.ndarray, np.ndarray]:
    """The logits of real tokens, feature after feature (tokens)."""
    visible = part.attention_mask.bool()
    start, end = output.start_logits[visible], output.end_logits[visible]
    return start.detach().numpy(), end.detach().numpy()


def features_alone(model, part: Batch) -> float:
    """The loss of the same features, each a batch of one without padding, by Hugging Face's own code."""
    losses = []
    for row, ids in enumerate(part.features):
        one = Batch([ids], part.start_positions[row : row + 1], part.end_positions[row : row + 1])
        losses.append(forward(model, one).loss.item())
    return float(np.mean(losses))


def true_gradient_is_zero(name: str, n_layers: int) -> bool:
    """Such a gradient is rounding alone. Softmax does not see what all of its inputs share: a key's bias
    adds the same to every score of a query; these other two add the same to every logit of a feature."""
    shared_by_all = ("qa_outputs.bias", f"distilbert.transformer.layer.{n_layers - 1}.output_layer_norm.bias")
    return name.endswith("k_lin.bias") or name in shared_by_all


def distance_to_fp64(model, part: Batch, logits: tuple[np.ndarray, np.ndarray]) -> dict:
    """How far these logits, and the gradients that the model holds, are from the same in f64: rounding."""
    exact = copy.deepcopy(model).double()
    exact.zero_grad()
    output = forward(exact, part)
    loss_of(output, part).backward()
    norm = torch.nn.utils.get_total_norm([p.grad for p in exact.parameters()]).item()
    relative, zero = {}, {}
    for (name, ours), theirs in zip(model.named_parameters(), exact.parameters(), strict=True):
        distance = difference(ours.grad, theirs.grad)
        if true_gradient_is_zero(name, model.config.n_layers):
            zero[name] = difference(ours.grad, 0) / norm
        else:
            relative[name] = distance / theirs.grad.abs().max().item()
    return {
        "logits_fp32_minus_fp64": difference(logits, real_logits(output, part)),
        "gradient_fp32_minus_fp64_relative": max((value, name) for name, value in relative.items()),
        "zero_gradient_over_grad_norm": max((value, name) for name, value in zero.items()),
    }


def make(name: str, reference: Reference) -> None:
    model = reference.build(reference.scale)
    config = model.config
    batches = [batch(i, lengths, config.vocab_size) for i, lengths in enumerate(reference.lengths)]
    tensors: dict[str, np.ndarray] = {}
    for i, part in enumerate(batches):
        tensors[f"batch.{i}.lengths"] = np.array([len(ids) for ids in part.features], dtype=np.int32)
        tensors[f"batch.{i}.input_ids"] = np.array([id for ids in part.features for id in ids], dtype=np.int32)
        tensors[f"batch.{i}.start_positions"] = part.start_positions.numpy().astype(np.int32)
        tensors[f"batch.{i}.end_positions"] = part.end_positions.numpy().astype(np.int32)

    output = forward(model, batches[0])
    loss = loss_of(output, batches[0])
    loss.backward()
    tensors["start_logits"], tensors["end_logits"] = real_logits(output, batches[0])
    tensors["loss"] = np.array([loss.item()])
    norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters()])
    tensors["grad_norm"] = np.array([norm.item()])
    for parameter, value in model.named_parameters():
        tensors |= gradient_tensors(parameter, value.grad.numpy(), reference.whole_gradients)

    # What a change of summation order alone does: the floor under every tolerance.
    measured = {"loss_counting_padding": output.loss.item()}
    with torch.no_grad():
        alone = features_alone(model, batches[0])
        assert abs(alone - loss.item()) < 1e-5 * abs(loss.item()), (alone, loss.item())
        model.set_attn_implementation("eager")
        eager = real_logits(forward(model, batches[0]), batches[0])
        model.set_attn_implementation("sdpa")
    ours = (tensors["start_logits"], tensors["end_logits"])
    measured["logits_sdpa_minus_eager"] = difference(ours, eager)
    measured |= distance_to_fp64(model, batches[0], ours)

    model.zero_grad()
    start = {key: value.clone() for key, value in model.state_dict().items()}
    steps = curve(model, batches, reference.learning_rate)
    tensors |= {f"curve.{key}": values for key, values in steps.items()}
    if reference.whole_gradients:
        tensors |= {f"final.{key}": value.numpy() for key, value in model.state_dict().items()}
    if name != "base":  # variants; too slow at full size
        model.load_state_dict(start)
        counting = curve(model, batches, reference.learning_rate, padded=True)
        measured["curve_counting_padding"] = counting["loss"].tolist()
        model.load_state_dict(start)
        model.set_attn_implementation("eager")
        eager_loss = curve(model, batches, reference.learning_rate)["loss"]
        measured["curve_sdpa_minus_eager_relative"] = relative(steps["loss"], eager_loss)
    if name == "minilm":
        for attention in ("eager", "sdpa"):
            model.load_state_dict(start)
            model.set_attn_implementation(attention)
            bf16 = curve(model, batches, reference.learning_rate, autocast=True)
            tensors |= {f"bf16_{attention}_curve.{key}": bf16[key] for key in ("loss", "grad_norm")}

    recipe = {
        "scale": reference.scale, "learning_rate": reference.learning_rate, "steps": STEPS,
        "warmup_steps": WARMUP_STEPS, "max_grad_norm": MAX_GRAD_NORM, "betas": [0.9, 0.999],
        "epsilon": 1e-8, "weight_decay": 0.01,
    }  # fmt: skip
    shape = (
        "vocab_size", "max_position_embeddings", "n_layers", "n_heads", "dim", "hidden_dim", "activation",
        "dropout", "attention_dropout", "qa_dropout",
    )  # fmt: skip
    metadata = {
        "config": json.dumps({"model_type": "distilbert"} | {key: getattr(config, key) for key in shape}),
        "recipe": json.dumps(recipe),
        "measured": json.dumps(measured),
        "command": f".cache/reference-venv/bin/python scripts/reference/model.py --only {name}",
        "torch": torch.__version__.split("+")[0],
        "transformers": transformers.__version__,
    }
    if name == "minilm":
        metadata["base_sha256"] = hashlib.sha256((MINILM / "model.safetensors").read_bytes()).hexdigest()
    path = FIXTURES / f"model-{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: np.ascontiguousarray(value) for key, value in tensors.items()}, path, metadata)
    path.chmod(0o644)
    print(f"{path.name}: {path.stat().st_size:,} bytes, {len(tensors)} tensors")
    print(f"  logits {np.min(ours):.3f} to {np.max(ours):.3f}, loss {loss.item():.6f}, grad norm {norm.item():.4f}")
    print(f"  curve {np.array2string(steps['loss'], precision=5)}\n  {json.dumps(measured)}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", choices=REFERENCES)
    arguments.add_argument("--threads", type=int, default=2)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    for name, reference in REFERENCES.items():
        if options.only in (None, name):
            make(name, reference)


if __name__ == "__main__":
    main()
