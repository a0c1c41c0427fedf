"""A pass over features by an engine that people deploy, timed: what scripts/bench/compare sets beside distilburn's inference.

    .cache/engines-venv/bin/python scripts/bench/ruler/reference/engine.py ENGINE INPUT_IDS.json --model FOLDER --work FOLDER

ENGINE is one of `openvino`, `onnxruntime` and `torch-compile`. INPUT_IDS.json holds the token ids of each feature. The model is
exported to ONNX once (into --work, from PyTorch, with batch and length open) and loaded before the time starts; features are
sorted by length and padded to the longest of their batch. Precisions: `bf16` and `fp32`, and `int8` (onnxruntime only: weights
quantized to 8 bits, activations as they come). Prints one JSON object: the seconds from the first batch to the logits of all
features, and how many features there are.

    … engine.py ENGINE --answers DATASET --model FOLDER --work FOLDER

answers the questions of a SQuAD file instead, and prints exact match and F1 too: what a speed costs.
"""

import argparse
import json
import pathlib
import sys
import time

import numpy as np
import torch
from transformers import AutoTokenizer

sys.path.append(str(pathlib.Path(__file__).resolve().parents[3] / "reference"))
import train  # noqa: E402
from train import base_model  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=("openvino", "onnxruntime", "torch-compile"))
    parser.add_argument("input_ids", type=pathlib.Path, nargs="?")
    parser.add_argument("--answers", type=pathlib.Path, metavar="DATASET")
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--precision", choices=("fp32", "bf16", "int8"), required=True)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_intermixed_args()
    torch.set_num_threads(options.threads)
    run = {"openvino": openvino, "onnxruntime": onnxruntime, "torch-compile": torch_compile}[options.engine](options)
    if options.answers:
        print(json.dumps(answers(run, options)))
        return
    features = sorted(json.loads(options.input_ids.read_text()), key=len)
    batches = [features[first : first + options.batch_size] for first in range(0, len(features), options.batch_size)]
    # Of each kind of size once: memory, and what an engine compiles as it goes.
    for batch in (batches[0], batches[len(batches) // 2], batches[-1]):
        run(batch)
    begin = time.perf_counter()
    logits = [row for batch in batches for row in run(batch)[0]]
    seconds = time.perf_counter() - begin
    print(json.dumps({"seconds": seconds, "features": len(logits)}))


def padded(batch: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    ids = np.zeros((len(batch), max(map(len, batch))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, feature in enumerate(batch):
        ids[row, : len(feature)] = feature
        mask[row, : len(feature)] = 1
    return ids, mask


def exported(options) -> pathlib.Path:
    """The model as ONNX."""
    path = options.work / f"{options.model.name}.onnx"
    if not path.exists():
        model = base_model(options.model, 42).eval()
        model.config.return_dict = False
        ids = torch.ones(2, 16, dtype=torch.long)
        names = {"input_names": ["input_ids", "attention_mask"], "output_names": ["start_logits", "end_logits"]}
        axes = {name: {0: "batch", 1: "length"} for name in [*names["input_names"], *names["output_names"]]}
        torch.onnx.export(model, (ids, ids), path, **names, dynamic_axes=axes, opset_version=17, dynamo=False)
    return path


def openvino(options):
    import openvino

    core = openvino.Core()
    hints = {"INFERENCE_PRECISION_HINT": {"bf16": "bf16", "fp32": "f32"}[options.precision],
             "INFERENCE_NUM_THREADS": options.threads, "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(core.read_model(exported(options)), "CPU", hints).create_infer_request()

    def run(batch):
        ids, mask = padded(batch)
        results = request.infer({"input_ids": ids, "attention_mask": mask})
        return results["start_logits"].copy(), results["end_logits"].copy()

    return run


def onnxruntime(options):
    import onnxruntime

    path = exported(options)
    if options.precision == "int8":
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantized = path.with_suffix(".int8.onnx")
        if not quantized.exists():
            quantize_dynamic(path, quantized, weight_type=QuantType.QInt8, per_channel=True)
        path = quantized
    elif options.precision == "bf16":
        sys.exit("engine: ONNX Runtime has no bf16 kernels for the CPU")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])

    def run(batch):
        ids, mask = padded(batch)
        return session.run(["start_logits", "end_logits"], {"input_ids": ids, "attention_mask": mask})

    return run


def torch_compile(options):
    model = base_model(options.model, 42).eval()
    compiled = torch.compile(model, dynamic=True)

    def run(batch):
        ids, mask = (torch.from_numpy(array) for array in padded(batch))
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16"):
            output = compiled(input_ids=ids, attention_mask=mask)
        return output.start_logits.float().numpy(), output.end_logits.float().numpy()

    return run


def answers(run, options) -> dict:
    """Exact match and F1 of the engine's logits, by the reference's choice of spans."""
    examples = train.read_squad(options.answers, None)
    window = argparse.Namespace(max_length=384, doc_stride=128)
    rows = train.windows(AutoTokenizer.from_pretrained(options.model), examples, window)

    def model(input_ids, attention_mask):
        lengths = attention_mask.sum(1).tolist()
        starts, ends = run([ids[:length].tolist() for ids, length in zip(input_ids, lengths)])
        return argparse.Namespace(start_logits=torch.from_numpy(starts), end_logits=torch.from_numpy(ends))

    model.eval = lambda: None
    predictions = train.predict(model, examples, rows, argparse.Namespace(precision="fp32"))
    return {"questions": len(examples), **train.score(examples, predictions)}


if __name__ == "__main__":
    main()
