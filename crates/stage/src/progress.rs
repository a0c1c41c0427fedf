//! Progress of one piece of work: a bar on a terminal, log lines elsewhere, or nothing.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::style::ProgressTracker;
use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use crate::ProgressMode;
use crate::report::printable;

/// Every bar of the process, so that log lines can step aside for them.
pub(crate) static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Time between two log lines of the same work, if it does not write its own.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The start of the speed measurement: time and count.
#[derive(Debug)]
struct Pace(Mutex<(Instant, u64)>);

impl Pace {
    fn restart(&self, from: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), from);
    }

    fn per_second(&self, done: u64) -> f64 {
        let (since, from) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        done.saturating_sub(from) as f64 / since.elapsed().as_secs_f64().max(1e-9)
    }

    /// None before the first count, and at the end.
    fn left(&self, done: u64, total: u64) -> Option<Duration> {
        let rate = self.per_second(done);
        (done < total && rate > 0.0)
            .then(|| Duration::try_from_secs_f64((total - done) as f64 / rate).ok())
            .flatten()
    }
}

/// A running count towards a total. Ends when dropped.
#[derive(Debug)]
pub struct Progress {
    what: String,
    /// Counts in every mode; drawn only if it is among [`BARS`].
    bar: ProgressBar,
    pace: Arc<Pace>,
    /// In line mode: when the last line was written, or none if the work decides when to write.
    last_line: Option<Mutex<Option<Instant>>>,
}

impl Progress {
    /// Starts counting `what` from 0 to `total`; a total of 0 means unknown.
    #[must_use]
    pub fn start(mode: ProgressMode, what: &str, total: u64) -> Self {
        let hidden = || match total {
            0 => ProgressBar::with_draw_target(None, indicatif::ProgressDrawTarget::hidden()),
            total => ProgressBar::with_draw_target(Some(total), indicatif::ProgressDrawTarget::hidden()),
        };
        let bar = match mode {
            ProgressMode::Bar => {
                BARS.add(if total == 0 { ProgressBar::no_length() } else { ProgressBar::new(total) })
            }
            _ => hidden(),
        };
        let template = if total == 0 {
            "{prefix} {spinner} {human_pos} ({rate}) {msg}"
        } else {
            "{prefix} [{bar:30}] {human_pos}/{human_len} ({rate}{left}) {msg}"
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let pace = Arc::new(Pace(Mutex::new((Instant::now(), 0))));
        bar.set_style(
            style.progress_chars("=> ").with_key("rate", rate(&pace)).with_key("left", left(&pace)),
        );
        let what = printable(what).into_owned();
        bar.set_prefix(what.clone());
        let last_line = (mode == ProgressMode::Plain).then(|| Mutex::new(Some(Instant::now())));
        Self { what, bar, pace, last_line }
    }

    /// Counts `n` items of an earlier run; they do not count in the speed.
    pub fn skip(&self, n: u64) {
        self.bar.set_position(n);
        self.pace.restart(n);
    }

    /// Counts `n` more.
    pub fn inc(&self, n: u64) {
        self.bar.inc(n);
        if let Some(last) = &self.last_line {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|last| last.elapsed() >= LINE_EVERY) {
                *last = Some(Instant::now());
                self.line();
            }
        }
    }

    /// The same as [`Progress::message`] for work that decides when to write a line: in line mode, each call writes one
    /// line, and there are no others.
    pub fn report(&self, text: impl Into<Cow<'static, str>>) {
        self.message(text);
        if let Some(last) = &self.last_line {
            *last.lock().unwrap_or_else(PoisonError::into_inner) = None;
            self.line();
        }
    }

    /// Shows `text` beside the count: loss, rate, what is being worked on.
    pub fn message(&self, text: impl Into<Cow<'static, str>>) {
        self.bar.set_message(printable(&text.into()).into_owned());
    }

    /// Ends it: a bar disappears, and line mode writes its last line.
    pub fn finish(self) {
        if self.last_line.is_some() {
            self.line();
        }
    }

    fn line(&self) {
        let (done, total) = (self.bar.position(), self.bar.length());
        let rate = (self.pace.per_second(done) * 10.0).round() / 10.0;
        let message = self.bar.message();
        let message = Some(message.as_str()).filter(|text| !text.is_empty());
        let eta_s = total.and_then(|total| self.pace.left(done, total)).map(|left| left.as_secs());
        tracing::info!(done, total, per_second = rate, eta_s, note = message, "{}", self.what);
    }
}

// A write error only loses the rate, so it is ignored.

fn rate(pace: &Arc<Pace>) -> impl ProgressTracker + 'static {
    let pace = Arc::clone(pace);
    move |state: &ProgressState, text: &mut dyn fmt::Write| {
        let _ = write!(text, "{:.1}/s", pace.per_second(state.pos()));
    }
}

fn left(pace: &Arc<Pace>) -> impl ProgressTracker + 'static {
    let pace = Arc::clone(pace);
    move |state: &ProgressState, text: &mut dyn fmt::Write| {
        if let Some(left) = state.len().and_then(|total| pace.left(state.pos(), total)) {
            let _ = write!(text, ", {:#} left", HumanDuration(left));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        BARS.remove(&self.bar);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_run_did_takes_no_part_in_the_rate() {
        let progress = Progress::start(ProgressMode::None, "train", 1000);
        progress.skip(900);
        std::thread::sleep(Duration::from_millis(50));
        progress.inc(1);
        let rate = progress.pace.per_second(901);
        assert!(rate > 0.0 && rate <= 20.0, "one step in 50 ms or more, not 901: {rate}");
        assert!(progress.pace.left(901, 1000).unwrap() >= Duration::from_millis(99 * 50));
        assert_eq!(progress.pace.left(1000, 1000), None);
    }
}
