//! Progress of one piece of work: a bar on a terminal, log lines elsewhere, or nothing.

use std::borrow::Cow;
use std::fmt;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use crate::ProgressMode;

/// Every bar of the process, so that log lines can step aside for them.
pub(crate) static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Time between two log lines of the same work, where it does not write its own.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// A running count towards a total. Ends when dropped.
#[derive(Debug)]
pub struct Progress {
    what: String,
    /// Counts in every mode; drawn only where it is among [`BARS`].
    bar: ProgressBar,
    /// Where lines are: when the last one was written, or none if the work itself says when.
    last_line: Option<Mutex<Option<Instant>>>,
}

impl Progress {
    /// Starts counting `what` from 0 to `total`; a total of 0 means that it is not known.
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
            "{prefix} [{bar:30}] {human_pos}/{human_len} ({rate}, {eta} left) {msg}"
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("=> ").with_key("rate", rate));
        bar.set_prefix(what.to_owned());
        let last_line = (mode == ProgressMode::Plain).then(|| Mutex::new(Some(Instant::now())));
        Self { what: what.to_owned(), bar, last_line }
    }

    /// Counts `n` that an earlier run has done: they take no part in the speed.
    pub fn skip(&self, n: u64) {
        self.bar.set_position(n);
        self.bar.reset_eta();
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

    /// The same as [`Progress::message`] for work that decides when there is something to say: where lines are,
    /// each call writes one, and no others are written.
    pub fn report(&self, text: impl Into<Cow<'static, str>>) {
        self.bar.set_message(text);
        if let Some(last) = &self.last_line {
            *last.lock().unwrap_or_else(PoisonError::into_inner) = None;
            self.line();
        }
    }

    /// Shows `text` beside the count: loss, rate, what is being worked on.
    pub fn message(&self, text: impl Into<Cow<'static, str>>) {
        self.bar.set_message(text);
    }

    /// Ends it: a bar vanishes, lines get their last one.
    pub fn finish(self) {
        if self.last_line.is_some() {
            self.line();
        }
    }

    fn line(&self) {
        let (done, total) = (self.bar.position(), self.bar.length());
        let rate = (self.bar.per_sec() * 10.0).round() / 10.0;
        let message = self.bar.message();
        let message = Some(message.as_str()).filter(|text| !text.is_empty());
        let eta_s = total.filter(|total| done < *total).map(|_| self.bar.eta().as_secs());
        tracing::info!(done, total, per_second = rate, eta_s, note = message, "{}", self.what);
    }
}

fn rate(state: &ProgressState, text: &mut dyn fmt::Write) {
    // A bar without its rate is still a bar.
    let _ = write!(text, "{:.1}/s", state.per_sec());
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        BARS.remove(&self.bar);
    }
}
