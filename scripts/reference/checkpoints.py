"""Checkpoints as PyTorch and transformers write them, for the readers of ingest.

    .cache/reference-venv/bin/python scripts/reference/checkpoints.py
        writes crates/pytorch-file/tests/fixtures/ and crates/pretrained/tests/fixtures/base_models/

The weights are random, of a model with one layer; the forms are real: `torch.save` of both forms, safetensors
whole and in shards, f16, bf16 and f64, BERT and DistilBERT with and without heads and prefixes. What each should
become stands beside it, computed here in PyTorch; that it is the same model is checked here by logits.
"""

import json
import os
import pathlib
import pickle
import zipfile

import torch
from safetensors.torch import save_file
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForQuestionAnswering,
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertForQuestionAnswering,
)

from weights import LAYER_NAMES

ROOT = pathlib.Path(__file__).resolve().parents[2]
FORMS = ROOT / "crates/pytorch-file/tests/fixtures"
MODELS = ROOT / "crates/pretrained/tests/fixtures/base_models"
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "The", "##s", "?", "sat", "who"]
SIZES = {"vocab": len(VOCAB), "dim": 8, "hidden": 12, "heads": 2, "positions": 16}


class Malicious:
    """What an attacker would put into a checkpoint: loading it runs a command."""

    def __reduce__(self):
        return (os.system, ("touch distilburn-was-here",))


def save(path, content, legacy=False):
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)


def pytorch_forms():
    """Files of a few tensors, and expected.safetensors with what they hold in f32."""
    FORMS.mkdir(parents=True, exist_ok=True)
    matrix = torch.randn(4, 6)
    tensors = {
        "plain": torch.randn(3, 5),
        "transposed": matrix.t(),  # strides (1, 6)
        "slice": matrix[1:3, 2:5],  # a part of the same storage
        "tied": matrix,
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 4),
        "f16": torch.randn(7).half(),
        "bf16": torch.randn(7).bfloat16(),
        "f64": torch.randn(7).double() * 1e-3,
        "subnormal.f16": torch.tensor([6e-8, -6e-5, 65504.0]).half(),
    }
    whole = {"position_ids": torch.arange(5).expand((1, -1)), "flag": torch.tensor([True, False])}
    content = torch.nn.Module().state_dict() | tensors | whole
    for name, legacy in [("zip.bin", False), ("legacy.bin", True)]:
        save(FORMS / name, content, legacy)
    expected = {name: tensor.float().contiguous().clone() for name, tensor in tensors.items()}
    save_file(expected, FORMS / "expected.safetensors")

    module = torch.nn.Linear(2, 3)
    save(FORMS / "ordered_dict.bin", module.state_dict())  # with its _metadata
    save(FORMS / "parameters.bin", dict(module.named_parameters()), legacy=True)
    save(FORMS / "whole_module.bin", module)
    save(FORMS / "training_state.bin", {"epoch": 3, "model": module.state_dict()})
    for name, legacy in [("malicious_zip.bin", False), ("malicious_legacy.bin", True)]:
        save(FORMS / name, {"weight": torch.zeros(2), "x": Malicious()}, legacy)
    # Protocol 4 names a function by STACK_GLOBAL.
    with zipfile.ZipFile(FORMS / "malicious_protocol_4.bin", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + pickle.dumps(Malicious(), protocol=4)[2:])
    big = {"archive/data.pkl": pickle.dumps({}, protocol=2), "archive/byteorder": b"big"}
    with zipfile.ZipFile(FORMS / "big_endian.bin", "w") as archive:
        for name, data in big.items():
            archive.writestr(name, data)


def as_distilbert(bert):
    """A BertForQuestionAnswering's or BertForMaskedLM's state dict under DistilBERT's names, in f32."""
    weights = {name: tensor.float() for name, tensor in bert.items()}
    types = weights.pop("bert.embeddings.token_type_embeddings.weight")
    weights["bert.embeddings.position_embeddings.weight"] = (
        weights["bert.embeddings.position_embeddings.weight"] + types[0]
    )
    converted = {}
    for name, tensor in weights.items():
        if name.startswith("qa_outputs."):
            converted[name] = tensor
        elif name.startswith("bert.embeddings.") and name.endswith((".weight", ".bias")):
            converted[name.replace("bert.", "distilbert.", 1)] = tensor
        elif name.startswith("bert.encoder.layer."):
            layer, inner = name.removeprefix("bert.encoder.layer.").split(".", 1)
            module, kind = inner.rsplit(".", 1)
            converted[f"distilbert.transformer.layer.{layer}.{LAYER_NAMES[module]}.{kind}"] = tensor
    return {name: tensor.contiguous().clone() for name, tensor in converted.items()}


def shards(folder, tensors, form):
    """Two files and their index, as `save_pretrained` lays them out."""
    names = list(tensors)
    stem, ending = ("model", "safetensors") if form == "safetensors" else ("pytorch_model", "bin")
    weight_map = {}
    for number, part in enumerate([names[: len(names) // 2], names[len(names) // 2 :]], 1):
        file = f"{stem}-{number:05}-of-00002.{ending}"
        weight_map |= dict.fromkeys(part, file)
        content = {name: tensors[name] for name in part}
        save_file(content, folder / file) if form == "safetensors" else save(folder / file, content)
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": weight_map}
    (folder / f"{stem}.{ending}.index.json").write_text(json.dumps(index, indent=2) + "\n")


def base_model(name, config, tensors, form, expected, cased=False):
    folder = MODELS / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config.to_dict(), indent=2, sort_keys=True) + "\n")
    (folder / "vocab.txt").write_text("\n".join(VOCAB) + "\n")
    if cased:
        (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}\n')
    tensors = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
    if form == "safetensors":
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    elif form.startswith("sharded"):
        shards(folder, tensors, form.removeprefix("sharded "))
    else:
        save(folder / "pytorch_model.bin", tensors, legacy=form == "legacy")
    save_file(expected, folder / "expected.safetensors")


def same_model(bert, converted):
    """A DistilBERT with the converted weights gives BERT's logits where every token type is 0."""
    config = DistilBertConfig(
        vocab_size=SIZES["vocab"], dim=SIZES["dim"], hidden_dim=SIZES["hidden"], n_heads=SIZES["heads"],
        n_layers=1, max_position_embeddings=SIZES["positions"],
    )
    model = DistilBertForQuestionAnswering(config).eval()
    model.load_state_dict(converted, strict=True)
    ids = torch.randint(0, SIZES["vocab"], (2, 9))
    with torch.no_grad():
        torch.testing.assert_close(model(ids).start_logits, bert.eval()(ids).start_logits, atol=1e-6, rtol=1e-6)


def base_models():
    bert_config = BertConfig(
        vocab_size=SIZES["vocab"], hidden_size=SIZES["dim"], intermediate_size=SIZES["hidden"],
        num_attention_heads=SIZES["heads"], num_hidden_layers=1, max_position_embeddings=SIZES["positions"],
    )
    distilbert_config = DistilBertConfig(
        vocab_size=SIZES["vocab"], dim=SIZES["dim"], hidden_dim=SIZES["hidden"], n_heads=SIZES["heads"],
        n_layers=1, max_position_embeddings=SIZES["positions"],
    )
    qa = BertForQuestionAnswering(bert_config)
    for parameter in qa.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    bert_qa = qa.state_dict()
    converted = as_distilbert(bert_qa)
    same_model(qa, converted)
    encoder = {name: tensor for name, tensor in bert_qa.items() if name.startswith("bert.")}
    without_head = as_distilbert(encoder)
    bare = {name.removeprefix("bert."): tensor for name, tensor in encoder.items()}
    bare["embeddings.position_ids"] = torch.arange(SIZES["positions"]).expand((1, -1))
    bare["pooler.dense.weight"], bare["pooler.dense.bias"] = torch.randn(8, 8), torch.randn(8)

    base_model("bert_safetensors", bert_config, bare, "safetensors", without_head)
    base_model("bert_zip", bert_config, bare, "zip", without_head, cased=True)
    base_model("bert_legacy_qa", bert_config, bert_qa, "legacy", converted)
    masked_lm = BertForMaskedLM(bert_config).state_dict()
    base_model("bert_sharded_mlm", bert_config, masked_lm, "sharded safetensors", as_distilbert(masked_lm))
    for name, dtype in [("f16", torch.float16), ("bf16", torch.bfloat16)]:
        half = {key: tensor.to(dtype) for key, tensor in bert_qa.items()}
        base_model(f"bert_{name}_safetensors", bert_config, half, "safetensors", as_distilbert(half))
        base_model(f"bert_{name}_zip", bert_config, half, "zip", as_distilbert(half))

    distilbert_qa = {name: tensor + 1 for name, tensor in converted.items()}
    base_model("distilbert_sharded_qa", distilbert_config, distilbert_qa, "sharded bin", distilbert_qa)
    plain = {name: tensor for name, tensor in distilbert_qa.items() if name.startswith("distilbert.")}
    no_prefix = {name.removeprefix("distilbert."): tensor for name, tensor in plain.items()}
    base_model("distilbert_legacy", distilbert_config, no_prefix, "legacy", plain)
    masked_lm = DistilBertForMaskedLM(distilbert_config).state_dict()
    plain = {name: tensor.clone() for name, tensor in masked_lm.items() if name.startswith("distilbert.")}
    base_model("distilbert_mlm", distilbert_config, masked_lm, "zip", plain)


if __name__ == "__main__":
    torch.manual_seed(0)
    pytorch_forms()
    base_models()
