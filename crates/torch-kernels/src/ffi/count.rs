//! How often LibTorch is asked for what: for tests.

use std::collections::BTreeMap;
use std::ffi::c_char;

use super::{check, told};

unsafe extern "C" {
    fn distilburn_count_begin() -> *mut c_char;
    fn distilburn_count_end() -> *mut c_char;
}

/// What `f` returns, and how often the calling thread asked LibTorch for each operation while it ran.
pub(crate) fn counted<T>(f: impl FnOnce() -> T) -> (T, BTreeMap<String, usize>) {
    // SAFETY: C++ counts in memory of the thread's own.
    check(unsafe { distilburn_count_begin() });
    let result = f();
    // SAFETY: as above; the answer is a message, which `told` frees.
    let lines = told(unsafe { distilburn_count_end() }).expect_err("the count is a message");
    let counts = lines.lines().map(|line| {
        let parts =
            line.split_once(' ').and_then(|(count, name)| Some((name.to_owned(), count.parse().ok()?)));
        parts.unwrap_or_else(|| super::broken(line))
    });
    (result, counts.collect())
}
