//! The report binary on evaluations that nobody made.

mod made_up;

use std::fs;

use artifact::{AuditRow, Finding, Outcome, file_name, read_questions, read_slices};

use made_up::{Bench, Data, Question};

/// A single question about a single context.
fn one(gold: &str, predicted: &str) -> Data {
    let context = "Ida Varnen rebuilt the dome in 1906.".to_owned();
    let question = Question {
        id: "one".to_owned(),
        context: 0,
        asked: "Who rebuilt the dome?".to_owned(),
        golds: vec![gold.to_owned()],
        predicted: predicted.to_owned(),
        base: "dome".to_owned(),
        confidence: 0.5,
    };
    Data { contexts: vec![("Domes".to_owned(), context)], questions: vec![question], ..Data::default() }
}

#[test]
fn the_page_says_what_the_tables_say() {
    let mut data = Data::plain(60);
    data.audit.push(AuditRow {
        split: "validation".to_owned(),
        id: "3-1".to_owned(),
        finding: Finding::AnswerEndsInsideWord,
        outcome: Outcome::Kept,
        field: "answers".to_owned(),
        answer_index: Some(0),
        answer_text: None,
        answer_start: None,
        found_text: None,
        found_start: None,
        other_id: None,
        detail: None,
    });
    let bench = Bench::new(&data);
    let (page, markdown, _) = bench.report("plain", &[]);
    let questions = read_questions(&bench.path("plain").join(file_name::QUESTIONS)).unwrap();
    let slices = read_slices(&bench.path("plain").join(file_name::SLICES)).unwrap();

    let mean = 100.0 * questions.iter().map(|row| row.f1).sum::<f64>() / 240.0;
    assert_eq!((slices[0].slicing.as_str(), slices[0].questions), ("", 240));
    assert!((slices[0].f1.mean - mean).abs() < 1e-9);
    let interval = slices[0].f1.interval.unwrap();
    assert!(interval.low < mean && mean < interval.high);
    let verdict = format!(
        "F1 rose from {:.1} to {mean:.1} (95\u{a0}% interval {:.1} to {:.1}) on 240 validation questions.",
        slices[0].base_f1.mean, interval.low, interval.high
    );
    assert!(page.contains(&verdict), "{verdict}");
    // Every fourth question is a “why” question, none of which is right.
    let why = slices.iter().find(|row| row.slicing == "question_word" && row.value == "why").unwrap();
    assert!(
        why.questions == 60
            && why.difference_from_rest.unwrap() < -20.0
            && why.p_value_of_rest.unwrap() < 0.01
    );
    assert!(page.contains("It is worst at ") && page.contains("“why” questions"));
    assert!(markdown.contains("| “why” questions | 60 |"), "{markdown}");
    let audit = slices.iter().find(|row| row.slicing == "audit").unwrap();
    assert_eq!((audit.value.as_str(), audit.questions), ("answer_ends_inside_word", 1));

    let wrong = questions.iter().filter(|row| row.exact_match < 1.0).count();
    assert_eq!(questions.iter().filter(|row| row.category.is_some()).count(), wrong);
    assert_eq!(page.matches("<li data-row=").count(), wrong);
    for section in ["slices", "wrong", "confidence", "training", "data", "cost", "recipe"] {
        assert!(
            page.contains(&format!("<section id=\"{section}\""))
                && page.contains(&format!("href=\"#{section}\""))
        );
    }
    // What the recipe needs.
    // How fast it answers, with three digits.
    for cell in ["<td class=\"n\">12.3</td>", "<td class=\"n\">9.88</td>", "<td class=\"n\">12,346</td>"] {
        assert!(page.contains(cell), "{cell}");
    }
    for text in ["owner/model@cdcd", "betas = [0.9,0.999]", "train = &quot;sample&quot;", "BLAKE3 abab"] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn confidences_are_calibrated_and_the_page_says_what_they_were_before() {
    let before = Data::plain(40);
    let (page, markdown, _) = Bench::new(&before).report("before", &[]);
    assert!(page.contains("Right answers by confidence, not calibrated"));
    assert!(
        !page.contains("id=\"reliability-before\"") && markdown.contains("| confidence, not calibrated |")
    );

    let bench = Bench::new(&Data { temperature: Some(0.5), ..before.clone() });
    let (page, markdown, _) = bench.report("after", &[]);
    let rows = read_questions(&bench.path("after").join(file_name::QUESTIONS)).unwrap();
    for (row, Question { confidence, .. }) in rows.iter().zip(&before.questions) {
        // The softmax of doubled scores.
        let (chosen, other) = (confidence.powi(2), (1.0 - confidence).powi(2));
        assert!((row.confidence - chosen / (chosen + other)).abs() < 1e-12, "{row:?} was {confidence}");
    }
    for text in [
        "the temperature 0.50, as `distilburn ask` does",
        "Its calibration error is 4.2 points. The Brier score is 0.123;",
        "The temperature was fitted on these questions",
        "Right answers by confidence, after calibration",
        "id=\"reliability-before\"",
        "Right answers by confidence, before calibration",
        "(expected calibration error, after calibration)",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(markdown.contains("| confidence, calibrated |"), "{markdown}");
    let test = Data { is_test: true, temperature: Some(0.5), ..before };
    let (page, ..) = Bench::new(&test).report("test", &[]);
    assert!(page.contains("The temperature was fitted on the validation questions."));
}

#[test]
fn every_chart_has_a_title_a_description_and_its_numbers_and_nothing_is_styled_in_place() {
    let (page, ..) = Bench::new(&Data::plain(40)).report("charts", &[]);
    let charts: Vec<&str> =
        page.split("<figure ").skip(1).map(|rest| rest.split("</figure>").next().unwrap()).collect();
    assert!(charts.len() >= 12, "{} charts", charts.len());
    for chart in charts {
        for part in [
            "<figcaption>",
            "role=\"img\" aria-labelledby=",
            "<title id=",
            "<desc id=",
            "<table>",
            "<td class=\"n\">",
        ] {
            assert!(chart.contains(part), "{part} is missing in {chart}");
        }
        assert!(!chart.contains("NaN") && !chart.contains("inf"), "{chart}");
    }
    for forbidden in [" style=", " src=", " onclick=", "http:", "https:", "url("] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    let ids: Vec<&str> = page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let unique: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "ids are not unique");
}

#[test]
fn what_data_says_is_shown_and_never_run() {
    let mut data = Data::plain(12);
    let hostile = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \u{202e}abc \0 | `x` <b>";
    data.contexts.push((hostile.to_owned(), format!("Before. {hostile} العربية שלום after.")));
    data.questions.push(Question {
        id: "\"><svg onload=alert(3)>".to_owned(),
        context: 12,
        asked: format!("ما هذا؟ {hostile}"),
        golds: vec!["العربية".to_owned()],
        predicted: "<script>alert(1)</script>".to_owned(),
        base: "<img src=x onerror=alert(2)>".to_owned(),
        confidence: 0.99,
    });
    let bench = Bench::new(&data);
    fs::write(bench.path("ids.txt"), "\"><svg onload=alert(3)>\n").unwrap();
    fs::write(bench.path("pipeline.toml"), "[report.slices]\n\"<i>mine\" = \"ids.txt\"\n").unwrap();
    let (page, markdown, _) = bench.report("hostile", &[]);
    for text in [&page, &markdown] {
        for run in ["<img", "<svg onload", "<script>alert", "<b>", "<i>", "\0"] {
            assert!(!text.contains(run), "{run}");
        }
    }
    assert_eq!((page.matches("<script").count(), page.matches("</script").count()), (1, 1));
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;")
            && page.contains("العربية")
            && page.contains("&lt;i&gt;mine")
    );
    assert!(page.contains("<p class=\"context\" dir=\"auto\">") && page.contains("<h3 dir=\"auto\">"));
}

#[test]
fn without_texts_no_text_is_left_anywhere() {
    let mut data = Data::plain(20);
    data.contexts.push(("Sesame title".to_owned(), "The sesame context holds a sesame answer.".to_owned()));
    for (id, predicted) in [("s1", "sesame context"), ("s2", "sesame answer")] {
        data.questions.push(Question {
            id: id.to_owned(),
            context: 20,
            asked: "Which sesame question?".to_owned(),
            golds: vec!["sesame answer".to_owned()],
            predicted: predicted.to_owned(),
            base: "sesame".to_owned(),
            confidence: 0.9,
        });
    }
    let bench = Bench::new(&data);
    bench.report("with-texts", &[]);
    bench.report("without-texts", &["report.texts=false"]);
    let holds = |output: &str, name: &str| {
        let bytes = fs::read(bench.path(output).join(name)).unwrap().to_ascii_lowercase();
        bytes.windows(6).any(|window| window == b"sesame")
    };
    for name in [file_name::REPORT_HTML, file_name::QUESTIONS, file_name::SLICES] {
        assert!(holds("with-texts", name), "{name}");
    }
    for entry in fs::read_dir(bench.path("without-texts")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!holds("without-texts", &name), "{name}");
    }
    let page = fs::read_to_string(bench.path("without-texts").join(file_name::REPORT_HTML)).unwrap();
    assert!(page.contains("report.texts = false") && !page.contains("<li data-row="), "it says so");
}

#[test]
fn edges_of_the_data_have_pages_too() {
    let said = |name: &str, data: &Data, expected: &[&str]| {
        let (page, markdown, _) = Bench::new(data).report(name, &[]);
        for text in expected {
            assert!(page.contains(text), "{name}: {text} is missing");
        }
        assert!(!page.contains("NaN") && !markdown.contains("NaN"), "{name}");
        page
    };
    said(
        "one-right",
        &one("Ida Varnen", "Ida Varnen"),
        &["Every answer is right.", "There are none.", "F1 is 100.0 on 1 validation question."],
    );
    said(
        "one-wrong",
        &one("Ida Varnen", "1906"),
        &["No answer is exactly right.", "All questions are about one context"],
    );

    let mut untitled = Data::plain(30);
    untitled.contexts.iter_mut().for_each(|(title, _)| title.clear());
    assert!(!said("no-titles", &untitled, &["It is worst at "]).contains("slices-article"));

    let mut right = Data::plain(50);
    right.questions.iter_mut().for_each(|question| question.predicted.clone_from(&question.golds[0]));
    said("nothing-wrong", &right, &["Every answer is right.", "No kind of question"]);
    let mut wrong = Data::plain(50);
    wrong.questions.iter_mut().for_each(|question| question.predicted = "sailed".to_owned());
    said("nothing-right", &wrong, &["No answer is exactly right."]);

    let test = Data { is_test: true, ..Data::plain(30) };
    let expected =
        ["on 120 test questions.", "The test questions chose nothing. On the 120 validation questions"];
    said("test-split", &test, &expected);

    let mut impossible = Data::plain(30);
    impossible.questions.iter_mut().for_each(|question| question.golds.clear());
    said("all-unanswerable", &impossible, &["answer given, but there is none", "no answer</span>"]);
    let mut some = Data::plain(30);
    some.questions.iter_mut().step_by(3).for_each(|question| question.golds.clear());
    some.questions.iter_mut().step_by(6).for_each(|question| question.predicted.clear());
    said("v2", &some, &["questions without an answer"]);
}

#[test]
fn own_slices_are_scored_and_ids_that_are_not_there_are_counted() {
    let bench = Bench::new(&Data::plain(30));
    let ids: Vec<String> = (0..30).map(|index| format!("{index}-3")).collect();
    fs::write(bench.path("why.txt"), format!("{}\nnobody\nno one\n", ids.join("\n"))).unwrap();
    fs::write(bench.path("none.txt"), "nobody\n").unwrap();
    let settings = "report.slices={ reasons = \"why.txt\", empty = \"none.txt\" }";
    let (page, _, stderr) = bench.report("own", &[settings]);
    assert!(stderr.contains("slice=\"reasons\" ids=32 unknown=2 example=\"no one\""), "{stderr}");
    let slices = read_slices(&bench.path("own").join(file_name::SLICES)).unwrap();
    let own = slices.iter().find(|row| row.slicing == "own").unwrap();
    assert_eq!((own.value.as_str(), own.questions, own.exact_match.mean), ("reasons", 30, 0.0));
    assert!(
        page.contains("id=\"slices-own\"") && page.contains("<option value=") && page.contains("reasons")
    );
    assert!(page.contains("No question is in these slices of <code>report.slices</code>: empty."));

    let said = bench.command("gone", &["report.slices={ gone = \"gone.txt\" }"]).output().unwrap();
    let stderr = String::from_utf8(said.stderr).unwrap();
    assert!(
        said.status.code() == Some(3) && stderr.contains("report.slices = gone.txt: no such file"),
        "{stderr}"
    );
}

/// As many questions as SQuAD's validation split, long contexts, and letters that take six bytes in HTML.
/// `DISTILBURN_PARAGRAPHS=25000` makes them 100,000.
#[test]
fn the_page_of_a_large_evaluation_stays_below_2_mb_and_says_what_is_left_out() {
    let paragraphs = std::env::var("DISTILBURN_PARAGRAPHS").map_or(2643, |number| number.parse().unwrap());
    let mut data = Data::plain(paragraphs);
    for (_, context) in &mut data.contexts {
        *context = format!("{0}{context}{0}", "\"&<>".repeat(100));
    }
    let (page, ..) = Bench::new(&data).report("large", &[]);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    let shown = page.matches("<li data-row=").count();
    assert!((200..=500).contains(&shown), "{shown} are shown");
    let categories = ["too_long", "too_short", "same_sentence"];
    let of = |category: &str| page.matches(&format!("data-category=\"{category}\"")).count();
    assert!(categories.iter().filter(|category| of(category) >= 20).count() >= 2, "{:?}", categories.map(of));
    assert!(page.contains(" are left out. "));
}
