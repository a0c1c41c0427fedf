//! Which questions belong together.

use std::collections::HashMap;

/// Clusters numbered from 0 in the order of their first question, whatever ids the caller has.
pub(crate) struct Clusters {
    /// Question → cluster.
    pub of_question: Vec<usize>,
    pub count: usize,
}

impl Clusters {
    pub fn new(ids: &[u32]) -> Self {
        let mut numbers = HashMap::new();
        let of_question = ids
            .iter()
            .map(|id| {
                let next = numbers.len();
                *numbers.entry(id).or_insert(next)
            })
            .collect();
        Self { of_question, count: numbers.len() }
    }
}
