//! The terminal: keys, size, and when to read the files again.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use stage::Interrupt;

use super::curve::SMOOTHINGS;
use super::find::Wanted;
use super::training::{State, Training};
use super::view::{View, draw_waiting};
use crate::Error;

/// The time between two reads of the files.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The smoothing that `metrics.jsonl` has.
const FIRST_SMOOTHING: usize = 4;

/// The exit code if a signal ended it.
const INTERRUPTED: u8 = 130;

/// Draws until `q` is pressed.
pub(super) fn show(wanted: &Wanted) -> Result<ExitCode, Error> {
    // Errors about the path are reported before the screen changes.
    let training = look(wanted, None)?;
    let interrupt = Interrupt::install()?;
    let mut terminal = ratatui::try_init()?;
    let outcome = Screen { wanted, training, smoothing: FIRST_SMOOTHING }.run(&mut terminal, &interrupt);
    ratatui::restore();
    outcome
}

struct Screen<'a> {
    wanted: &'a Wanted,
    training: Option<Training>,
    /// Among [`SMOOTHINGS`].
    smoothing: usize,
}

impl Screen<'_> {
    fn run(mut self, terminal: &mut DefaultTerminal, interrupt: &Interrupt) -> Result<ExitCode, Error> {
        let mut looked = Instant::now();
        loop {
            terminal.draw(|frame| match &self.training {
                Some(training) => View { training, smoothing: SMOOTHINGS[self.smoothing] }.draw(frame),
                None => draw_waiting(frame, self.wanted.path()),
            })?;
            // A resize is an event as well, and ends the wait.
            if event::poll(LOOK_EVERY.saturating_sub(looked.elapsed()))?
                && let Event::Key(key) = event::read()?
                && self.quits(key)
            {
                return Ok(ExitCode::SUCCESS);
            }
            if interrupt.seen() {
                return Ok(INTERRUPTED.into());
            }
            if looked.elapsed() >= LOOK_EVERY {
                self.training = look(self.wanted, self.training)?;
                looked = Instant::now();
            }
        }
    }

    /// Handles a key; true if it ends the program.
    fn quits(&mut self, key: KeyEvent) -> bool {
        if key.kind == KeyEventKind::Release {
            return false;
        }
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return true,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return true,
            KeyCode::Char('+' | '=') => self.smoothing = (self.smoothing + 1).min(SMOOTHINGS.len() - 1),
            KeyCode::Char('-' | '_') => self.smoothing = self.smoothing.saturating_sub(1),
            _ => {}
        }
        false
    }
}

/// Reads the training again. A running training stays on the screen, even if another begins in the same store. A
/// finished one does not change.
fn look(wanted: &Wanted, shown: Option<Training>) -> Result<Option<Training>, Error> {
    let stays = shown.as_ref().filter(|training| training.state == State::Running && training.dir.is_dir());
    let dir = match stays {
        Some(training) => Some(training.dir.clone()),
        None => wanted.find()?,
    };
    match (dir, shown) {
        (Some(dir), Some(shown)) if shown.state == State::Finished && shown.dir == dir => Ok(Some(shown)),
        (Some(dir), _) => Training::read(&dir).map(Some),
        (None, shown) => Ok(shown),
    }
}
