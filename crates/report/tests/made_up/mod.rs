//! Artifacts of an evaluation that nobody made, for the report to be about.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use artifact::{
    Answer, AuditRow, AuditWriter, Calibration, CalibrationError, Candidate, ContextsWriter, EvaluateMetrics,
    Example, ExamplesWriter, FeatureRow, FeaturesWriter, HistoryKind, HistoryRow, Input, ManifestDraft,
    Partial, Prediction, PredictionsWriter, ProfileRow, Scores, SplitName, TimingRow, file_name,
    write_history, write_profile, write_timing,
};
use serde_json::{Map, Value, json};
use squad::{F1Units, Rules, Scoring};

/// A question with what two models said.
#[derive(Clone, Debug)]
pub struct Question {
    pub id: String,
    /// The place of its context.
    pub context: u32,
    pub asked: String,
    /// An answer stands where it first occurs in the context.
    pub golds: Vec<String>,
    pub predicted: String,
    pub base: String,
    pub confidence: f64,
}

/// Titles and contexts, and questions about them.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// Whether the questions are those of a test split, too.
    pub is_test: bool,
    pub contexts: Vec<(String, String)>,
    pub questions: Vec<Question>,
    pub audit: Vec<AuditRow>,
    /// The temperature that evaluate fitted.
    pub temperature: Option<f64>,
}

impl Data {
    /// The splits that hold the questions.
    fn splits(&self) -> &'static [SplitName] {
        if self.is_test { &[SplitName::Validation, SplitName::Test] } else { &[SplitName::Validation] }
    }

    /// `paragraphs` of two sentences with four questions each, of which the model gets about half right.
    pub fn plain(paragraphs: usize) -> Self {
        let mut data = Self::default();
        for index in 0..paragraphs {
            let (ship, year, port) =
                (format!("Ship {index}"), 1800 + index % 200, ["Oslo", "Porto", "Kobe"][index % 3]);
            let context = format!(
                "{ship} was built in {year} by Ida Varnen and her two sons. It sailed to {port} because of the war."
            );
            data.contexts.push((format!("Fleet_{}", index % 30), context));
            let asked = [
                ("When was it built?", year.to_string(), "Ida Varnen".to_owned()),
                ("Who built it?", "Ida Varnen and her two sons".to_owned(), "Ida Varnen".to_owned()),
                ("Where did it sail?", port.to_owned(), port.to_owned()),
                ("Why did it sail?", "because of the war".to_owned(), "war".to_owned()),
            ];
            for (number, (question, gold, wrong)) in asked.into_iter().enumerate() {
                let is_right = number == 2 || (number == 0 && index % 4 != 0);
                data.questions.push(Question {
                    id: format!("{index}-{number}"),
                    context: index as u32,
                    asked: question.to_owned(),
                    predicted: if is_right { gold.clone() } else { wrong },
                    golds: vec![gold.clone(), gold],
                    base: if index % 10 == 0 { "Ida Varnen".to_owned() } else { "was".to_owned() },
                    confidence: 0.2 + 0.7 * (index % 7) as f64 / 7.0 + 0.1 * f64::from(u8::from(is_right)),
                });
            }
        }
        data
    }
}

/// A folder with the artifacts and a settings file.
pub struct Bench {
    pub folder: tempfile::TempDir,
}

impl Bench {
    pub fn new(data: &Data) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(bench.path("pipeline.toml"), "").unwrap();
        bench.ingest(data);
        bench.features(data);
        bench.train();
        bench.evaluate(data);
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the report into `output`, and returns the page, the short form and what was said on stderr.
    pub fn report(&self, output: &str, settings: &[&str]) -> (String, String, String) {
        let said = self.command(output, settings).output().unwrap();
        let stderr = String::from_utf8(said.stderr).unwrap();
        assert!(said.status.success(), "{stderr}");
        let read = |name: &str| fs::read_to_string(self.path(output).join(name)).unwrap();
        let page = read(file_name::REPORT_HTML);
        // For scripts/bench/page-checks, which looks at them in a browser.
        if let Some(folder) = std::env::var_os("DISTILBURN_KEEP_PAGES") {
            fs::write(Path::new(&folder).join(format!("{output}.html")), &page).unwrap();
        }
        (page, read(file_name::REPORT_MD), stderr)
    }

    pub fn command(&self, output: &str, settings: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_distilburn-report"));
        command.current_dir(self.folder.path()).args(["--progress", "none", "--output", output]);
        command.env_remove("RUST_LOG");
        for stage in ["ingest", "tokenize-features", "train", "evaluate"] {
            command.args(["--input", &format!("{stage}={stage}")]);
        }
        for setting in settings {
            command.args(["--set", setting]);
        }
        command
    }

    fn commit(&self, stage: &str, metrics: Value, settings: Value, write: impl FnOnce(&Path, &str)) {
        const STAGES: [&str; 4] = ["ingest", "tokenize-features", "train", "evaluate"];
        let fingerprint = |stage: &str| artifact::fingerprint(&json!({ "stage": stage }));
        let partial = Partial::at(&self.path(stage), stage, &fingerprint(stage)).unwrap();
        write(partial.dir(), &fingerprint(stage));
        let upstream = STAGES.iter().take_while(|other| **other != stage);
        let inputs = upstream.map(|input| Input {
            stage: (*input).to_owned(),
            fingerprint: fingerprint(input),
            content: None,
        });
        let run = json!({ "started": "2026-01-02T03:04:05Z", "elapsed_ms": 61_000, "device": "cpu", "precision": "fp32",
            "threads": 2, "versions": { "distilburn": "0.1.0", "burn": "0.22.1" } });
        let object = |value: Value| value.as_object().cloned().unwrap_or_default();
        let parts = json!({ "stage": stage, "settings": settings, "inputs": {} });
        let draft =
            ManifestDraft { parts, inputs: inputs.collect(), metrics: object(metrics), run: object(run) };
        partial.commit(draft).unwrap();
    }

    fn ingest(&self, data: &Data) {
        let counts =
            json!({ "articles": 3, "contexts": data.contexts.len(), "questions": data.questions.len() });
        let audit = json!({ "validation": { "findings": { "answer_ends_inside_word": data.audit.len() } } });
        let sources = json!({
            "train": [{ "kind": "generated", "seed": 3 }], "validation": [{ "kind": "file", "name": "dev.json", "blake3": "ab".repeat(32) }],
            "base_model": [{ "kind": "hub", "id": "owner/model", "commit": "cd".repeat(20) }],
        });
        let base_model = json!({ "parameters": 22_564_608, "n_layers": 6, "dim": 384, "vocab_size": 30_522 });
        let metrics = json!({ "train": counts, "validation": counts, "test": counts, "audit": audit, "sources": sources,
            "base_model": base_model });
        self.commit("ingest", metrics, json!({ "ingest.seed": 3 }), |dir, fingerprint| {
            for split in data.splits() {
                let mut contexts = ContextsWriter::create(&dir.join(split.contexts()), fingerprint).unwrap();
                for (title, context) in &data.contexts {
                    contexts.push(title, context).unwrap();
                }
                contexts.finish().unwrap();
                let mut examples = ExamplesWriter::create(&dir.join(split.examples()), fingerprint).unwrap();
                for question in &data.questions {
                    let answers = question
                        .golds
                        .iter()
                        .map(|gold| Answer { text: gold, start: start(data, question, gold) });
                    let example = Example {
                        id: &question.id,
                        context_id: question.context,
                        question: &question.asked,
                        answers: answers.collect(),
                        is_impossible: question.golds.is_empty(),
                    };
                    examples.push(&example).unwrap();
                }
                examples.finish().unwrap();
            }
            let mut audit = AuditWriter::create(&dir.join(file_name::AUDIT), fingerprint).unwrap();
            for row in &data.audit {
                audit.push(row.clone()).unwrap();
            }
            audit.finish().unwrap();
        });
    }

    fn features(&self, data: &Data) {
        let lengths = json!({ "p50": 20, "p90": 22, "p99": 24, "max": 30 });
        let window = json!({ "max_length": 384, "doc_stride": 128, "features": data.questions.len(), "tokens": 100,
            "length_percentiles": lengths });
        let share = json!({ "share": 0.0125 });
        let split = json!({ "window_settings": [window], "unknown_tokens": { "questions": share, "contexts": share, "answers": share } });
        let settings = json!({ "tokenize-features.max_length": 384, "tokenize-features.doc_stride": 128 });
        self.commit(
            "tokenize-features",
            json!({ "validation": split, "test": split }),
            settings,
            |dir, fingerprint| {
                for split in data.splits() {
                    let mut features =
                        FeaturesWriter::create(&dir.join(split.features()), fingerprint).unwrap();
                    for (index, question) in data.questions.iter().enumerate() {
                        let context = &data.contexts[question.context as usize].1;
                        let (mut offsets, mut begin) = (vec![None], 0);
                        for word in context.split(' ') {
                            let end = begin + word.chars().count() as u32;
                            offsets.push(Some((begin, end)));
                            begin = end + 1;
                        }
                        offsets.push(None);
                        let input_ids = vec![1; offsets.len()];
                        let row = FeatureRow {
                            example_index: index as u32,
                            input_ids: &input_ids,
                            offset_mapping: &offsets,
                            start_position: 0,
                            end_position: 0,
                        };
                        features.push(&row).unwrap();
                    }
                    features.finish().unwrap();
                }
            },
        );
    }

    fn train(&self) {
        let metrics = json!({ "windows": {}, "no_answer": false, "steps": 300, "optimizer_steps": 300, "best_step": 300,
            "validation_loss": 1.5, "exact_match": 40.0, "f1": 50.0 });
        let settings = json!({ "run.seed": 7, "train.learning_rate": 3e-5, "train.betas": [0.9, 0.999] });
        self.commit("train", metrics, settings, |dir, fingerprint| {
            let step = |step: u64| HistoryRow {
                global_step: step,
                epoch: 1,
                kind: HistoryKind::Train,
                loss: 5.0 / (1.0 + step as f64 / 50.0),
                learning_rate: Some(3e-5 * (1.0 - step as f64 / 300.0)),
                grad_norm: Some(f64::INFINITY),
                loss_scale: None,
                skipped: None,
                exact_match: None,
                f1: None,
            };
            let validation = |at: u64| HistoryRow {
                kind: HistoryKind::Validation,
                learning_rate: None,
                exact_match: Some(at as f64 / 8.0),
                f1: Some(at as f64 / 6.0),
                ..step(at)
            };
            let rows: Vec<_> = (1..=300).map(step).chain([validation(150), validation(300)]).collect();
            write_history(&dir.join(file_name::HISTORY), fingerprint, &rows).unwrap();
            let timing = TimingRow {
                global_step: 300,
                elapsed_ms: 30_000.0,
                features: 2400,
                tokens: 48_000,
                step_ms: 100.0,
            };
            write_timing(&dir.join(file_name::TIMING), fingerprint, &[timing]).unwrap();
        });
    }

    fn evaluate(&self, data: &Data) {
        let scoring = Scoring {
            rules: Rules::of(data.questions.iter().map(|question| question.golds.len())),
            f1_units: F1Units::Words,
        };
        let score = |question: &Question, text: &str| {
            scoring.score(text, &question.golds.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let mean = |of: &dyn Fn(&Question) -> f64| {
            100.0 * data.questions.iter().map(of).sum::<f64>() / data.questions.len().max(1) as f64
        };
        let error = |expected_calibration_error| CalibrationError {
            expected_calibration_error,
            brier_score: 0.123,
            risk_coverage_area: 0.3,
        };
        let validation = Scores {
            questions: data.questions.len() as u64,
            exact_match: mean(&|question| score(question, &question.predicted).exact_match),
            f1: mean(&|question| score(question, &question.predicted).f1),
            loss: 1.5,
            base_exact_match: mean(&|question| score(question, &question.base).exact_match),
            base_f1: mean(&|question| score(question, &question.base).f1),
            base_loss: 5.0,
            calibration: data.temperature.map(|temperature| Calibration {
                temperature,
                uncalibrated: error(0.2),
                calibrated: error(0.0421),
            }),
            ..Scores::default()
        };
        let metrics: Map<String, Value> = artifact::to_metrics(&EvaluateMetrics {
            test: data.is_test.then(|| validation.clone()),
            validation,
        });
        self.commit("evaluate", metrics.into(), json!({ "evaluate.n_best": 20 }), |dir, fingerprint| {
            let files = |split: &SplitName| [(split.predictions(), false), (split.base_predictions(), true)];
            for (name, is_base) in data.splits().iter().flat_map(files) {
                let mut predictions = PredictionsWriter::create(&dir.join(name), fingerprint).unwrap();
                for question in &data.questions {
                    let text = if is_base { &question.base } else { &question.predicted };
                    let score = score(question, text);
                    let start = start(data, question, text);
                    let candidate = |text: &str, probability: f64| Candidate {
                        text: text.to_owned(),
                        start_char: start,
                        end_char: start + text.chars().count() as i32,
                        // The softmax of these scores.
                        score: probability.ln(),
                        probability,
                    };
                    let n_best = vec![
                        candidate(text, question.confidence),
                        candidate(
                            question.golds.first().map_or("", String::as_str),
                            1.0 - question.confidence,
                        ),
                    ];
                    let prediction = Prediction {
                        id: question.id.clone(),
                        prediction_text: text.clone(),
                        start_char: start,
                        end_char: start + text.chars().count() as i32,
                        score: 3.5,
                        null_score: None,
                        n_best,
                        exact_match: score.exact_match,
                        f1: score.f1,
                    };
                    predictions.push(prediction).unwrap();
                }
                predictions.finish().unwrap();
            }
            let row = |scenario: &str, scope: &str, measure: &str, value: f64| ProfileRow {
                scenario: scenario.to_owned(),
                scope: scope.to_owned(),
                measure: measure.to_owned(),
                value,
                samples: 120,
            };
            let profile = [
                row("SingleStream", "end to end", "p50_ms", 12.34),
                row("SingleStream", "model", "p50_ms", 9.876),
                row("Offline", "end to end", "tokens_per_s", 12_345.6),
            ];
            write_profile(&dir.join(file_name::PROFILE), fingerprint, &profile).unwrap();
        });
    }
}

/// Where a text first stands in the context of a question, in characters.
fn start(data: &Data, question: &Question, text: &str) -> i32 {
    let context = &data.contexts[question.context as usize].1;
    let found = context.find(text).filter(|_| !text.is_empty());
    found.map_or(-1, |byte| context[..byte].chars().count() as i32)
}
