//! The frame of a page: head, policy, style and script.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

/// How every page looks, on screens and on paper.
const STYLE: &str = include_str!("style.css");

/// Filters, searches and sorts a list; a page is complete without it.
const SCRIPT: &str = include_str!("browse.js");

/// A page.
#[derive(Debug)]
pub struct Document<'a> {
    /// The title in the browser's tab.
    pub title: &'a str,
    pub body: Markup,
}

impl Document<'_> {
    /// The whole file. Its policy allows only its own style and script, by their hashes: no network, no other script,
    /// no style attributes.
    #[must_use]
    pub fn render(&self) -> String {
        let policy = format!(
            "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
            hash(STYLE),
            hash(SCRIPT)
        );
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="referrer" content="no-referrer";
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    (self.body)
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        };
        page.into_string()
    }
}

/// The hash of a style or script, as written in a policy.
fn hash(content: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
        text.split_once(start).unwrap().1.split_once(end).unwrap().0
    }

    #[test]
    fn the_policy_names_what_the_page_carries_and_nothing_else() {
        let page = Document { title: "<a> & b", body: html! { p { "x" } } }.render();
        let policy = between(&page, "Content-Security-Policy\" content=\"", "\"");
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
        for (tag, source) in [("style", "style-src"), ("script", "script-src")] {
            let content = between(&page, &format!("<{tag}>"), &format!("</{tag}>"));
            assert!(policy.contains(&format!("{source} '{}'", hash(content))), "{policy}");
            assert_eq!(page.matches(&format!("<{tag}")).count(), 1);
        }
        assert!(page.contains("<title>&lt;a&gt; &amp; b</title>"));
    }

    #[test]
    fn style_and_script_reach_for_nothing_and_stay_small() {
        for content in [STYLE, SCRIPT] {
            for word in ["url(", "@import", "http", "fetch", "eval", "innerHTML", "</"] {
                assert!(!content.contains(word), "{word}");
            }
        }
        assert!(SCRIPT.len() < 4000, "{} bytes", SCRIPT.len());
    }
}
