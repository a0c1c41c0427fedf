//! Names and shapes of the same questions, and ambiguous ones that must not be guessed.

use arrow::array::{RecordBatch, StringArray};

use super::tables::parquet_row;
use super::*;

const CONTEXT: &str = r#""context": "the cat sat", "question": "who?""#;

/// The answers of the only question of this text.
pub(super) fn answers(text: &str) -> Option<Vec<Answer>> {
    let articles = read_all(text.as_bytes()).unwrap_or_else(|message| panic!("{text}\n{message}"));
    let questions = flat(&articles);
    assert_eq!(questions.len(), 1, "{text}");
    questions.into_iter().next().unwrap().2.answers
}

pub(super) fn cat(answer_start: Option<i32>) -> Answer {
    Answer { text: "cat".to_owned(), answer_start }
}

#[test]
fn answers_mean_the_same_in_every_shape() {
    let placed = [
        r#""answers": {"text": ["cat"], "answer_start": [4]}"#,
        r#""answers": {"text": "cat", "answer_start": 4}"#,
        r#""answers": {"text": "cat", "answer_start": "4"}"#,
        r#""answers": [{"text": "cat", "answer_start": 4.0}]"#,
        r#""answers": [{"answer_start": 4, "text": "cat", "answer_id": 1, "answer_category": null}]"#,
        r#""answers": [{"start": 4, "end": 7, "text": "cat"}]"#,
        r#""answers": {"text": "cat", "answer_start": 4}, "answer_start": 4"#,
        r#""answer": "cat", "answer_start": 4"#,
        r#""answer": ["cat"], "answer_start": [4]"#,
        r#""Answer Text": "cat", "answerStart": "4""#,
        r#""text": "cat", "answer_start": 4"#,
        r#""answers": ["cat"], "detected_answers": [{"text": "cat", "char_spans": [[4, 6], [9, 11]]}]"#,
        r#""answers": ["cat"], "detected_answers": {"text": ["cat"], "char_spans": [{"start": [4], "end": [6]}]}"#,
    ];
    for shape in placed {
        assert_eq!(answers(&format!("{{{CONTEXT}, {shape}}}")), Some(vec![cat(Some(4))]), "{shape}");
    }
    for shape in [r#""answers": "cat""#, r#""answers": ["cat"]"#, r#""answers": {"text": ["cat"]}"#] {
        assert_eq!(answers(&format!("{{{CONTEXT}, {shape}}}")), Some(vec![cat(None)]), "{shape}");
    }
    assert_eq!(
        answers(&format!(r#"{{{CONTEXT}, "answers": 1999}}"#)).unwrap()[0].text,
        "1999",
        "a number is the text that it stands for"
    );
}

#[test]
fn no_answer_and_no_label_are_two_things_in_every_form() {
    let none = [
        r#""answers": []"#,
        r#""answers": {"text": [], "answer_start": []}"#,
        r#""answers": null, "is_impossible": true"#,
        r#""is_impossible": true, "plausible_answers": [{"text": "cat", "answer_start": 4}]"#,
        r#""answers": [], "is_impossible": null"#,
    ];
    let unlabelled = [
        r#""title": null"#,
        r#""answers": null"#,
        r#""answers": null, "is_impossible": null"#,
        r#""plausible_answers": []"#,
    ];
    for (shapes, expected) in [(&none[..], Some(Vec::new())), (&unlabelled, None)] {
        for shape in shapes {
            let row = format!("{{{CONTEXT}, {shape}}}");
            assert_eq!(answers(&row), expected, "{row}");
            assert_eq!(answers(&format!("[{row}]")), expected, "{row}");
            let qa = format!(r#"{{"id": "a", "question": "who?", {shape}}}"#);
            let squad = format!(
                r#"{{"data": [{{"title": null, "paragraphs": [{{"context": "the cat sat", "qas": [{qa}]}}]}}]}}"#
            );
            assert_eq!(answers(&squad), expected, "{squad}");
        }
    }
    for empty in [
        r#"[{"text": ""}]"#,
        r#"[{"text": "", "answer_start": -1}]"#,
        r#"{"text": "", "answer_start": []}"#,
        r#""""#,
    ] {
        let answers = answers(&format!(r#"{{{CONTEXT}, "answers": {empty}}}"#)).unwrap();
        assert!(answers.iter().all(Answer::is_empty), "{empty}: an empty text, which means no answer");
    }
    assert_eq!(answers("context,question\nthe cat sat,who?\n"), None);
    assert_eq!(answers("context,question,answer\nthe cat sat,who?,\n"), Some(Vec::new()));
}

#[test]
fn made_ids_depend_on_nothing_but_context_and_question() {
    let ids = |text: &str| -> Vec<String> {
        flat(&read_all(text.as_bytes()).unwrap()).into_iter().map(|(.., qa)| qa.id).collect()
    };
    let rows = ["the cat sat,who?,cat", "the cat sat,did what?,sat", "the cat sat,who?,the cat"];
    let csv = |order: [usize; 3]| {
        format!("context,question,answer\n{}", order.map(|row| format!("{}\n", rows[row])).concat())
    };
    let (forward, backward) = (ids(&csv([0, 1, 2])), ids(&csv([2, 1, 0])));
    // An id in a predictions file stays good: later versions make the same one.
    assert_eq!(forward[0], "a01e7d67394ceb09a96ec9d3");
    assert_ne!(forward[0], forward[2], "a repeat is a question of its own");
    assert_eq!((&forward[0], &forward[1]), (&backward[0], &backward[1]));
    let json = format!(r#"[{{{CONTEXT}, "answers": ["cat"]}}]"#);
    assert_eq!(ids(&json)[0], forward[0], "the form and the answers make no difference");
    // Over several files, too.
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<QuestionFile> = ["1", "2"]
        .map(|name| {
            let path = folder.path().join(name);
            fs::write(&path, &json).unwrap();
            QuestionFile { path, name: name.to_owned(), asked_by: "ingest.train" }
        })
        .into();
    let articles: Result<Vec<Article>> = crate::articles(files).collect();
    let made: Vec<String> = flat(&articles.unwrap()).into_iter().map(|(.., qa)| qa.id).collect();
    assert_eq!(made, [&*forward[0], &*forward[2]]);
}

#[test]
fn what_could_mean_two_things_is_refused() {
    let row = |rest: &str| format!("{{{CONTEXT}, {rest}}}").into_bytes();
    let table = [
        ("two names for the answers", row(r#""answer": "cat", "answer_text": "the cat""#)),
        ("a misspelt key of answers", row(r#""answer_txt": "cat""#)),
        ("text and a place", br#"{"text": "cat", "question": "who?", "answer_start": 4}"#.to_vec()),
        ("a place alone", row(r#""answer_start": 4, "answer_end": 7"#)),
        ("a null context", br#"{"context": null, "question": "who?", "answer": "cat"}"#.to_vec()),
        ("Python's text in JSON", row(r#""answers": "['cat']""#)),
        (
            "an unknown key for the context",
            br#"{"contxt": "the cat sat", "question": "who?", "answer": "cat"}"#.to_vec(),
        ),
        ("no context", br#"{"frage": "who?", "antwort": "cat", "id": 1}"#.to_vec()),
        (
            "two places of an answer",
            row(r#""answers": [{"text": "cat", "answer_start": 4}], "answer_start": 5"#),
        ),
        ("places of other answers", row(r#""answers": ["cat", "sat"], "answer_start": [4]"#)),
        ("a place that is no number", row(r#""answer": "cat", "answer_start": "four""#)),
        ("an answer with a fraction", row(r#""answer": 1.5"#)),
        ("a flag that is neither", row(r#""answers": [], "is_impossible": "maybe""#)),
        ("a text twice", row(r#""answers": [{"text": "cat", "text": "sat"}]"#)),
        ("CSV: no known context", b"id,question,answer\n1,who?,cat\n".to_vec()),
        ("CSV: a column twice", b"id,context,question,question\n1,c,q,r\n".to_vec()),
        ("CSV: a row too short", b"context,question,answer\nthe cat sat,who?\n".to_vec()),
        ("CSV: a row too long", b"context,question,answer\nthe cat, who sat,who?,cat\n".to_vec()),
        (
            "CSV: a quote that never closes",
            b"context,answer,question\nthe cat sat,cat,\"who?\nthe cat,sat,who?\n".to_vec(),
        ),
        ("CSV: text behind a quote", b"context,answer,question\n\"the\" cat sat,cat,who?\n".to_vec()),
        ("CSV: Latin-1", b"context,question,answer\nthe c\xe4t sat,who?,c\xe4t\n".to_vec()),
        (
            "CSV: Python's text",
            b"context,question,answers\nthe cat,who?,\"{'text': ['cat'], 'answer_start': [4]}\"\n".to_vec(),
        ),
        (
            "CSV: a place that is no number",
            b"context,question,answer,answer_start\nthe cat,who?,cat,x\n".to_vec(),
        ),
    ];
    let mut text = String::new();
    for (what, bytes) in table {
        let message = read_all(&bytes).map(|articles| flat(&articles)).expect_err(what);
        let _ = write!(text, "{what}\n{}\n\n", message.replace('\n', "\n    "));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn what_another_tool_opens_is_refused_with_the_command() {
    let tar = [&[b'x'; 257][..], b"ustar\x0000"].concat();
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for (name, bytes) in [
        ("train.zip", b"PK\x03\x04\x14\0".to_vec()),
        ("train.xlsx", b"PK\x03\x04\x14\0".to_vec()),
        ("my train.json.xz", b"\xfd7zXZ\0\0".to_vec()),
        ("train.json.bz2", b"BZh91AY&SY".to_vec()),
        ("train.7z", b"7z\xbc\xaf\x27\x1c\0\x04".to_vec()),
        ("train.rar", b"Rar!\x1a\x07".to_vec()),
        ("train.tar", tar.clone()),
        ("train.tar.gz", gzip(&tar)),
        ("data-00000-of-00001.arrow", b"\xff\xff\xff\xff\x10\0\0\0".to_vec()),
        ("train.json", b"<!DOCTYPE html>\n<html>".to_vec()),
        ("columns.json", br#"{"id": ["a"], "context": ["the cat sat"]}"#.to_vec()),
        ("frame.json", br#"{"id": {"0": "a"}, "context": {"0": "the cat sat"}}"#.to_vec()),
        ("train.txt", b"who sat? the cat\n".to_vec()),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let error = read_path(&path).map(|articles| flat(&articles)).expect_err(name);
        let _ = writeln!(text, "{}\n", message(&error, folder.path()));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn predictions_read_the_same_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("predictions");
    let read = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let file =
            QuestionFile { path: path.clone(), name: "predictions".to_owned(), asked_by: "--predictions" };
        crate::predictions(&file).map_err(|error| message(&error, folder.path()))
    };
    let batch = RecordBatch::try_from_iter([
        ("id", Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef),
        ("prediction_text", Arc::new(StringArray::from(vec!["the cat", ""])) as ArrayRef),
    ])
    .unwrap();
    let mut table = Vec::new();
    let mut writer = ::parquet::arrow::ArrowWriter::try_new(&mut table, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let lines = "{\"id\": \"1\", \"prediction_text\": \"the cat\", \"no_answer_probability\": 0.0}\n\n{\"prediction_text\": \"\", \"id\": 2}\n";
    let forms = [
        br#"{"1": "the cat", "2": ""}"#.to_vec(),
        lines.into(),
        br#"[{"id": "1", "prediction_text": "the cat"}, {"id": "2", "prediction_text": ""}]"#.to_vec(),
        b"id,prediction_text\n1,the cat\n2,\n".to_vec(),
        b"prediction_text\tid\nthe cat\t1\n\"\"\t2\n".to_vec(),
        table,
    ];
    let expected = [("1", "the cat"), ("2", "")].map(|(id, text)| (id.to_owned(), text.to_owned()));
    for form in forms {
        for bytes in [form.clone(), gzip(&form), zstd(&form)] {
            assert_eq!(read(&bytes).unwrap(), expected, "{}", form.escape_ascii());
        }
        if !form.starts_with(b"PAR1") {
            assert_eq!(read(&[b"\xef\xbb\xbf", &form[..]].concat()).unwrap(), expected);
        }
    }
    for null in [r#"{"1": null}"#, r#"{"id": "1", "prediction_text": null}"#] {
        assert_eq!(read(null.as_bytes()).unwrap(), [("1".to_owned(), String::new())], "{null}");
    }
    let refused = [
        "",
        "[1]",
        r#"{"1": ["the cat"]}"#,
        r#"{"1": [{"text": "the cat", "probability": 0.5}]}"#,
        "{\"id\": \"1\", \"prediction\": \"x\"}\n{\"id\": \"2\", \"prediction\": \"y\"}",
        "{\"id\": \"1\", \"prediction_text\": \"x\"}\n{\"id\": \"2\", \"text\": \"y\"}",
        "[{\"id\": \"1\", \"prediction\": \"x\"}]",
        "{\"1\": \"x\"}\n{\"2\": \"y\"}",
        "{\"id\": \"1\", \"id\": \"2\", \"prediction_text\": \"x\"}",
        "id,prediction\n1,x\n",
        LFS_POINTER,
    ];
    let messages: Vec<String> = refused.iter().map(|text| read(text.as_bytes()).expect_err(text)).collect();
    insta::assert_snapshot!(messages.join("\n\n"));
}

/// The answers of a Label Studio task with these annotations.
fn labelled(annotations: &str) -> Option<Vec<Answer>> {
    answers(&format!(
        r#"[{{"data": {{"text": "the cat sat", "question": "who?"}}, "annotations": [{annotations}]}}]"#
    ))
}

const REGION: &str = r#"{"type": "labels", "from_name": "answer", "value": {"start": 4, "end": 7, "text": "cat", "labels": ["A"]}}"#;

const OTHER_REGION: &str = r#"{"type": "labels", "from_name": "pos", "value": {"start": 0, "end": 3, "text": "the", "labels": ["B"]}}"#;

#[test]
fn label_studio_answers_come_from_every_control_of_texts() {
    let html = r#"{"result": [{"type": "hypertextlabels", "from_name": "a", "value": {"start": "/p[1]/text()[1]",
        "startOffset": 4, "globalOffsets": {"start": 4, "end": 7}, "text": "cat"}}]}"#;
    assert_eq!(labelled(html), Some(vec![cat(Some(4))]));
    let html = r#"{"result": [{"type": "hypertextlabels", "value": {"start": "/p[1]", "startOffset": 1, "text": "cat"}}]}"#;
    assert_eq!(labelled(html), Some(vec![cat(None)]));
    let area = r#"{"result": [{"type": "textarea", "from_name": "answer", "value": {"text": ["cat"]}}]}"#;
    assert_eq!(labelled(area), Some(vec![cat(None)]));
    let choice = r#"{"type": "choices", "from_name": "k", "value": {"choices": ["good"]}}"#;
    assert_eq!(labelled(&format!(r#"{{"result": [{choice}]}}"#)), None);
    assert_eq!(labelled(&format!(r#"{{"result": [{choice}, {REGION}]}}"#)), Some(vec![cat(Some(4))]));
    assert_eq!(labelled(r#"{"result": []}"#), Some(Vec::new()));
    assert_eq!(labelled(r#"{"result": [], "was_cancelled": true}"#), None);
    for name in ["label", "labels"] {
        let regions = r#"[{"start": 4, "end": 7, "text": "cat", "labels": ["A"]}]"#;
        let row = format!(r#"[{{"text": "the cat sat", "question": "who?", "{name}": {regions}}}]"#);
        assert_eq!(answers(&row), Some(vec![cat(Some(4))]));
    }
    assert_eq!(answers(r#"[{"text": "the cat sat", "question": "who?", "label": 1}]"#), None);
}

#[test]
fn label_studio_answers_of_several_controls_are_refused_unless_one_is_called_answer() {
    let task = |regions: [&str; 2]| {
        let result = regions.join(", ");
        format!(
            r#"[{{"data": {{"text": "the cat sat", "question": "who?"}}, "annotations": [{{"result": [{result}]}}]}}]"#
        )
    };
    let (articles, said) = read_understood(task([OTHER_REGION, REGION]).as_bytes());
    assert_eq!(flat(&articles)[0].2.answers, Some(vec![cat(Some(4))]));
    assert!(said[0].contains("ignored `pos` beside `answers`"), "{said:?}");
    let third = REGION.replace("\"answer\"", "\"ner\"");
    let refused = read_all(task([OTHER_REGION, &third]).as_bytes()).unwrap_err();
    assert!(refused.contains("the controls `ner`, `pos` hold texts"), "{refused}");
}

#[test]
fn mrqa_accepts_every_answer_and_goes_by_qid() {
    let line = r#"{"context": "the cat sat", "qas": [{"id": "x", "qid": "a", "question": "who?",
        "answers": ["the cat", "cat", "the cat"], "detected_answers": [{"text": "cat", "char_spans": [[4, 6]]}]}]}"#;
    let line = line.replace('\n', "");
    for line in [line.replacen(r#""id": "x", "qid": "a""#, r#""qid": "a", "id": "x""#, 1), line] {
        let questions = flat(&read_all(line.as_bytes()).unwrap());
        let other = Answer { text: "the cat".to_owned(), answer_start: None };
        assert_eq!(questions[0].2.answers, Some(vec![cat(Some(4)), other]));
        assert_eq!(questions[0].2.id, "a");
    }
}

#[test]
fn rows_that_repeat_a_question_are_counted() {
    let row = "the cat sat,who?,cat\n";
    let (_, said) = read_understood(format!("context,question,answer\n{}", row.repeat(3)).as_bytes());
    let advice = "; 2 rows repeat an earlier question (give all answers of a question in one row)";
    assert!(said[0].contains(advice), "{said:?}");
}

#[test]
fn a_text_is_json_only_where_it_is_answers() {
    for (text, expected) in [
        ("[4]", "[4]"),
        ("[cat]", "[cat]"),
        ("{x}", "{x}"),
        ("{\"x\": 1}", "{\"x\": 1}"),
        ("[\"cat\"]", "cat"),
        ("{\"text\": [\"cat\"], \"answer_start\": [4]}", "cat"),
        ("[{\"text\": \"cat\", \"answer_start\": 4}]", "cat"),
    ] {
        let cell = text.replace('"', "\"\"");
        let csv = format!("context,question,answer\nthe cat,who?,\"{cell}\"\n");
        let json = format!("{{{CONTEXT}, \"answers\": {}}}", Value::from(text));
        for text in [csv, json] {
            assert_eq!(answers(&text).unwrap()[0].text, expected, "{text}");
        }
    }
}

#[test]
fn null_means_no_answer_where_a_column_has_one_answer() {
    for none in [r#""answer": null"#, r#""answer_text": null, "answer_start": null"#, r#""text": null"#] {
        assert_eq!(answers(&format!("{{{CONTEXT}, {none}}}")), Some(Vec::new()), "{none}");
    }
    let column: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
    let read = flat(&read_all(&parquet_row(vec![("answer", column)])).unwrap());
    assert_eq!(read[0].2.answers, Some(Vec::new()));
    for none in [r#"{"text": null}"#, r#"[{"text": null}]"#, "[null]", r#"{"text": [null]}"#] {
        let answers = answers(&format!(r#"{{{CONTEXT}, "answers": {none}}}"#)).unwrap();
        assert!(answers.iter().all(Answer::is_empty), "{none}");
    }
}

#[test]
fn text_beside_a_question_alone_is_the_context() {
    for text in ["text,question\nthe cat sat,who?\n", r#"[{"text": "the cat sat", "question": "who?"}]"#] {
        let (articles, said) = read_understood(text.as_bytes());
        assert_eq!(articles[0].paragraphs[0].context, "the cat sat");
        assert!(said[0].ends_with("1 question without answers"), "{said:?}");
    }
}

#[test]
fn flags_are_read_as_tables_have_them() {
    for (flags, expected) in
        [(["yes", "Y", "T", "True", "1", "1.0"], true), (["NO", "n", "f", "false", "0", "0.0"], false)]
    {
        for flag in flags {
            let csv = format!("context,question,answer,is_impossible\nthe cat sat,who?,,{flag}\n");
            let read = flat(&read_all(csv.as_bytes()).unwrap());
            assert_eq!(read[0].2.is_impossible, Some(expected), "{flag}");
        }
    }
}

#[test]
fn lines_may_end_as_on_old_macs() {
    let csv = "context,question,answer\r\"the\rcat\",who?,\"cat\"\rthe cat sat,who?,cat\r";
    let read = flat(&read_all(csv.as_bytes()).unwrap());
    let contexts: Vec<&str> = read.iter().map(|(_, context, _)| context.as_str()).collect();
    assert_eq!(contexts, ["the\rcat", "the cat sat"]);
}
