//! Runs work on several threads and passes on the results in order, as they come.

use std::sync::mpsc::sync_channel;
use std::thread;

/// How many results a thread may be ahead of the consumer: enough to even out slow ones, few enough to bound memory.
const AHEAD: usize = 8;

/// Calls `work` for 0, 1, … below `count` on `threads` threads, and calls `consume` on this thread for each result in
/// that order meanwhile. The first error of `consume` ends it.
///
/// Thread t does t, t + threads, …: a fixed share needs no queue, no reordering, and no unbounded buffer
/// behind a slow piece of work.
pub fn in_order<T: Send, E>(
    count: usize,
    threads: usize,
    work: impl Fn(usize) -> T + Sync,
    mut consume: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let threads = threads.min(count);
    if threads <= 1 {
        return (0..count).try_for_each(|index| consume(work(index)));
    }
    thread::scope(|scope| {
        let work = &work;
        let results: Vec<_> = (0..threads)
            .map(|worker| {
                let (sender, receiver) = sync_channel(AHEAD);
                scope.spawn(move || {
                    for index in (worker..count).step_by(threads) {
                        // The consumer has stopped after an error and does not need the rest.
                        if sender.send(work(index)).is_err() {
                            return;
                        }
                    }
                });
                receiver
            })
            .collect();
        (0..count).try_for_each(|index| {
            consume(results[index % threads].recv().expect("a worker sends a result for each of its indices"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_arrive_in_order_whatever_the_number_of_threads() {
        for threads in [1, 2, 3, 16] {
            for count in [0, 1, 2, 100] {
                let mut seen = Vec::new();
                let done: Result<(), ()> = in_order(
                    count,
                    threads,
                    |index| index * index,
                    |square| {
                        seen.push(square);
                        Ok(())
                    },
                );
                assert_eq!(done, Ok(()));
                assert_eq!(seen, (0..count).map(|index| index * index).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn an_error_of_the_consumer_ends_the_workers() {
        let stopped =
            in_order(1_000_000, 4, |index| index, |index| if index == 20 { Err(index) } else { Ok(()) });
        assert_eq!(stopped, Err(20));
    }
}
