//! The first of many ids, tensors and the like, as a message lists them.

use std::fmt;

/// How many a message lists.
const LISTED: usize = 10;

/// The first few of many items, one per line, and how many more there are.
#[derive(Debug, Default)]
pub struct Listing {
    first: Vec<String>,
    more: usize,
}

impl Listing {
    /// Adds an item; `text` is called only for the first few.
    pub fn push(&mut self, text: impl FnOnce() -> String) {
        if self.first.len() < LISTED { self.first.push(text()) } else { self.more += 1 }
    }
}

impl FromIterator<String> for Listing {
    fn from_iter<T: IntoIterator<Item = String>>(items: T) -> Self {
        let mut listing = Self::default();
        items.into_iter().for_each(|item| listing.push(|| item));
        listing
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.first.iter().enumerate() {
            write!(formatter, "{}  {item}", if index == 0 { "" } else { "\n" })?;
        }
        if self.more == 0 { Ok(()) } else { write!(formatter, "\n  … and {} more", self.more) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listing_stops_after_ten() {
        let listing: Listing = (0..12).map(|item| item.to_string()).collect();
        assert!(listing.to_string().ends_with("  9\n  … and 2 more"));
        assert_eq!(Listing::from_iter(["a".to_owned()]).to_string(), "  a");
    }
}
