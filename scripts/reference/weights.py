"""Weights and models that the reference scripts share; makes no fixtures and trains nothing.

`reference_tensor` is one half of a pair: the Rust tests hold the other and make the same bits from a
tensor's name, so that a model of 66 million random weights needs no file.
"""

import pathlib

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import BertConfig, DistilBertConfig, DistilBertForQuestionAnswering

CHUNK = 1 << 20  # values made at a time: bounds the 64-bit scratch arrays

# BERT's names inside one encoder layer, in the order of DistilBERT's.
LAYER_NAMES = {
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}


def reference_tensor(name: str, shape: tuple[int, ...], scale: float) -> torch.Tensor:
    """The tensor that belongs to this name: uniform in [-scale, scale), exact in f32.

    Value i is output i of SplitMix64 seeded with the name's FNV-1a hash: its top 24 bits, centred, times
    scale / 2^23, `scale` being a power of two. LayerNorm weights are 1 plus that; the QA head's bias is 0.
    """
    assert np.frexp(scale)[0] == 0.5, f"scale {scale} is no power of two"
    size = int(np.prod(shape))
    values = np.zeros(size, dtype=np.float32)
    if name != "qa_outputs.bias":
        seed = np.uint64(fnv1a64(name))
        for first in range(0, size, CHUNK):
            index = np.arange(first, min(first + CHUNK, size), dtype=np.uint64)
            centred = (splitmix64(seed, index) >> np.uint64(40)).astype(np.int64) - (1 << 23)
            values[first : first + CHUNK] = centred.astype(np.float32) * np.float32(scale / (1 << 23))
    if name.lower().replace("_", "").endswith("layernorm.weight"):
        values += np.float32(1)
    return torch.from_numpy(values.reshape(shape))


def fnv1a64(text: str) -> int:
    """http://www.isthe.com/chongo/tech/comp/fnv/"""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & (1 << 64) - 1
    return value


def splitmix64(seed: np.uint64, index: np.ndarray) -> np.ndarray:
    """Output `index` (from 0) of the generator: https://prng.di.unimi.it/splitmix64.c"""
    z = seed + (index + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def random_model(config: DistilBertConfig, scale: float) -> DistilBertForQuestionAnswering:
    """Every weight from `reference_tensor`."""
    model = DistilBertForQuestionAnswering._from_config(config, attn_implementation="sdpa")
    weights = model.state_dict()
    model.load_state_dict({name: reference_tensor(name, tuple(w.shape), scale) for name, w in weights.items()})
    return model.eval()


def bert_as_distilbert(folder: pathlib.Path, head: dict[str, torch.Tensor]) -> DistilBertForQuestionAnswering:
    """A BERT checkpoint as DistilBERT with this QA head: exact wherever every token type is 0.

    Type 0's embedding, added to each token by BERT, goes into the positions; the pooler is dropped.
    """
    bert = BertConfig.from_pretrained(folder)
    config = DistilBertConfig(
        vocab_size=bert.vocab_size,
        max_position_embeddings=bert.max_position_embeddings,
        n_layers=bert.num_hidden_layers,
        n_heads=bert.num_attention_heads,
        dim=bert.hidden_size,
        hidden_dim=bert.intermediate_size,
        activation=bert.hidden_act,
    )
    old = load_file(folder / "model.safetensors")
    weights = {
        "distilbert.embeddings.word_embeddings.weight": old["embeddings.word_embeddings.weight"],
        "distilbert.embeddings.position_embeddings.weight": old["embeddings.position_embeddings.weight"]
        + old["embeddings.token_type_embeddings.weight"][0],
        **head,
    }
    for part in ("weight", "bias"):
        weights[f"distilbert.embeddings.LayerNorm.{part}"] = old[f"embeddings.LayerNorm.{part}"]
        for layer in range(config.n_layers):
            for theirs, ours in LAYER_NAMES.items():
                name = f"distilbert.transformer.layer.{layer}.{ours}.{part}"
                weights[name] = old[f"encoder.layer.{layer}.{theirs}.{part}"]
    model = DistilBertForQuestionAnswering._from_config(config, attn_implementation="sdpa")
    model.load_state_dict(weights)
    return model.eval()


def adamw(model: torch.nn.Module, learning_rate: float, fused: bool) -> torch.optim.AdamW:
    """run_qa's optimizer: biases and LayerNorms are not decayed."""
    decayed, kept = [], []
    for name, parameter in model.named_parameters():
        spared = name.endswith(".bias") or "norm" in name.lower()
        (kept if spared else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": kept, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.999), eps=1e-8, fused=fused)
