//! Articles, read on a thread of its own while earlier ones are worked on.

use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::{mem, thread};

use squad::json::Article;

use super::Visit;
use crate::error::{Error, Result};

/// Bytes of text after which articles are handed over: enough to make that cheap, few enough to bound memory.
const BATCH_BYTES: usize = 1 << 18;

/// Batches that may wait.
const AHEAD: usize = 2;

/// Shows what `read` reads to `visit`, in the same order. The first error, in that order, ends it.
pub(super) fn read_ahead(
    read: impl FnOnce(Visit<'_>) -> Result<()> + Send,
    mut visit: impl FnMut(Article) -> Result<()>,
) -> Result<()> {
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<Vec<Article>>(AHEAD);
        let reader = scope.spawn(move || {
            let (mut batch, mut bytes) = (Vec::new(), 0);
            let outcome = read(&mut |article| {
                bytes += text_bytes(&article);
                batch.push(article);
                if bytes < BATCH_BYTES {
                    return Ok(());
                }
                bytes = 0;
                // Nobody wants more after an error of `visit`, which is the one that counts.
                sender.send(mem::take(&mut batch)).map_err(|_| Error::Interrupted)
            });
            let _ = sender.send(batch);
            outcome
        });
        let visited = receiver.into_iter().flatten().try_for_each(&mut visit);
        let read = reader.join().unwrap_or_else(|panic| resume_unwind(panic));
        visited.and(read)
    })
}

fn text_bytes(article: &Article) -> usize {
    let paragraphs = article.paragraphs.iter();
    paragraphs
        .map(|paragraph| {
            let questions = paragraph.qas.iter().map(|qa| qa.id.len() + qa.question.len());
            paragraph.context.len() + questions.sum::<usize>()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use squad::json::Paragraph;

    use super::*;

    fn article(number: usize) -> Article {
        let context = "x".repeat(BATCH_BYTES / 3);
        Article { title: number.to_string(), paragraphs: vec![Paragraph { context, qas: Vec::new() }] }
    }

    #[test]
    fn articles_come_in_order_and_before_the_error_behind_them() {
        let mut titles = Vec::new();
        let outcome = read_ahead(
            |visit| {
                (0..20).try_for_each(|number| visit(article(number)))?;
                Err(Error::NoQuestions { origin: "data".to_owned(), split: "train" })
            },
            |article| {
                titles.push(article.title);
                Ok(())
            },
        );
        assert!(matches!(outcome, Err(Error::NoQuestions { .. })));
        assert_eq!(titles, (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn an_error_of_the_visitor_ends_the_reading() {
        let mut visited = 0;
        let outcome = read_ahead(
            |visit| (0..).try_for_each(|number| visit(article(number))),
            |_| {
                visited += 1;
                if visited < 5 {
                    Ok(())
                } else {
                    Err(Error::NoQuestions { origin: String::new(), split: "train" })
                }
            },
        );
        assert!(matches!(outcome, Err(Error::NoQuestions { .. })));
        assert_eq!(visited, 5);
    }
}
