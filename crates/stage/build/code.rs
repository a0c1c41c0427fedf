//! The code's part of a fingerprint: a hash of what a stage's sources compute, independent of comments and layout.
//!
//! Rust is hashed as tokens, without comments and layout. Docs, lint attributes, the texts of errors (`#[error]`,
//! `#[diagnostic]`, files called error.rs), of log lines and of `expect`, `#[cfg(test)]` items and experiment trackers
//! cannot affect an output and are left out. Every other literal counts. C++ is hashed without comments, and any other
//! file byte for byte.

use std::io;
use std::path::{Path, PathBuf};
use std::{fs, iter};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Files and folders that affect no output.
const LEFT_OUT: [&str; 5] = ["error.rs", "tests", "tests.rs", "snapshots", "trackers"];
/// The same for experiment trackers: they receive events and decide nothing.
const TRACKERS: &str = "trackers.rs";
/// Attributes for people or lints.
const ATTRIBUTES: [&str; 8] = ["allow", "deny", "diagnostic", "doc", "error", "expect", "must_use", "warn"];
/// tracing's macros.
const LOGS: [&str; 8] = ["trace", "debug", "info", "warn", "error", "info_span", "debug_span", "span"];

/// The hash of the sources of `names`, folders of `crates`. `seen` is called with every file and folder that counts.
pub fn hash(crates: &Path, names: &[impl AsRef<str>], seen: &mut dyn FnMut(&Path)) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    for name in names.iter().map(AsRef::as_ref) {
        // A build script's compiler flags count, as well as what they compile.
        for part in ["build.rs", "cpp", "src"] {
            let path = crates.join(name).join(part);
            if path.exists() {
                seen(&path);
                add(&mut hasher, &path, &format!("{name}/{part}"))?;
            }
        }
    }
    Ok(hasher.finalize().to_hex()[..32].to_owned())
}

/// Adds a file's name, relative to `crates`, and its contents; for a folder, those of every file.
fn add(hasher: &mut blake3::Hasher, path: &Path, name: &str) -> io::Result<()> {
    if path.is_dir() {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        entries.sort();
        for entry in entries {
            let file_name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !LEFT_OUT.contains(&file_name.as_str()) && file_name != TRACKERS {
                add(hasher, &entry, &format!("{name}/{file_name}"))?;
            }
        }
        return Ok(());
    }
    let contents = canonical(name, fs::read(path)?);
    for bytes in [name.as_bytes(), &contents] {
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    }
    Ok(())
}

/// The part of a file that counts.
pub fn canonical(name: &str, contents: Vec<u8>) -> Vec<u8> {
    let text = match String::from_utf8(contents) {
        Ok(text) => text,
        Err(binary) => return binary.into_bytes(),
    };
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending {
        "rs" => match text.parse::<TokenStream>() {
            Ok(tokens) => code(tokens).to_string().into_bytes(),
            Err(_) => text.into_bytes(),
        },
        "cpp" | "h" | "hpp" | "cu" => without_comments(&text).into_bytes(),
        _ => text.into_bytes(),
    }
}

/// The tokens that affect a result.
fn code(tokens: TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut kept: Vec<TokenTree> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        if let Some((attribute, length)) = attribute(&tokens[at..]) {
            if is_cfg_test(attribute) {
                at += length + item_length(&tokens[at + length..]);
                continue;
            }
            if first_ident(attribute).is_some_and(|ident| ATTRIBUTES.contains(&ident.as_str())) {
                at += length;
                continue;
            }
        }
        kept.push(match &tokens[at] {
            TokenTree::Group(group) => {
                let inner = if is_log(&kept) || is_expect(&kept) {
                    without_texts(group.stream())
                } else {
                    code(group.stream())
                };
                TokenTree::Group(Group::new(group.delimiter(), inner))
            }
            token => token.clone(),
        });
        at += 1;
    }
    kept.into_iter().collect()
}

/// `#[…]` or `#![…]` at the beginning, and its number of tokens.
fn attribute(tokens: &[TokenTree]) -> Option<(&Group, usize)> {
    let is =
        |token: &TokenTree, sign: char| matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign);
    let (hash, rest) = tokens.split_first()?;
    if !is(hash, '#') {
        return None;
    }
    let inner = usize::from(rest.first().is_some_and(|token| is(token, '!')));
    match rest.get(inner) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => Some((group, 2 + inner)),
        _ => None,
    }
}

fn first_ident(group: &Group) -> Option<String> {
    match group.stream().into_iter().next() {
        Some(TokenTree::Ident(ident)) => Some(ident.to_string()),
        _ => None,
    }
}

fn is_cfg_test(attribute: &Group) -> bool {
    attribute.stream().to_string().replace(' ', "") == "cfg(test)"
}

/// The number of tokens of the item that begins here, including its other attributes.
fn item_length(tokens: &[TokenTree]) -> usize {
    let mut start = 0;
    while let Some((_, length)) = attribute(&tokens[start..]) {
        start += length;
    }
    // The braces of `use a::{b, c};` do not end it.
    let is_use = tokens[start..].iter().take(3).any(|token| token.to_string() == "use");
    let ends = |token: &TokenTree| match token {
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Group(group) => !is_use && group.delimiter() == Delimiter::Brace,
        _ => false,
    };
    let end = tokens[start..].iter().position(ends).map_or(tokens.len(), |end| start + end + 1);
    end.min(tokens.len())
}

/// Whether the arguments of one of tracing's macros come next: `info!`, `tracing::info!`.
fn is_log(before: &[TokenTree]) -> bool {
    let [.., TokenTree::Ident(name), TokenTree::Punct(bang)] = before else { return false };
    bang.as_char() == '!' && LOGS.contains(&name.to_string().as_str())
}

/// Whether the argument of `.expect` comes next.
fn is_expect(before: &[TokenTree]) -> bool {
    matches!(before, [.., TokenTree::Punct(dot), TokenTree::Ident(name)] if dot.as_char() == '.' && *name == "expect")
}

/// Tokens without string literals, however deep.
fn without_texts(tokens: TokenStream) -> TokenStream {
    let is_text =
        |token: &TokenTree| matches!(token, TokenTree::Literal(literal) if literal.to_string().contains('"'));
    let kept = tokens.into_iter().filter(|token| !is_text(token)).map(|token| match token {
        TokenTree::Group(group) => {
            TokenTree::Group(Group::new(group.delimiter(), without_texts(group.stream())))
        }
        token => token,
    });
    kept.collect()
}

/// C++ without comments, one space for any run of blanks outside of literals.
fn without_comments(source: &str) -> String {
    let mut kept = String::with_capacity(source.len());
    let mut characters = source.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('/', Some('/')) => {
                // The end of the line stays: a directive ends there.
                while characters.next_if(|next| *next != '\n').is_some() {}
            }
            ('/', Some('*')) => {
                characters.next();
                let mut last = ' ';
                for next in characters.by_ref() {
                    if last == '*' && next == '/' {
                        break;
                    }
                    last = next;
                }
                kept.push(' ');
            }
            ('"' | '\'', _) => {
                kept.push(character);
                while let Some(next) = characters.next() {
                    kept.push(next);
                    if next == '\\' {
                        kept.extend(characters.next());
                    } else if next == character {
                        break;
                    }
                }
            }
            _ => kept.push(character),
        }
    }
    let lines = kept.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines
        .filter(|line| !line.is_empty())
        .flat_map(|line| iter::once(line).chain(iter::once("\n".to_owned())))
        .collect()
}
