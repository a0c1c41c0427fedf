"""What Hugging Face makes of questions and contexts: the windows that distilburn must make too.

    .cache/reference-venv/bin/python scripts/reference/features.py
        writes crates/squad/tests/fixtures/features.json from the examples below

    .cache/reference-venv/bin/python scripts/reference/features.py compare INGEST FEATURES [--split validation]
        compares FEATURES/features-SPLIT.arrow, column by column, with the features of the examples in the
        artifact directory INGEST; `distilburn path ingest` and `distilburn path tokenize-features` print
        the two. Exit code 1 on any difference. The tokenizer is that of INGEST/assets.arrow or --tokenizer.

Follows `prepare_train_features` and `prepare_validation_features` of transformers' run_qa example, without
padding, and labels both splits.
"""

import argparse
import json
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "crates/squad/tests/fixtures/features.json"
MINILM = ROOT / ".cache/models/all-MiniLM-L6-v2"
COLUMNS = ("example_index", "input_ids", "offset_mapping", "start_positions", "end_positions")
BATCH = 1000

FOX = "The quick brown fox jumps over the lazy dog, and the dog does not mind at all."


def example(name, question, context, answer=None, start=None, max_length=32, doc_stride=8):
    """One example by hand; `start` is found in the context unless it is given."""
    if answer is not None and start is None:
        start = context.index(answer)
    return {
        "name": name,
        "max_length": max_length,
        "doc_stride": doc_stride,
        "question": question,
        "context": context,
        "answer": None if answer is None else {"text": answer, "start": start},
    }


EXAMPLES = [
    example("plain", "What jumps?", FOX, "quick brown fox"),
    example("several windows", "What jumps?", FOX, "lazy dog", max_length=16, doc_stride=4),
    example("answer across a window's end", "What?", FOX, "over the lazy dog, and", max_length=14, doc_stride=2),
    example("overlap of all but one token", "Who?", FOX, "dog", max_length=12, doc_stride=6),
    example("no overlap", "Who?", FOX, "dog", max_length=12, doc_stride=0),
    example("one token of room", "Who?", FOX, "dog", max_length=6, doc_stride=0),
    example("context fits exactly", "a b", "c d e f", "f", max_length=9, doc_stride=2),
    example("context one token too long", "a b", "c d e f g", "f", max_length=9, doc_stride=2),
    example("no answer", "What jumps?", FOX, max_length=16, doc_stride=4),
    example("answer is the last word, a full stop behind", "Which?", "It was the red fox.", "fox"),
    example("answer is the very last token", "Which?", "It was the red fox", "fox"),
    example("answer ends with the very last token", "Which?", "It was the red fox", "red fox"),
    example("answer is the first token", "Which?", "It was the red fox", "It"),
    example("answer is the whole context", "Which?", "It was the red fox", "It was the red fox"),
    example("answer inside a word", "Which?", "an unbelievable antidisestablishmentarianism", "establish"),
    example("answer with spaces around", "Which?", "It was  the  red fox indeed", "  the  "),
    example("answer is a space", "Which?", "It was the red fox", " "),
    example("answer begins before the first token", "Which?", "   It was the red fox", " It"),
    example("answer runs past the end", "Which?", "It was the red fox", "fox and more", start=15),
    example("empty answer inside", "Which?", "It was the red fox", "", start=7),
    example("negative start", "Which?", "It was the red fox", "It", start=-1),
    example("start is off by one", "Which?", "It was the red fox indeed", "the red", start=6),
    example("question with spaces on the left", " \t\n\u00a0\u2003\x1c\x1f Which one?  ", "It was the red fox.", "red"),
    example("question of spaces", " \t\n\u3000 ", "It was the red fox.", "red"),
    example("empty question", "", "It was the red fox.", "red", max_length=8, doc_stride=1),
    example("empty context", "Which?", ""),
    example("context of spaces", "Which?", " \t\n\u00a0"),
    example("empty question and context", "", ""),
    example("question fills the window, empty context", "a b c d", "", max_length=7, doc_stride=0),
    example("question fills the window", "a b c d", "e", max_length=7, doc_stride=0),
    example("question is too long", "a b c d e f g h", "i", max_length=7, doc_stride=0),
    example("question is too long, empty context", "a b c d e f g h", "", max_length=7, doc_stride=0),
    example("stride fills what the question leaves", "a b c", FOX, max_length=12, doc_stride=6),
    example("stride is wider than what is left, context fits", "a b c", "d e", "e", max_length=12, doc_stride=8),
    example("emoji", "Where is 👩\u200d🔬?", "A 👩\u200d🔬 and a 🏳️\u200d🌈 met 🇩🇪 in Köln 😀😀 once.", "Köln"),
    example("emoji within words", "x", "ab😀cd 😀ef gh😀", "ef"),
    example("combining marks", "Cafe\u0301?", "The cafe\u0301 of Zu\u0308rich serves pa\u0302te\u0301 \u0301 o\u0301\u0323k.", "Zu\u0308rich"),
    example("composed marks", "Café?", "The café of Zürich serves pâté. Ǆ ǅ ốk", "pâté"),
    example("lowercase that grows", "İ?", "İstanbul ve İzmir, ẞ und ß, ΟΔΥΣΣΕΥΣ ﬁn ﬀ ŉ ǰ.", "İzmir"),
    example("CJK", "首都はどこ?", "東京は日本の首都です。人口は1400万人。𠀀𪜀 end", "日本の首都"),
    example("Hangul", "수도?", "서울은 대한민국의 수도이다. 한글", "대한민국"),
    example("Japanese voiced kana", "が?", "がぎぐ ﾊﾟﾋﾟ パピ か\u3099 end", "パピ"),
    example("Hebrew with points", "מי?", "בְּרֵאשִׁית בָּרָא אֱלֹהִים", "בָּרָא"),
    example("Arabic", "أين؟", "القَاهِرَة هي عاصمة مِصر ١٢٣", "عاصمة"),
    example("Devanagari and Thai", "कहाँ?", "हिन्दी भाषा में लिखा है। ภาษาไทยกำลัง end", "भाषा"),
    example("control and format characters", "a\x00b?", "x\x00y\x01 \x7f z\u200b\u200e\ufeff w\u00ad\ufffd v\x85u\x1ct\u2028s\u2029r", "w"),
    example("private use, unassigned and beyond", "x?", "a\ue000b \U0010ffff \u0378 c\U000e0001d e", "e"),
    example("line ends and tabs", "x?", "one\r\ntwo\tthree\vfour\ffive\u3000six\u200aseven", "three"),
    example("punctuation of all kinds", "¿x?", "a—b “c” ‘d’ e…f g·h i$j k^l m`n ¡o! ©®™ ½ ² ①", "“c”"),
    example("special tokens in the question", "[CLS] Which [SEP] one [MASK]?", FOX, "fox"),
    example("special tokens in the context", "Which?", "It [SEP] was[MASK]the [PAD] red[SEP][CLS] fox [UNK] here", "red"),
    example("special token as the answer", "Which?", "It was the [MASK] fox here", "[MASK]"),
    example("special tokens cut by windows", "Which?", "[SEP] a [SEP] b [SEP] c [SEP] d [SEP] e", "d", max_length=10, doc_stride=3),
    example("nearly special tokens", "[sep]", "[ SEP ] [Sep] [SEP [[SEP]] ##ing ## [unused1] [CLS", "##ing"),
    example("a word too long for the vocabulary", "x?", "y " + "pneumono" * 13 + " z " + "a" * 100 + " " + "b" * 101, "z"),
    example("numbers", "How many?", "In 1999, 3.14159 of 1,234,567.89 % were 0x1F or 10^6.", "1,234,567.89"),
    example("wide windows", "What jumps over the dog?", " ".join([FOX] * 8), "dog", start=40 + 79, max_length=64, doc_stride=16),
]


def load_tokenizer(folder):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def features(tokenizer, questions, contexts, answers, max_length, doc_stride):
    """The features of a batch as rows of COLUMNS; answers are None or {"text", "start"}."""
    encodings = tokenizer(
        [question.lstrip() for question in questions],
        contexts,
        truncation="only_second",
        max_length=max_length,
        stride=doc_stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    for row, example_index in enumerate(encodings["overflow_to_sample_mapping"]):
        input_ids, offsets = encodings["input_ids"][row], encodings["offset_mapping"][row]
        sequences = encodings.sequence_ids(row)
        cls = input_ids.index(tokenizer.cls_token_id)
        start, end = positions(offsets, sequences, answers[example_index], cls)
        in_context = [list(pair) if sequence == 1 else None for pair, sequence in zip(offsets, sequences)]
        yield example_index, input_ids, in_context, start, end


def positions(offsets, sequences, answer, cls):
    """run_qa's labels, among them its oddity: the search for the start runs on over the (0, 0) of [SEP]."""
    if answer is None:
        return cls, cls
    start_char, end_char = answer["start"], answer["start"] + len(answer["text"])
    first = sequences.index(1)  # run_qa raises where there is no context, and so do we
    last = len(sequences) - 1 - sequences[::-1].index(1)
    if offsets[first][0] > start_char or offsets[last][1] < end_char:
        return cls, cls
    start = first
    while start < len(offsets) and offsets[start][0] <= start_char:
        start += 1
    end = last
    while offsets[end][1] >= end_char:
        end -= 1
    return start - 1, end + 1


def write_fixture():
    """Each example with its features, or with the reason why Hugging Face makes none."""
    import tokenizers
    import transformers

    tokenizer = load_tokenizer(MINILM)
    cases = []
    for case in EXAMPLES:
        batch = [case["question"]], [case["context"]], [case["answer"]]
        window = case["max_length"], case["doc_stride"]
        try:
            rows = [dict(zip(COLUMNS[1:], row[1:])) for row in features(tokenizer, *batch, *window)]
            cases.append({**case, "features": rows})
        except BaseException as error:  # a panic in the tokenizers library is no Exception
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            cases.append({**case, "error": str(error).split(" (note")[0]})
    header = {
        "command": ".cache/reference-venv/bin/python scripts/reference/features.py",
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
        "tokenizer": str(MINILM.relative_to(ROOT)),
    }
    lines = ",\n".join(json.dumps(case, ensure_ascii=True, separators=(",", ":")) for case in cases)
    FIXTURE.write_text(json.dumps(header, indent=1)[:-2] + ',\n "cases": [\n' + lines + "\n]}\n")
    print(f"{FIXTURE.relative_to(ROOT)}: {len(cases)} cases", file=sys.stderr)


def compare(ingest, features_dir, split, tokenizer_folder):
    """Compares one split with what Hugging Face makes of the same examples; the number of differing rows."""
    import pyarrow as pa

    def table(path):
        with pa.memory_map(str(path)) as source:
            return pa.ipc.open_file(source).read_all()

    settings = json.loads((features_dir / "manifest.json").read_text())["parts"]["settings"]
    window = [settings[f"tokenize-features.{name}"] for name in ("max_length", "doc_stride")]
    examples = table(ingest / f"examples-{split}.arrow")
    contexts = table(ingest / f"contexts-{split}.arrow")["context"]
    ours = table(features_dir / f"features-{split}.arrow")
    tokenizer = load_tokenizer(tokenizer_folder)

    row, differing = 0, {column: 0 for column in COLUMNS}
    for begin in range(0, examples.num_rows, BATCH):
        batch = examples.slice(begin, BATCH).to_pylist()
        answers = [
            {"text": one["answer_texts"][0], "start": one["answer_starts"][0]} if one["answer_texts"] else None
            for one in batch
        ]
        questions = [one["question"] for one in batch]
        texts = [contexts[one["context_id"]].as_py() for one in batch]
        expected = list(features(tokenizer, questions, texts, answers, *window))
        found = ours.slice(row, len(expected)).select(COLUMNS).to_pydict()
        for index, reference in enumerate(expected):
            reference = (reference[0] + begin, *reference[1:])
            for column, value in zip(COLUMNS, reference):
                mine = found[column][index] if index < len(found[column]) else None
                if mine != value:
                    if not differing[column]:
                        print(f"row {row + index}, {column}: {mine} is to be {value}")
                    differing[column] += 1
        row += len(expected)
    for column, count in differing.items():
        print(f"{column:16} {'equal' if not count else f'{count} rows differ'}")
    print(f"{ours.num_rows} features, the reference has {row}")
    return sum(differing.values()) + abs(ours.num_rows - row)


def tokenizer_of(ingest, folder):
    """Writes the assets of an ingest artifact, among them the tokenizer, into a folder."""
    import pyarrow as pa

    with pa.memory_map(str(ingest / "assets.arrow")) as source:
        for asset in pa.ipc.open_file(source).read_all().to_pylist():
            if "/" not in asset["name"]:
                (folder / asset["name"]).write_bytes(asset["data"])
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command")
    comparing = commands.add_parser("compare", help="compare a whole split")
    comparing.add_argument("ingest", type=pathlib.Path, help="artifact directory of the ingest stage")
    comparing.add_argument("features", type=pathlib.Path, help="artifact directory of the tokenize-features stage")
    comparing.add_argument("--split", default="train", choices=("train", "validation"))
    comparing.add_argument("--tokenizer", type=pathlib.Path, help="folder with tokenizer.json instead of the assets")
    args = parser.parse_args()
    if args.command is None:
        write_fixture()
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = args.tokenizer or tokenizer_of(args.ingest, pathlib.Path(scratch))
        return 1 if compare(args.ingest, args.features, args.split, tokenizer) else 0


if __name__ == "__main__":
    sys.exit(main())
