"""Exact match and F1 as the official SQuAD scripts have them, and F1 over characters, on answers picked to be nasty.

    .cache/reference-venv/bin/python scripts/reference/metrics.py
        writes crates/squad/tests/fixtures/metrics.json

    .cache/reference-venv/bin/python scripts/reference/metrics.py score DATASET PREDICTIONS
        prints EM and F1 of a predictions file (id to text) against a SQuAD file, .json or .json.gz

`normalize` and the scores follow evaluate-v1.1.py, the names with v2 evaluate-v2.0.py; only Python can say what its
`lower`, `split` and `\\b` do. `characters` follows mlqa_evaluation_v1.py: punctuation goes first, then articles, and
`mixed_segmentation` makes a unit of each character of the scripts below, where MLQA has Chinese alone.
"""

import argparse
import collections
import gzip
import json
import pathlib
import re
import string
import sys
import unicodedata

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "crates/squad/tests/fixtures/metrics.json"

# (prediction, ground truths)
CASES = [
    ("Denver Broncos", ["Denver Broncos", "Broncos"]),
    ("the denver broncos!", ["Denver Broncos"]),
    ("Denver", ["Denver Broncos", "The Broncos of Denver"]),
    ("x x y", ["x z", "x x"]),
    ("", ["Denver"]),
    ("the", ["a"]),
    ("", [""]),
    ("...", ["the ... an"]),
    ("a a a the an b", ["b"]),
    ("an apple a day", ["apple day"]),
    ("A-Team", ["a team", "ateam"]),
    ("the_cat a_b", ["thecat ab"]),
    ("U.S.A.", ["usa", "US A"]),
    ("$1,234.56", ["123456", "1,234.56 dollars"]),
    ("a\u0301 b", ["\u0301 b", "b"]),
    ("th\u00e9 \u00e1 \u00e4n", ["the a an"]),
    ("a\u0903b the\u20dd \u24d0a a\u00b2 a\u2160 \u0661a", ["a"]),
    ("a\u200bthe\u00adan", ["\u200b \u00ad"]),
    ("\u0130stanbul", ["istanbul", "i\u0307stanbul"]),
    ("\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3", ["\u03bf\u03b4\u03c5\u03c3\u03c3\u03b5\u03c5\u03c2"]),
    ("\u03a3 A\u03a3. \u0391\u03a3\u0391 A\u03a3\u0301 1\u03a3 \u0130\u03a3", ["\u03c3"]),
    ("STRASSE \u1e9e \u00df", ["strasse \u00df \u00df"]),
    ("x\x1cy\x1dz\x1ew\x1fv", ["x y z w v"]),
    ("x\x85y\xa0z\u2003w\u3000v\u1680u\u202ft", ["x y z w v u t"]),
    ("x\u200by\ufeffz\u180ew\u2060v", ["x y z w v"]),
    ("\x00a\x00 \x0b\x0cb", ["b", "\x00 \x00 b"]),
    ("\u2018a\u2019 \u201cthe\u201d \u2014an\u2014", ["\u2018 \u2019 \u201c \u201d \u2014 \u2014"]),
    ("\u00bd \u2153a", ["\u00bd"]),
    ("\u6771\u4eac the \u90fd", ["\u6771\u4eac\u90fd", "\u6771\u4eac \u90fd"]),
    ("the\u6771 a\u0e01 an\U0001f600", ["\U0001f600"]),
    ("\U0001f600 a \U0001f600", ["\U0001f600", "\U0001f600 \U0001f600"]),
    ("THE AN A The aN", [""]),
    (" \t\n ", [""]),
    ("`~!@#$%^&*()_+-=[]{}\\|;:'\",.<>/?", [""]),
    ("\u00a7 \u20ac \u00b0 \u00bf", ["\u00a7 \u20ac \u00b0 \u00bf"]),
    ("one two three four five six seven", ["two four six eight", "seven six five four three two one", "one"]),
    ("", []),
    ("the", []),
    ("cat", []),
    ("the", ["a", "cat"]),
    ("cat", ["the", "..."]),
    ("", ["the"]),
    ("\u6771\u4eac\u90fd", ["\u4eac\u90fd", "\u6771\u4eac"]),
    ("\u5317\u4eac\u5e02\u7684 New York", ["\u5317\u4eac new york"]),
    ("1984\u5e74\u3001\u5927\u962a\u5e9c", ["1984\u5e74", "\u5927\u962a\u5e9c\uff08\u65e5\u672c\uff09"]),
    ("\u30b5\u30fc\u30d0\u30fc\u306e", ["\u30b5\u30fc\u30d0"]),
    ("\uff7b\uff70\uff8a\uff9e\uff70", ["\uff7b\uff70\uff8a\uff9e"]),
    ("\u4eba\u3005\u3007", ["\u3005\u3007", "\u4eba\u4eba"]),
    ("\U00020000\u3400\uf900", ["\u3400 \U00020000"]),
    ("\uc11c\uc6b8\uc5d0\uc11c", ["\uc11c\uc6b8"]),
    ("\u1112\u1161\u11ab", ["\u1112\u1161"]),
    ("\u0e01\u0e23\u0e38\u0e07\u0e40\u0e17\u0e1e", ["\u0e01\u0e23\u0e38\u0e07"]),
    ("\u0ea7\u0ebd\u0e87\u0e88\u0eb1\u0e99", ["\u0ea7\u0ebd\u0e87"]),
    ("\u1797\u17d2\u1793\u17c6\u1796\u17c1\u1789", ["\u1797\u17d2\u1793\u17c6"]),
    ("\u101b\u1014\u103a\u1000\u102f\u1014\u103a", ["\u101b\u1014\u103a"]),
    ("\u3002", ["\u3001"]),
    ("\u201cthe\u201d cat\u2014dog", ["catdog", "cat dog"]),
    ("\u0939\u093f\u0928\u094d\u0926\u0940 \u0645\u0631\u062d\u0628\u0627", ["\u0939\u093f\u0928\u094d\u0926\u0940"]),
]

# Beginnings of the names of characters that are units by themselves.
UNSPACED = (
    "CJK UNIFIED IDEOGRAPH", "CJK COMPATIBILITY IDEOGRAPH", "IDEOGRAPHIC ITERATION MARK", "IDEOGRAPHIC NUMBER",
    "HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA", "HANGUL", "HALFWIDTH HANGUL", "THAI", "LAO", "KHMER", "MYANMAR",
)


def normalize(text):
    text = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def exact_match(prediction, ground_truth):
    return float(normalize(prediction) == normalize(ground_truth))


def f1(prediction, ground_truth):
    prediction, ground_truth = normalize(prediction).split(), normalize(ground_truth).split()
    same = sum((collections.Counter(prediction) & collections.Counter(ground_truth)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(prediction), same / len(ground_truth)
    return (2 * precision * recall) / (precision + recall)


def tokens_f1(prediction, ground_truth):
    """compute_f1 of evaluate-v2.0.py, on tokens."""
    if not prediction or not ground_truth:
        return float(prediction == ground_truth)
    same = sum((collections.Counter(prediction) & collections.Counter(ground_truth)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(prediction), same / len(ground_truth)
    return (2 * precision * recall) / (precision + recall)


def f1_v2(prediction, ground_truth):
    return tokens_f1(normalize(prediction).split(), normalize(ground_truth).split())


def characters(text):
    is_punctuation = lambda c: c in string.punctuation or unicodedata.category(c).startswith("P")
    text = "".join(c for c in text.lower() if not is_punctuation(c))
    units, word = [], ""
    for c in re.sub(r"\b(a|an|the)\b", " ", text):
        if unicodedata.name(c, "").startswith(UNSPACED):
            units += [*word.split(), c]
            word = ""
        else:
            word += c
    return units + word.split()


def characters_f1(prediction, ground_truth):
    return tokens_f1(characters(prediction), characters(ground_truth))


def best(metric, prediction, ground_truths):
    return max((metric(prediction, ground_truth) for ground_truth in ground_truths), default=0.0)


def best_v2(metric, prediction, ground_truths):
    return best(metric, prediction, [truth for truth in ground_truths if normalize(truth)] or [""])


def write_fixture():
    cases = [
        {
            "prediction": prediction,
            "ground_truths": ground_truths,
            "normalized": normalize(prediction),
            "exact_match": best(exact_match, prediction, ground_truths),
            "f1": best(f1, prediction, ground_truths),
            "exact_match_v2": best_v2(exact_match, prediction, ground_truths),
            "f1_v2": best_v2(f1_v2, prediction, ground_truths),
            "characters_f1": best_v2(characters_f1, prediction, ground_truths),
        }
        for prediction, ground_truths in CASES
    ]
    header = {
        "command": ".cache/reference-venv/bin/python scripts/reference/metrics.py",
        "unicode": unicodedata.unidata_version,
    }
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    FIXTURE.write_text(json.dumps(header, indent=1)[:-2] + ',\n "cases": [\n' + lines + "\n]}\n")
    print(f"{FIXTURE.relative_to(ROOT)}: {len(cases)} cases", file=sys.stderr)


def score(dataset, predictions):
    opened = gzip.open(dataset) if dataset.suffix == ".gz" else dataset.open("rb")
    with opened as file:
        articles = json.load(file)["data"]
    predictions = json.loads(predictions.read_text())
    questions = [qa for article in articles for paragraph in article["paragraphs"] for qa in paragraph["qas"]]
    sums = collections.Counter()
    for qa in questions:
        if qa["id"] in predictions:
            truths = [answer["text"] for answer in qa["answers"]]
            for name, metric in (("exact_match", exact_match), ("f1", f1)):
                sums[name] += best(metric, predictions[qa["id"]], truths)
    print(json.dumps({name: 100.0 * sums[name] / len(questions) for name in ("exact_match", "f1")}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command")
    scoring = commands.add_parser("score", help="score a predictions file")
    scoring.add_argument("dataset", type=pathlib.Path)
    scoring.add_argument("predictions", type=pathlib.Path)
    args = parser.parse_args()
    if args.command == "score":
        score(args.dataset, args.predictions)
    else:
        write_fixture()


if __name__ == "__main__":
    main()
