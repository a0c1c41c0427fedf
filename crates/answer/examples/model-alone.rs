//! Times the model alone on the windows that `predict` would run: `model-alone MODEL FILE`. It reads and tokenizes
//! everything first and selects no answers. It prints the seconds, which scripts/bench/predict compares with those of
//! `predict`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use question_files::QuestionFile;
use squad::Window;
use stage::CommonOptions;

/// The same as in `answerer`.
const BATCH_TOKENS: usize = 4096;

fn main() {
    let mut words = std::env::args().skip(1);
    let (model, path) = (words.next().expect("MODEL FILE"), PathBuf::from(words.next().expect("MODEL FILE")));
    let answerer = answerer::open_model(Some(&model), &CommonOptions::default(), "bench").expect("a model");
    let file = QuestionFile { name: path.display().to_string(), path, asked_by: "FILE" };
    let mut windows: Vec<Window> = Vec::new();
    for article in question_files::articles(vec![file]) {
        for paragraph in article.expect("questions").paragraphs {
            let (context, tokens): (Arc<str>, _) =
                (paragraph.context.as_str().into(), answerer.tokenize(&paragraph.context).expect("a text"));
            for qa in paragraph.qas {
                let question = answerer.prepare((), &qa.question, Arc::clone(&context), &tokens);
                windows.extend(question.expect("a question").into_windows());
            }
        }
    }
    let mut batches: Vec<Vec<&Window>> = Vec::new();
    let mut tokens = BATCH_TOKENS;
    for window in &windows {
        tokens += window.input_ids.len();
        if tokens > BATCH_TOKENS {
            batches.push(Vec::new());
            tokens = window.input_ids.len();
        }
        batches.last_mut().expect("the first window begins a batch").push(window);
    }
    let (next, started) = (AtomicUsize::new(0), Instant::now());
    thread::scope(|scope| {
        for _ in 0..answerer.workers() {
            scope.spawn(|| {
                answerer.become_worker();
                while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                    assert_eq!(answerer.logits(batch).len(), batch.len());
                }
            });
        }
    });
    println!("{}", started.elapsed().as_secs_f64());
}
