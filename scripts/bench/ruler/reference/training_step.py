"""A training step of PyTorch, timed: what scripts/bench/compare sets beside distilburn's.

    .cache/reference-venv/bin/python scripts/bench/ruler/reference/training_step.py VARIANT --batches FILE …

FILE is JSON: for each step `input_ids`, `start_positions`, `end_positions` of its features. VARIANT is

    padded         run_qa's default: features padded to --max-length, attention mask, SDPA
    dynamic        the same, padded to the longest feature of the batch
    compiled       the same, by torch.compile with open shapes
    packed-sdpa    no padding, by hand: everything on the real tokens, attention by SDPA one feature at a time
    packed-manual  the same with attention as two products and a softmax
    floor          the products of the step alone, forward and backward, on the real tokens

Dropout is on, AdamW is fused, gradients are clipped to 1. Prints one JSON object: `step_seconds`, those of each
step.
"""

import argparse
import json
import pathlib
import sys
import time

import torch
from torch.nn import functional
from transformers import DistilBertForQuestionAnswering

sys.path.append(str(pathlib.Path(__file__).resolve().parents[3] / "reference"))
from train import base_model  # noqa: E402
from weights import adamw  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", choices=("padded", "dynamic", "compiled", "packed-sdpa", "packed-manual", "floor"))
    parser.add_argument("--batches", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--precision", choices=("fp32", "bf16"), required=True)
    parser.add_argument("--max-length", type=int, default=384)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(42)
    batches = json.loads(options.batches.read_text())
    model = base_model(options.model, 42)
    seconds = (floor if options.variant == "floor" else train)(model, batches, options)
    print(json.dumps({"step_seconds": seconds}))


def train(model: DistilBertForQuestionAnswering, batches: list[dict], options) -> list[float]:
    """Forward, backward, clip, update, one step after the other."""
    optimizer = adamw(model, 3e-5, fused=True)
    model.train()
    forward = torch.compile(model, dynamic=True) if options.variant == "compiled" else model
    seconds = []
    for batch in batches:
        begin = time.perf_counter()
        starts, ends = torch.tensor(batch["start_positions"]), torch.tensor(batch["end_positions"])
        with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16"):
            if options.variant.startswith("packed"):
                loss = packed_loss(model, batch["input_ids"], starts, ends, options.variant)
            else:
                length = options.max_length if options.variant == "padded" else max(map(len, batch["input_ids"]))
                ids = torch.zeros(len(starts), length, dtype=torch.long)
                mask = torch.zeros_like(ids)
                for row, feature in enumerate(batch["input_ids"]):
                    ids[row, : len(feature)] = torch.tensor(feature)
                    mask[row, : len(feature)] = 1
                loss = forward(ids, mask, start_positions=starts, end_positions=ends).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()
        seconds.append(time.perf_counter() - begin)
    return seconds


def packed_loss(model, features: list[list[int]], starts, ends, variant: str) -> torch.Tensor:
    """The loss of transformers' DistilBERT on features without padding: one row for each real token."""
    config, body = model.config, model.distilbert
    lengths = [len(feature) for feature in features]
    ids = torch.tensor([token for feature in features for token in feature])
    positions = torch.cat([torch.arange(length) for length in lengths])
    embeddings = body.embeddings
    hidden = embeddings.word_embeddings(ids) + embeddings.position_embeddings(positions)
    hidden = embeddings.dropout(embeddings.LayerNorm(hidden))
    heads = (config.n_heads, config.dim // config.n_heads)
    for layer in body.transformer.layer:
        attention = layer.attention
        projections = [getattr(attention, f"{name}_lin")(hidden).unflatten(1, heads) for name in "qkv"]
        pieces = zip(*(projection.split(lengths) for projection in projections))
        # (tokens, heads, dim of one) of a feature -> (heads, tokens, dim of one)
        contexts = [attend(*(piece.transpose(0, 1) for piece in three), config, variant) for three in pieces]
        context = torch.cat([context.transpose(0, 1).flatten(1) for context in contexts])
        hidden = layer.sa_layer_norm(attention.out_lin(context) + hidden)
        feed_forward = layer.ffn.lin2(functional.gelu(layer.ffn.lin1(hidden)))
        feed_forward = functional.dropout(feed_forward, config.dropout, training=True)
        hidden = layer.output_layer_norm(feed_forward + hidden)
    logits = model.qa_outputs(model.dropout(hidden)).float()
    loss = 0.0
    for feature, piece in enumerate(logits.split(lengths)):
        for column, target in ((0, starts), (1, ends)):
            loss = loss + functional.cross_entropy(piece[None, :, column], target[feature : feature + 1])
    return loss / (2 * len(lengths))


def attend(query, key, value, config, variant: str) -> torch.Tensor:
    if variant == "packed-sdpa":
        attended = functional.scaled_dot_product_attention(
            query[None], key[None], value[None], dropout_p=config.attention_dropout
        )
        return attended[0]
    scores = torch.bmm(query / query.shape[-1] ** 0.5, key.transpose(1, 2))
    weights = functional.dropout(torch.softmax(scores, -1), config.attention_dropout, training=True)
    return torch.bmm(weights.to(value.dtype), value)


def floor(model: DistilBertForQuestionAnswering, batches: list[dict], options) -> list[float]:
    """Each product as one call on tensors that are there already."""
    config = model.config
    dtype = torch.bfloat16 if options.precision == "bf16" else torch.float32
    width = config.dim // config.n_heads
    weights = [torch.randn(config.dim, config.dim).to(dtype) for _ in range(4)]
    weights.append(torch.randn(config.hidden_dim, config.dim).to(dtype))
    weights.append(torch.randn(config.dim, config.hidden_dim).to(dtype))
    seconds = []
    for batch in batches:
        lengths = [len(feature) for feature in batch["input_ids"]]
        tokens = sum(lengths)
        inputs = [torch.randn(tokens, weight.shape[1]).to(dtype) for weight in weights]
        outputs = [torch.randn(tokens, weight.shape[0]).to(dtype) for weight in weights]
        heads = [torch.randn(config.n_heads, length, width).to(dtype) for length in lengths]
        scores = [torch.randn(config.n_heads, length, length).to(dtype) for length in lengths]
        with torch.no_grad():
            begin = time.perf_counter()
            for _ in range(config.n_layers):
                for weight, given, gradient in zip(weights, inputs, outputs):
                    functional.linear(given, weight)
                    gradient @ weight
                    gradient.T @ given
                for head, score in zip(heads, scores):
                    # Scores and their gradient, the weighted sum, the gradients of value, key and query.
                    for _ in range(2):
                        head @ head.transpose(1, 2)
                    for _ in range(2):
                        score @ head
                        score.transpose(1, 2) @ head
            seconds.append(time.perf_counter() - begin)
    return seconds


if __name__ == "__main__":
    main()
