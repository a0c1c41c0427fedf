//! When a training has to stop before its end: a signal, or `train.max_minutes`.

use std::time::{Duration, Instant};

use stage::Interrupt;

/// What is asked for between two pieces of work.
pub(crate) struct Stop {
    interrupt: Interrupt,
    deadline: Option<Instant>,
    /// What is left to do once training stops, and the piece of work before: neither may pass the deadline.
    reserve: Duration,
}

/// Why a training stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// SIGINT or SIGTERM.
    Signal,
    /// `train.max_minutes`
    TimeIsUp,
}

impl Stop {
    /// `max_minutes` count from `started`, 0 = no limit; `reserve`: what saving takes until it is known.
    pub(crate) fn new(interrupt: Interrupt, started: Instant, max_minutes: f64, reserve: Duration) -> Self {
        // What no clock can hold is no limit.
        let limit = Duration::try_from_secs_f64(60.0 * max_minutes).ok().filter(|limit| !limit.is_zero());
        let deadline = limit.and_then(|limit| started.checked_add(limit));
        Self { interrupt, deadline, reserve }
    }

    /// Learns how long the work between two questions whether to stop may take: the longest so far, twice.
    pub(crate) fn learn(&mut self, took: Duration) {
        self.reserve = self.reserve.max(2 * took);
    }

    /// Whether to stop now.
    pub(crate) fn asked(&self) -> Option<Reason> {
        if self.interrupt.seen() {
            return Some(Reason::Signal);
        }
        let late = self.deadline.is_some_and(|deadline| Instant::now() + self.reserve >= deadline);
        late.then_some(Reason::TimeIsUp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_up_while_there_is_still_enough_to_save() {
        let stop = |max_minutes, reserve_s| {
            let (started, reserve) = (Instant::now(), Duration::from_secs(reserve_s));
            Stop::new(Interrupt::default(), started, max_minutes, reserve)
        };
        assert_eq!(stop(1.0, 61).asked(), Some(Reason::TimeIsUp));
        let mut stopped = stop(1.0, 0);
        assert_eq!(stopped.asked(), None);
        stopped.learn(Duration::from_secs(29));
        assert_eq!(stopped.asked(), None);
        stopped.learn(Duration::from_secs(31));
        assert_eq!(stopped.asked(), Some(Reason::TimeIsUp));
        assert_eq!(stop(0.0, 61).asked(), None);
        assert_eq!(stop(1e30, 61).asked(), None);
    }
}
