use super::*;

#[test]
fn a_body_that_cannot_be_read_is_400_and_a_wrong_field_422_with_its_name() {
    let read = |body: &'static str| {
        let refusal = parse::<QuestionRequest>(&Bytes::from_static(body.as_bytes())).unwrap_err();
        let status = refusal.status().as_u16();
        (status, format!("{refusal:?}"))
    };
    for (body, status, says) in [
        ("", 400, "not valid JSON"),
        ("{\"inputs\": ", 400, "not valid JSON"),
        ("{\"inputs\": {\"question\": \"a\", \"context\": \"b\"}} x", 400, "trailing"),
        ("[]", 422, "invalid"),
        ("[{\"question\": \"a\", \"context\": \"b\"}]", 422, "an object"),
        ("{\"inputs\": [\"a\", \"b\"]}", 422, "inputs: "),
        ("{\"inputs\": {\"question\": \"a\", \"context\": \"b\"}, \"parameters\": [3]}", 422, "parameters: "),
        ("{}", 422, "missing field `inputs`"),
        ("{\"inputs\": {\"question\": 1, \"context\": \"b\"}}", 422, "inputs.question: "),
        ("{\"inputs\": {\"question\": \"a\"}}", 422, "inputs: missing field `context`"),
        (
            "{\"inputs\": {\"question\": \"a\", \"context\": \"b\"}, \"parameters\": {\"top\": 1}}",
            422,
            "parameters.top: unknown field",
        ),
    ] {
        let (found, message) = read(body);
        assert!(found == status && message.contains(says), "{body}: {found} {message}");
    }
}

#[test]
fn equal_answers_are_one_as_in_transformers() {
    let candidate = |text: &str, start_char: i32, probability| SpanCandidate {
        text: text.to_owned(),
        start_char,
        end_char: if start_char < 0 { -1 } else { start_char + text.len() as i32 },
        score: 0.0,
        probability,
    };
    let prediction = || SpanPrediction {
        text: "cat".to_owned(),
        start_char: 4,
        end_char: 7,
        score: 0.0,
        null_score: None,
        n_best: vec![candidate("cat", 4, 0.5), candidate("", -1, 0.2), candidate("Cat", 9, 0.25)],
    };
    let context = "the cat; Cats";
    let QuestionReply::One(one) = QuestionReply::new(context, prediction(), &Parameters::default()) else {
        panic!("one answer is no list")
    };
    assert_eq!(one, QuestionAnswer { answer: "cat".to_owned(), score: 0.75, start: 4, end: 7 });
    let two = Parameters { top_k: Some(2), align_to_words: Some(true), ..Parameters::default() };
    let QuestionReply::Several(two) = QuestionReply::new(context, prediction(), &two) else {
        panic!("two answers are a list")
    };
    assert!(two.iter().map(|answer| answer.answer.as_str()).eq(["cat", ""]));
    assert_eq!(whole_words(context, 9, 12), (9, 13));
    assert_eq!(whole_words(context, 5, 6), (4, 7));
    let batch = BatchAnswer::new(prediction(), 3);
    assert_eq!(
        (batch.start, batch.n_best[1].answer.as_deref(), batch.n_best[1].start),
        (Some(4), None, None)
    );
}
