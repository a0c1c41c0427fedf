//! Reads articles on its own thread while the caller processes earlier ones.

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{mem, thread, vec};

use crate::Visit;
use crate::error::{Error, Result};
use crate::gather::Understood;
use crate::question::{Article, Qa};

/// Bytes of text in a batch of articles: enough to make the transfer cheap, few enough to bound memory.
const BATCH_BYTES: usize = 1 << 18;

/// Batches that may wait.
const AHEAD: usize = 2;

/// Time between two checks whether to stop.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Articles in the order of the files, and after them the error that ended the reading, if one did.
#[derive(Debug)]
pub struct Articles {
    batches: Receiver<Vec<Article>>,
    batch: vec::IntoIter<Article>,
    /// `None` once the thread's result is known.
    reader: Option<JoinHandle<Result<()>>>,
    understood: Arc<Mutex<Vec<Understood>>>,
}

impl Articles {
    /// Begins to read; dropping the iterator ends it.
    pub(crate) fn new(
        read: impl FnOnce(Visit<'_>, &mut dyn FnMut(Understood)) -> Result<()> + Send + 'static,
    ) -> Self {
        let (sender, batches) = sync_channel::<Vec<Article>>(AHEAD);
        let understood = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&understood);
        let reader = thread::spawn(move || {
            let (mut batch, mut bytes) = (Vec::new(), 0);
            let mut visit = |article| {
                bytes += text_bytes(&article);
                batch.push(article);
                if bytes < BATCH_BYTES {
                    return Ok(());
                }
                bytes = 0;
                sender.send(mem::take(&mut batch)).map_err(|_| Error::Stopped)
            };
            let outcome =
                read(&mut visit, &mut |file| notes.lock().unwrap_or_else(PoisonError::into_inner).push(file));
            // The receiver may be gone.
            let _ = sender.send(batch);
            outcome
        });
        Self { batches, batch: Vec::new().into_iter(), reader: Some(reader), understood }
    }

    /// Waits for the next article as long as needed; false once `is_stopped` says so.
    pub fn wait(&mut self, is_stopped: &dyn Fn() -> bool) -> bool {
        while self.batch.as_slice().is_empty() {
            match self.batches.recv_timeout(ASK_EVERY) {
                Ok(batch) => self.batch = batch.into_iter(),
                Err(RecvTimeoutError::Timeout) if is_stopped() => return false,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        !is_stopped()
    }

    /// The detected format of each file that has been read.
    #[must_use]
    pub fn understood(&self) -> Vec<Understood> {
        self.understood.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Iterator for Articles {
    type Item = Result<Article>;

    fn next(&mut self) -> Option<Result<Article>> {
        loop {
            if let Some(article) = self.batch.next() {
                return Some(Ok(article));
            }
            let Ok(batch) = self.batches.recv() else {
                let outcome = self.reader.take()?.join();
                return outcome.unwrap_or_else(|panic| Err(Error::panicked(&*panic))).err().map(Err);
            };
            self.batch = batch.into_iter();
        }
    }
}

fn text_bytes(article: &Article) -> usize {
    let paragraphs = article.paragraphs.iter();
    paragraphs
        .map(|paragraph| paragraph.context.len() + paragraph.qas.iter().map(Qa::text_bytes).sum::<usize>())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::{Answer, Paragraph};

    fn article(number: usize) -> Article {
        let context = "x".repeat(BATCH_BYTES / 3);
        Article { title: number.to_string(), paragraphs: vec![Paragraph { context, qas: Vec::new() }] }
    }

    #[test]
    fn articles_come_in_order_and_before_the_error_behind_them() {
        let articles = Articles::new(|visit, _| {
            (0..20).try_for_each(|number| visit(article(number)))?;
            Err(Error::Empty { name: "data".to_owned(), what: "questions" })
        });
        let (titles, errors): (Vec<_>, Vec<_>) =
            articles.map(|article| article.map(|article| article.title)).partition(Result::is_ok);
        let titles: Vec<String> = titles.into_iter().map(Result::unwrap).collect();
        assert_eq!(titles, (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
        assert!(matches!(errors.as_slice(), [Err(Error::Empty { .. })]));
    }

    #[test]
    fn a_listener_that_stops_ends_the_reading() {
        let (told, stopped) = sync_channel(1);
        let mut articles = Articles::new(move |visit, _| {
            let outcome = (0..).try_for_each(|number| visit(article(number)));
            told.send(()).unwrap();
            outcome
        });
        assert_eq!(articles.next().unwrap().unwrap().title, "0");
        drop(articles);
        stopped.recv().unwrap();
    }

    #[test]
    fn a_reader_that_takes_for_ever_does_not_hold_up_who_waits() {
        let (end, ended) = sync_channel::<()>(1);
        let mut articles = Articles::new(move |visit, _| {
            visit(article(0))?;
            ended.recv().unwrap();
            Ok(())
        });
        assert!(!articles.wait(&|| true));
        end.send(()).unwrap();
        assert!(articles.wait(&|| false));
        assert_eq!(articles.next().unwrap().unwrap().title, "0");
        assert!(articles.wait(&|| false));
        assert!(articles.next().is_none());
    }

    #[test]
    fn answers_count_in_what_is_read_ahead() {
        let (told, read) = sync_channel(1000);
        let answers = vec![Answer { text: "x".repeat(BATCH_BYTES), answer_start: None }];
        let qa =
            Qa { id: String::new(), question: String::new(), answers: Some(answers), is_impossible: None };
        let mut articles = Articles::new(move |visit, _| {
            (0..100).try_for_each(|_| {
                told.send(()).unwrap();
                let paragraph = Paragraph { context: String::new(), qas: vec![qa.clone()] };
                visit(Article { title: String::new(), paragraphs: vec![paragraph] })
            })
        });
        articles.next().unwrap().unwrap();
        assert!(read.try_iter().count() <= AHEAD + 3);
        assert_eq!(articles.count(), 99);
    }

    #[test]
    fn a_panic_of_the_reader_is_an_error() {
        let mut articles = Articles::new(|_, _| panic!("at a bug"));
        let error = articles.next().unwrap().unwrap_err().to_string();
        assert_eq!(error, "the reader of questions stopped: at a bug");
        assert!(articles.next().is_none());
    }
}
