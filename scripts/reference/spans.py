"""The answers that transformers' question answering example selects from logits.

    .cache/reference-venv/bin/python scripts/reference/spans.py
        writes crates/squad/tests/fixtures/spans.json: made-up logits and what is to come of them

    .cache/reference-venv/bin/python scripts/reference/spans.py check UTILS_QA_PY
        runs the same cases through `postprocess_qa_predictions` of transformers' own
        examples/pytorch/question-answering/utils_qa.py, which no package carries; exit code 1 on any difference

`select` follows that function, with f32 logits as there. Its `numpy.argsort` leaves the order of equal
logits open; here it is stable, and the cases with equal logits say so ("ties").
"""

import argparse
import importlib.util
import json
import pathlib
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "crates/squad/tests/fixtures/spans.json"
CONTEXT = "In Köln 😀 the cafe\u0301 was 東京 red, and foxes jumped over it all the day."


def words_as_offsets(context):
    """One token for each word: its characters."""
    offsets, begin = [], 0
    for word in context.split(" "):
        offsets.append([begin, begin + len(word)])
        begin += len(word) + 1
    return offsets


def made_up_cases():
    random = np.random.default_rng(20)
    words = words_as_offsets(CONTEXT)

    def feature(first, last, question_tokens=3, distinct=True, padding=0, scale=3.0):
        """A window over some words; `distinct` logits are all different, else of five values only."""
        offsets = [None] * (question_tokens + 2) + words[first:last] + [None]
        size = len(offsets) + padding
        draw = lambda: scale * random.permutation(size) / 10 if distinct else random.integers(-2, 3, size)
        start_logits, end_logits = ((draw() - scale).round(9).tolist() for _ in range(2))
        return {"offset_mapping": offsets, "start_logits": start_logits, "end_logits": end_logits}

    def case(name, features, n_best=6, max_answer_length=30, null_threshold=0.0, version_2=False, context=CONTEXT):
        settings = {"n_best": n_best, "max_answer_length": max_answer_length, "null_threshold": null_threshold}
        return {"name": name, "context": context, "settings": settings, "version_2": version_2, "features": features}

    def outside(feature):
        """The same window with its best logits outside the context."""
        for name in ("start_logits", "end_logits"):
            feature[name] = [9.0 - i if offsets is None else -9.0 for i, offsets in enumerate(feature["offset_mapping"])]
        return feature

    yield case("one window", [feature(0, 14)])
    yield case("three windows", [feature(0, 6), feature(4, 10), feature(8, 14)], n_best=20)
    yield case("few best", [feature(0, 8), feature(6, 14)], n_best=3)
    yield case("the best one only", [feature(0, 14), feature(0, 14)], n_best=1)
    yield case("short answers", [feature(0, 14)], max_answer_length=2)
    yield case("one token", [feature(0, 14)], max_answer_length=1)
    yield case("no length at all", [feature(0, 14)], max_answer_length=0)
    yield case("logits of padding", [feature(0, 14, padding=9), feature(2, 14, padding=3)])
    yield case("best logits outside the context", [outside(feature(0, 14))], n_best=4)
    yield case("nothing in the context", [feature(0, 0)])
    crossed = {"start_logits": [0, 0, 0, 0, 0, 1, 9, 0], "end_logits": [0, 0, 0, 0, 0, 9, 1, 0]}
    yield case("end before start", [{**feature(0, 2), **crossed}], n_best=1)
    yield case("extreme logits", [feature(0, 14, scale=1e4), feature(0, 14, scale=1e-6)])
    yield case("ties in one window", [feature(0, 14, distinct=False)], n_best=5)
    yield case("ties over windows", [feature(0, 9, distinct=False), feature(5, 14, distinct=False)], n_best=6)
    level = {"start_logits": [1.0] * 12, "end_logits": [1.0] * 12}
    yield case("ties everywhere", [{**feature(0, 6), **level}], n_best=7)
    for threshold in (-50.0, -2.0, 0.0, 2.0, 50.0):
        for windows in (1, 2, 3):
            features = [feature(0, 14) for _ in range(windows)]
            yield case(f"may have no answer: {threshold}, {windows}", features, null_threshold=threshold, version_2=True)
    yield case("no answer among few best", [feature(0, 14), feature(0, 14)], n_best=2, version_2=True)
    yield case("no answer, nothing in the context", [feature(0, 0)], version_2=True)
    yield case("no answer, nothing in the context, high threshold", [feature(0, 0)], null_threshold=50.0, version_2=True)
    yield case("no answer, ties", [{**feature(0, 6), **level}], n_best=4, version_2=True)


def select(case):
    """The answer's text, the n-best list and the null score; -1 stands for no place in the context."""
    n_best, max_answer_length = case["settings"]["n_best"], case["settings"]["max_answer_length"]
    spans, null = [], None
    for feature in case["features"]:
        start_logits = np.array(feature["start_logits"], dtype=np.float32)
        end_logits = np.array(feature["end_logits"], dtype=np.float32)
        offsets = feature["offset_mapping"]
        null_score = start_logits[0] + end_logits[0]
        if null is None or null["score"] > null_score:
            null = span((0, 0), start_logits[0], end_logits[0])
        largest = lambda logits: np.argsort(logits, kind="stable")[::-1][:n_best].tolist()
        for start in largest(start_logits):
            for end in largest(end_logits):
                if max(start, end) >= len(offsets) or offsets[start] is None or offsets[end] is None:
                    continue
                if 1 <= end - start + 1 <= max_answer_length:
                    spans.append(span((offsets[start][0], offsets[end][1]), start_logits[start], end_logits[end]))
    if case["version_2"]:
        spans.append(null)
    spans = sorted(spans, key=lambda span: span["score"], reverse=True)[:n_best]
    if case["version_2"] and all(span["offsets"] != (0, 0) for span in spans):
        spans.append(null)
    for one in spans:
        one["text"] = case["context"][slice(*one["offsets"])]
    if not spans or (len(spans) == 1 and not spans[0]["text"]):
        spans.insert(0, {**span((0, 0), 0.0, 0.0), "text": "empty"})

    scores = np.array([span["score"] for span in spans], dtype=np.float64)
    weights = np.exp(scores - scores.max())
    for one, probability in zip(spans, weights / weights.sum()):
        one["probability"] = probability

    text = spans[0]["text"]
    if case["version_2"]:
        best = next(span for span in spans if span["text"])
        difference = null["score"] - best["start_logit"] - best["end_logit"]
        text = "" if difference > case["settings"]["null_threshold"] else best["text"]
    n_best = [
        {
            "text": span["text"],
            "start_char": -1 if span["offsets"] == (0, 0) else span["offsets"][0],
            "end_char": -1 if span["offsets"] == (0, 0) else span["offsets"][1],
            "score": shortened(span["score"]),
            "probability": round(float(span["probability"]), 9),
        }
        for span in spans
    ]
    return {"text": text, "null_score": shortened(null["score"]) if case["version_2"] else None, "n_best": n_best}


def shortened(score):
    """The shortest decimal that is the same f32."""
    return float(str(np.float32(score)))


def span(offsets, start_logit, end_logit):
    return {"offsets": offsets, "start_logit": start_logit, "end_logit": end_logit, "score": start_logit + end_logit}


def write_fixture():
    cases = [{**case, "expected": select(case)} for case in made_up_cases()]
    header = {
        "command": ".cache/reference-venv/bin/python scripts/reference/spans.py",
        "numpy": np.__version__,
    }
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    FIXTURE.write_text(json.dumps(header, indent=1)[:-2] + ',\n "cases": [\n' + lines + "\n]}\n")
    print(f"{FIXTURE.relative_to(ROOT)}: {len(cases)} cases", file=sys.stderr)


def check(utils_qa):
    """Compares `select` with the original on the cases without equal logits."""
    specification = importlib.util.spec_from_file_location("utils_qa", utils_qa)
    original = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(original)
    checked = differing = 0
    for case in made_up_cases():
        if "ties" in case["name"]:
            continue
        length = max(len(feature["start_logits"]) for feature in case["features"])
        logits = [[padded(feature[name], length) for feature in case["features"]] for name in ("start_logits", "end_logits")]
        examples = Rows([{"id": "0", "context": case["context"]}])
        features = [{"example_id": "0", "offset_mapping": feature["offset_mapping"]} for feature in case["features"]]
        settings = case["settings"]
        with tempfile.TemporaryDirectory() as folder:
            text = original.postprocess_qa_predictions(
                examples,
                features,
                logits,
                case["version_2"],
                settings["n_best"],
                settings["max_answer_length"],
                settings["null_threshold"],
                folder,
            )["0"]
            theirs = json.loads((pathlib.Path(folder) / "nbest_predictions.json").read_text())["0"]
        ours = select(case)
        same = lambda a, b: a["text"] == b["text"] and abs(a["probability"] - b["probability"]) <= 1e-6
        equal = text == ours["text"] and len(theirs) == len(ours["n_best"]) and all(map(same, theirs, ours["n_best"]))
        checked, differing = checked + 1, differing + (not equal)
        if not equal:
            print(f"{case['name']}: {text!r} against {ours['text']!r}")
    print(f"{checked} cases, {differing} differ")
    return 1 if differing else 0


def padded(logits, length):
    """As a batch has them; what is padded can win nothing."""
    return np.pad(np.array(logits, dtype=np.float32), (0, length - len(logits)), constant_values=-1e30)


class Rows(list):
    """As much of a `datasets.Dataset` as the original asks for: rows, and columns by name."""

    def __getitem__(self, key):
        return [row[key] for row in self] if isinstance(key, str) else super().__getitem__(key)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command")
    checking = commands.add_parser("check", help="compare with transformers' own function")
    checking.add_argument("utils_qa", type=pathlib.Path)
    args = parser.parse_args()
    if args.command == "check":
        return check(args.utils_qa)
    write_fixture()
    return 0


if __name__ == "__main__":
    sys.exit(main())
