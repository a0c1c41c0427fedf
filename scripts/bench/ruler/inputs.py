"""The data and the models that both sides are given, made in the folder --work; data anew each time, models once."""

import gzip
import json
import pathlib
import subprocess

from .process import ROOT
from .sides import PYTHON

# The default base model, which scripts/setup brings.
MINILM = ROOT / ".cache/models/all-MiniLM-L6-v2"


def settings(args, train: pathlib.Path, validation: pathlib.Path, base_model: pathlib.Path) -> list[str]:
    """distilburn's settings for these files."""
    return [
        f"ingest.train={train}",
        f"ingest.validation={validation}",
        f"ingest.base_model={base_model}",
        "run.device=cpu",
        f"run.threads={args.threads}",
        f"run.precision={args.precision}",
    ]


def train_file(args) -> pathlib.Path:
    return args.data / "squad/train.json.gz"


def dev_file(args) -> pathlib.Path:
    return args.data / "squad/dev-open.json.gz"


def plain_train_file(args) -> pathlib.Path:
    """train.json, unpacked."""
    path = args.work / "train.json"
    path.write_bytes(gzip.decompress(train_file(args).read_bytes()))
    return path


def one_question_file(args) -> pathlib.Path:
    """The first question of dev-open: a validation split that costs nothing."""
    article = json.loads(gzip.decompress(dev_file(args).read_bytes()))["data"][0]
    paragraph = article["paragraphs"][0]
    one = {**article, "paragraphs": [{**paragraph, "qas": paragraph["qas"][:1]}]}
    path = args.work / "one-question.json"
    path.write_text(json.dumps({"version": "1.1", "data": [one]}))
    return path


def shaped_model(args) -> pathlib.Path:
    """The base model that --shape names."""
    return MINILM if args.shape == "minilm" else random_model(args, "distilbert-base")


def tiny_model(args) -> pathlib.Path:
    """A model too small to count, with the tokenizer of the others: for work that reads of a model nothing else."""
    return random_model(args, "distilbert-tiny", dim=16, hidden_dim=16, n_heads=1, n_layers=1)


def random_model(args, name: str, **shape: int) -> pathlib.Path:
    """A DistilBERT with random weights and DATA's tokenizer; DistilBERT-base but for `shape`."""
    folder = args.work / name
    if not (folder / "model.safetensors").exists():
        script = (
            "import json, sys, torch; from transformers import DistilBertConfig, DistilBertModel; "
            "torch.manual_seed(0); config = DistilBertConfig(**json.loads(sys.argv[2])); "
            "DistilBertModel(config).save_pretrained(sys.argv[1])"
        )
        subprocess.run([PYTHON, "-c", script, folder, json.dumps(shape)], check=True)
    for file in ("tokenizer.json", "vocab.txt"):
        (folder / file).write_bytes((args.data / "vocab" / file).read_bytes())
    return folder


def columns(table: pathlib.Path, names: list[str]) -> dict[str, list]:
    """Columns of an Arrow table."""
    script = (
        "import json, sys, pyarrow.ipc; "
        "json.dump(pyarrow.ipc.open_file(sys.argv[1]).read_all().select(sys.argv[2:]).to_pydict(), sys.stdout)"
    )
    return json.loads(subprocess.check_output([PYTHON, "-c", script, table, *names]))
