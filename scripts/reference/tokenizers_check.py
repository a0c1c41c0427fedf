"""Do AutoTokenizer and distilburn turn the same texts into the same ids?

    .cache/reference-venv/bin/python scripts/reference/tokenizers_check.py [MODEL_DIR ...]

distilburn tokenizes with tokenizer.json, so its ids are those of the tokenizers library. MODEL_DIR is an exported model, or
any folder with a tokenizer and config.json. Without one, six base models are made of .cache/models/all-MiniLM-L6-v2, each is
ingested with target/release/distilburn-ingest, and what ingest made of its tokenizer is checked, which is what export
copies. Needs transformers, tokenizers and pyarrow, no PyTorch. Exit code 1 on any difference.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer
from transformers import AutoTokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASE = ROOT / ".cache/models/all-MiniLM-L6-v2"
NASTY = [
    "", " ", "\t\n\r\u00a0\u3000", "Hello, World!", "Who wrote it?  Two  spaces.", "in 1984 and 2001: 50,000 of 1e10",
    "[CLS] literal [SEP] special [PAD] tokens [MASK] [UNK]", "[sep] lower ##ing ##wordpieces",
    "naïve café Ångström", "nai\u0308ve cafe\u0301 decomposed", "ẞ ß İ ı Ǆ ﬁ ﬀ ½ ①",
    "東京は日本の首都です。", "한국어 문장", "ภาษาไทย", "हिन्दी में क्षत्रिय", "مرحبا بالعالم", "שָׁלוֹם",
    "👩‍👩‍👧‍👦 🇩🇪 👍🏽 emoji", "zero\u200bwidth\u200djoiner \ufeffbom \u00adsoft", "nul\x00 bell\x07 esc\x1b del\x7f",
    "replacement \ufffd private \ue000 tag \U000e0041", "a" * 101, "a" * 99 + " " + "b" * 200, "antidisestablishmentarianism",
    "don't $1,000.50 3.14e-10 (x_y) <tag> C++/C# user@example.com", "—–‘’“”…¿¡«»", "日本 mixed with English και ελληνικά",
    "an <ent> and<ent>another", "the the The THE",
]  # fmt: skip


def tokenizer_problems(folder: pathlib.Path) -> list[str]:
    """Texts that AutoTokenizer and tokenizer.json encode differently, alone or as question and context."""
    auto, plain = AutoTokenizer.from_pretrained(folder), Tokenizer.from_file(str(folder / "tokenizer.json"))
    problems = []
    if plain.truncation or plain.padding:
        problems.append("tokenizer.json carries truncation or padding")
    if "token_type_ids" in auto.model_input_names:
        problems.append("AutoTokenizer gives token_type_ids, which DistilBERT does not take")
    pairs = [(text, None) for text in NASTY]
    pairs += [(text, pair) for text, pair in zip(NASTY, reversed(NASTY)) if pair]  # transformers takes "" for no pair
    for text, pair in pairs:
        ours, theirs = plain.encode(text, pair), auto(text, pair, return_offsets_mapping=True)
        if theirs["input_ids"] != ours.ids:
            problems.append(f"ids of {text[:40]!r}, {pair and pair[:40]!r}: {theirs['input_ids']} and {ours.ids}")
        if [tuple(offset) for offset in theirs["offset_mapping"]] != ours.offsets:
            problems.append(f"offsets of {text[:40]!r}, {pair and pair[:40]!r}")
    print(f"{type(auto).__name__}: {len(pairs)} texts and pairs, {len(problems)} problems", file=sys.stderr)
    return problems


def bases(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Base models that differ in their tokenizer alone."""
    made = {}

    def base(name: str, change=None, config=None, without=()) -> None:
        made[name] = folder / name
        made[name].mkdir()
        for file in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"):
            if file not in without:
                shutil.copy(BASE / file, made[name])
        if change:
            tokenizer = json.loads((BASE / "tokenizer.json").read_text())
            change(tokenizer)
            (made[name] / "tokenizer.json").write_text(json.dumps(tokenizer))
        if config is not None:
            (made[name] / "tokenizer_config.json").write_text(json.dumps(config))

    def digits(tokenizer):
        parts = [{"type": "BertPreTokenizer"}, {"type": "Digits", "individual_digits": True}]
        tokenizer["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": parts}

    def cased(tokenizer):
        tokenizer["normalizer"]["lowercase"] = False

    def other_parts(tokenizer):
        tokenizer["normalizer"]["clean_text"] = False
        tokenizer["model"]["max_input_chars_per_word"] = 20

    base("uncased")
    base("cased", cased, {"do_lower_case": False, "tokenizer_class": "BertTokenizer"})
    base("cased by its configuration alone", None, {"do_lower_case": False, "strip_accents": False})
    base("digits", digits, {"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": True})
    base("other parts", other_parts, {"tokenizer_class": "BertTokenizer"})
    base("vocabulary alone", without=("tokenizer.json", "tokenizer_config.json"))
    # As in transformers, the last of two equal lines counts; the vocabulary may end in blank lines.
    vocabulary = made["vocabulary alone"] / "vocab.txt"
    lines = vocabulary.read_text().splitlines()
    lines[999] = "the"
    vocabulary.write_text("\n".join([*lines, "", ""]))
    return made


def ingested(base: pathlib.Path, output: pathlib.Path) -> pathlib.Path:
    """The tokenizer and configuration that ingest makes of a base model."""
    import pyarrow as pa

    settings = {"ingest.base_model": base, "ingest.max_train_examples": 5, "ingest.max_validation_examples": 5}
    sets = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    command = [ROOT / "target/release/distilburn-ingest", "--quiet", "--output", output, *sets]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    folder = output / "assets"
    folder.mkdir()
    for row in pa.ipc.open_file(output / "assets.arrow").read_all().to_pylist():
        name, content = row.values()
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def main() -> None:
    problems = []
    folders = {name: pathlib.Path(name) for name in sys.argv[1:]}
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        if not folders:
            folders = {name: ingested(base, scratch / f"of {name}") for name, base in bases(scratch).items()}
        for name, folder in folders.items():
            print(f"{name}:", end=" ", file=sys.stderr)
            problems += [f"{name}: {problem}" for problem in tokenizer_problems(folder)]
    for problem in problems:
        print(f"DIFFERENT {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
