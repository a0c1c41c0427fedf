//! The texts that are searched for an answer, and the place of an answer in them.

use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use answerer::Answerer;
use squad::TokenizedContext;
use unicode_segmentation::UnicodeSegmentation;

use crate::Error;

/// Endings of the files that are read in a folder.
const TEXT_ENDINGS: [&str; 4] = ["txt", "text", "md", "markdown"];

/// Characters of a sentence that are shown on each side of an answer.
const SHOWN_CHARS: usize = 160;

/// A text, and the file that it is from.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    /// `None` for one from the command line or stdin.
    pub(crate) file: Option<PathBuf>,
    pub(crate) text: Arc<str>,
}

/// A text that is ready for any number of questions.
pub(crate) struct TokenizedText {
    pub(crate) text: Text,
    pub(crate) tokens: TokenizedContext,
}

impl Text {
    /// From the command line.
    pub(crate) fn typed(text: &str) -> Self {
        Self { file: None, text: text.into() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.trim().is_empty()
    }

    pub(crate) fn tokenize(self, answerer: &Answerer) -> Result<TokenizedText, answerer::Error> {
        let tokens = answerer.tokenize(&self.text)?;
        Ok(TokenizedText { text: self, tokens })
    }

    /// Where the characters `span` stand.
    pub(crate) fn place(&self, span: Range<usize>) -> Place {
        place(&self.text, span)
    }
}

/// The texts that a path names: a file, the text files of a folder and its subfolders in the order of their names, or
/// stdin for `-`.
pub(crate) fn read(path: &Path) -> Result<Vec<Text>, Error> {
    if path.as_os_str() == "-" {
        return Ok(vec![read_stdin()?]);
    }
    if !path.is_dir() {
        return Ok(vec![read_file(path)?]);
    }
    let (mut texts, mut files, mut others) = (Vec::new(), Vec::new(), 0_usize);
    files_in(path, &mut files, &mut others)?;
    if others > 0 {
        tracing::info!(folder = %path.display(), texts = files.len(), others, "files that do not end in .txt or .md are left out");
    }
    for file in files {
        match read_file(&file) {
            Ok(text) if text.is_empty() => {}
            Ok(text) => texts.push(text),
            // One bad file of a folder is no reason to leave the others unread.
            Err(error) => tracing::warn!(%error, "skipped"),
        }
    }
    if texts.is_empty() { Err(Error::NoTexts { folder: path.to_owned() }) } else { Ok(texts) }
}

/// All of stdin.
pub(crate) fn read_stdin() -> Result<Text, Error> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes).map_err(|_| Error::NotText { path: "stdin".into() })?;
    Ok(Text { file: None, text: text.into() })
}

fn read_file(path: &Path) -> Result<Text, Error> {
    let text =
        String::from_utf8(fs_err::read(path)?).map_err(|_| Error::NotText { path: path.to_owned() })?;
    Ok(Text { file: Some(path.to_owned()), text: text.into() })
}

/// Adds the files with an ending of text, in the order of their paths, and counts the others. Hidden files and links to folders
/// are passed over.
fn files_in(folder: &Path, files: &mut Vec<PathBuf>, others: &mut usize) -> Result<(), Error> {
    let mut entries = fs_err::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs_err::DirEntry::file_name);
    for entry in entries {
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase);
        if entry.file_type()?.is_dir() {
            files_in(&path, files, others)?;
        } else if ending.is_some_and(|ending| TEXT_ENDINGS.contains(&ending.as_str())) && path.is_file() {
            files.push(path);
        } else {
            *others += 1;
        }
    }
    Ok(())
}

/// A line, counted from 1, and the sentence around an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    /// On one line.
    pub(crate) sentence: String,
}

/// Where the characters `span` of `text` stand. Sentences end as Unicode has it (UAX #29), but not at a line's end, since
/// texts are wrapped: only an empty line does.
fn place(text: &str, span: Range<usize>) -> Place {
    let byte = |character: usize| text.char_indices().nth(character).map_or(text.len(), |(byte, _)| byte);
    let (start, end) = (byte(span.start), byte(span.end));
    let line = 1 + text[..start].matches('\n').count();
    let paragraph_start = text[..start].rfind("\n\n").map_or(0, |at| at + 2);
    let paragraph_end = text[end..].find("\n\n").map_or(text.len(), |at| end + at);
    // Of as many bytes as before.
    let paragraph = text[paragraph_start..paragraph_end].replace(['\n', '\r'], " ");
    let (start, end) = (start - paragraph_start, end - paragraph_start);
    let sentences = paragraph.split_sentence_bound_indices();
    let touched = sentences.filter(|(at, sentence)| *at < end.max(start + 1) && at + sentence.len() > start);
    let (mut first, mut last) = (end, start);
    for (at, sentence) in touched {
        first = first.min(at);
        last = last.max(at + sentence.len());
    }
    let (before, after) = (&paragraph[first.min(start)..start], &paragraph[end..last.max(end)]);
    let begin = before.char_indices().rev().nth(SHOWN_CHARS).map(|(at, _)| at);
    let stop = after.char_indices().nth(SHOWN_CHARS).map(|(at, _)| at);
    let shown = format!(
        "{}{}{}{}{}",
        if begin.is_some() { "…" } else { "" },
        &before[begin.unwrap_or(0)..],
        &paragraph[start..end],
        &after[..stop.unwrap_or(after.len())],
        if stop.is_some() { "…" } else { "" },
    );
    Place { line, sentence: shown.split_whitespace().collect::<Vec<_>>().join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place_of(text: &str, answer: &str) -> Place {
        let start = text[..text.find(answer).unwrap()].chars().count();
        place(text, start..start + answer.chars().count())
    }

    #[test]
    fn an_answer_stands_in_a_line_and_a_sentence() {
        let text = "# Häuser\n\nThe dome is old. It was rebuilt\nby Ida Varnen. Then it burnt.\n\nThe end.";
        let found = place_of(text, "Ida Varnen");
        assert_eq!(found, Place { line: 4, sentence: "It was rebuilt by Ida Varnen.".to_owned() });
        assert_eq!(place_of(text, "Häuser"), Place { line: 1, sentence: "# Häuser".to_owned() });
        assert_eq!(place_of(text, "end"), Place { line: 6, sentence: "The end.".to_owned() });
        // An answer across two sentences shows both.
        assert_eq!(place_of(text, "old. It").sentence, "The dome is old. It was rebuilt by Ida Varnen.");
    }

    #[test]
    fn a_long_sentence_is_cut_on_both_sides_of_the_answer() {
        let text = format!("{}cat {}", "word ".repeat(100), "word ".repeat(100));
        let sentence = place_of(&text, "cat").sentence;
        assert!(sentence.starts_with('…') && sentence.ends_with('…') && sentence.contains("word cat word"));
        assert!(sentence.chars().count() <= 2 * SHOWN_CHARS + 6, "{sentence}");
    }

    #[test]
    fn a_folder_is_read_in_order_without_what_is_no_text() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| fs_err::write(folder.path().join(name), content).unwrap();
        fs_err::create_dir(folder.path().join("b")).unwrap();
        for (name, content) in [
            ("c.txt", b"three".as_slice()),
            ("a.MD", b"one"),
            ("b/x.txt", b"two"),
            ("bad.txt", b"\xff\xfe"),
            ("empty.txt", b" \n"),
            (".hidden.txt", b"no"),
            ("picture.png", b"no"),
        ] {
            write(name, content);
        }
        let texts = read(folder.path()).unwrap();
        assert!(texts.iter().map(|text| &*text.text).eq(["one", "two", "three"]));
        let empty = folder.path().join("none");
        fs_err::create_dir(&empty).unwrap();
        assert!(matches!(read(&empty), Err(Error::NoTexts { .. })));
        assert!(matches!(read(&folder.path().join("bad.txt")), Err(Error::NotText { .. })));
    }
}
