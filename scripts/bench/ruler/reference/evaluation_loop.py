"""run_qa's pass over the validation features, timed: what scripts/bench/compare sets beside distilburn's inference.

    .cache/reference-venv/bin/python scripts/bench/ruler/reference/evaluation_loop.py INPUT_IDS.json --model FOLDER

INPUT_IDS.json holds the token ids of each feature. The loop is that of `Trainer.evaluate`: features padded to
--max-length come one after the other from a DataLoader with the default collator; the model, in evaluation mode,
without gradients, under autocast, gives logits, which are widened to f32, put together and made NumPy arrays. Prints
one JSON object: the seconds of that, and how many features there are. Padding the features and loading the model come
before.
"""

import argparse
import json
import pathlib
import sys
import time

import torch
from torch.utils.data import DataLoader
from transformers import default_data_collator

sys.path.append(str(pathlib.Path(__file__).resolve().parents[3] / "reference"))
from train import base_model  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input_ids", type=pathlib.Path)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--precision", choices=("fp32", "bf16"), required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--max-length", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    features = [padded(feature, options.max_length) for feature in json.loads(options.input_ids.read_text())]
    model = base_model(options.model, 42).eval()
    loader = DataLoader(features, batch_size=options.batch_size, collate_fn=default_data_collator)

    begin = time.perf_counter()
    start_logits, end_logits = [], []
    for batch in loader:
        # Entered anew for each batch, as the Trainer does: the weights are cast each time.
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16"):
            output = model(**batch)
        start_logits.append(output.start_logits.float())
        end_logits.append(output.end_logits.float())
    logits = [torch.cat(batches).numpy() for batches in (start_logits, end_logits)]
    seconds = time.perf_counter() - begin
    print(json.dumps({"seconds": seconds, "features": len(logits[0])}))


def padded(feature: list[int], length: int) -> dict[str, list[int]]:
    padding = [0] * (length - len(feature))
    return {"input_ids": feature + padding, "attention_mask": [1] * len(feature) + padding}


if __name__ == "__main__":
    main()
