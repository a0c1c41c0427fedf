//! `profile`: how fast a model answers on this machine, by length of the text and size of the batch.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use answerer::{Answerer, Latencies};
use clap::Args;
use serde::Serialize;
use stage::{CommonOptions, ModelOptions, Progress};

use crate::Error;

/// Tokens of a window, as far as the model takes them.
const LENGTHS: [usize; 4] = [64, 128, 256, 384];

/// Windows that run at once.
const BATCHES: [usize; 3] = [1, 8, 32];

const QUESTION: &str = "which one is the one?";

/// Measure how fast a model answers on this machine
///
/// The scenarios are those of the `MLPerf` Inference benchmark: `SingleStream` asks one question at a time, end to end, from text
/// to answer; `Offline` runs batches through the model alone. Texts are made of one word, which takes the model as long as any
/// other.
#[derive(Debug, Args)]
pub struct ProfileOptions {
    #[command(flatten)]
    model: ModelOptions,

    /// How long to measure, about
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0, value_parser = seconds)]
    seconds: f64,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    pub(crate) common: CommonOptions,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds > 0.0 => Ok(seconds),
        _ => Err("expected a number of seconds above 0".to_owned()),
    }
}

#[derive(Debug, Serialize)]
struct Profile {
    model: PathBuf,
    precision: &'static str,
    load_ms: f64,
    peak_memory_bytes: Option<u64>,
    lengths: Vec<OfLength>,
}

/// Of windows of one length.
#[derive(Debug, Serialize)]
struct OfLength {
    tokens: usize,
    single_stream: SingleStream,
    offline: Vec<Offline>,
}

#[derive(Debug, Serialize)]
struct SingleStream {
    samples: usize,
    /// Name → milliseconds; those that there are too few samples for are left out.
    latency_ms: serde_json::Map<String, serde_json::Value>,
}

#[derive(Debug, Serialize)]
struct Offline {
    batch: usize,
    windows_per_s: f64,
    tokens_per_s: f64,
}

pub(crate) fn run(options: &ProfileOptions) -> Result<(), Error> {
    let start = Instant::now();
    let answerer = answerer::open_model(options.model.model.as_deref(), &options.common, "profile")?;
    let load_ms = 1000.0 * start.elapsed().as_secs_f64();
    let longest = answerer.usage().windows.max_length;
    let lengths: Vec<usize> = LENGTHS.into_iter().filter(|&length| length <= longest).collect();
    let lengths = if lengths.is_empty() { vec![longest] } else { lengths };
    let measurements = lengths.len() * (1 + BATCHES.len());
    let budget = Duration::from_secs_f64(options.seconds / measurements as f64);
    let progress = Progress::start(options.common.output.progress(), "measurements", measurements as u64);
    let of_length = |tokens: usize| of_length(&answerer, tokens, budget, &progress);
    let lengths = lengths.into_iter().map(of_length).collect::<Result<Vec<_>, Error>>()?;
    progress.finish();
    let profile = Profile {
        model: answerer.folder().to_owned(),
        precision: answerer.precision(),
        load_ms,
        peak_memory_bytes: stage::peak_memory(),
        lengths,
    };
    let text = if options.json {
        serde_json::to_string(&profile).expect("structs with string keys") + "\n"
    } else {
        profile.text()
    };
    Ok(stage::print(&text)?)
}

fn of_length(
    answerer: &Answerer,
    tokens: usize,
    budget: Duration,
    progress: &Progress,
) -> Result<OfLength, Error> {
    let context = context_of(answerer, tokens)?;
    let window = answerer
        .prepare((), QUESTION, Arc::from(context.as_str()), &answerer.tokenize(&context)?)?
        .into_windows()
        .swap_remove(0);
    // The first one also pays for memory and code.
    answerer.answer(QUESTION, &context)?;
    let latencies = Latencies::measure(budget, || answerer.answer(QUESTION, &context).map(drop))?;
    progress.inc(1);
    let percentiles = latencies.percentiles().into_iter();
    let single_stream = SingleStream {
        samples: latencies.samples(),
        latency_ms: percentiles.map(|(name, value)| (name.to_owned(), value.into())).collect(),
    };
    let mut offline = Vec::new();
    for batch in BATCHES {
        let windows = vec![&window; batch];
        drop(answerer.logits(&windows));
        let latencies = Latencies::measure(budget, || {
            drop(answerer.logits(&windows));
            Ok::<(), Error>(())
        })?;
        progress.inc(1);
        let windows_per_s = 1000.0 * batch as f64 / latencies.median();
        let tokens_per_s = windows_per_s * window.input_ids.len() as f64;
        offline.push(Offline { batch, windows_per_s, tokens_per_s });
    }
    Ok(OfLength { tokens: window.input_ids.len(), single_stream, offline })
}

/// A text that fills a window with `tokens`, as far as words can.
fn context_of(answerer: &Answerer, tokens: usize) -> Result<String, Error> {
    let empty = answerer.prepare((), QUESTION, Arc::from("the"), &answerer.tokenize("the")?)?.into_windows();
    let others = empty[0].input_ids.len() - 1;
    Ok(vec!["the"; tokens.saturating_sub(others).max(1)].join(" "))
}

impl Profile {
    fn text(&self) -> String {
        let memory = self
            .peak_memory_bytes
            .map_or_else(String::new, |bytes| format!(", peak memory {} MB", bytes / 1_000_000));
        let mut text = format!(
            "{}: loaded in {:.0} ms, {}{memory}\n\nSingleStream: one question at a time, end to end, in ms\n",
            self.model.display(),
            self.load_ms,
            self.precision,
        );
        let _ = writeln!(text, "{:>8}{:>10}{:>10}{:>10}{:>10}", "tokens", "p50", "p90", "p99", "samples");
        for OfLength { tokens, single_stream, .. } in &self.lengths {
            let value =
                |name: &str| match single_stream.latency_ms.get(name).and_then(serde_json::Value::as_f64) {
                    Some(value) => format!("{value:.1}"),
                    None => "–".to_owned(),
                };
            let _ = writeln!(
                text,
                "{tokens:>8}{:>10}{:>10}{:>10}{:>10}",
                value("p50"),
                value("p90"),
                value("p99"),
                single_stream.samples
            );
        }
        text.push_str("\nOffline: windows a second, the model alone\n");
        let _ = write!(text, "{:>8}", "tokens");
        for batch in BATCHES {
            let _ = write!(text, "{:>10}", format!("batch {batch}"));
        }
        for OfLength { tokens, offline, .. } in &self.lengths {
            let _ = write!(text, "\n{tokens:>8}");
            for Offline { windows_per_s, .. } in offline {
                let _ = write!(text, "{windows_per_s:>10.1}");
            }
        }
        text.push('\n');
        text
    }
}
