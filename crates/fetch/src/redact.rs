//! URLs as logs and messages may show them.

/// A URL without its user name, password, query and fragment: signatures and credentials stay out of logs.
#[must_use]
pub fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.split(['?', '#']).next().unwrap_or_default().to_owned();
    };
    let (rest, hidden) = match rest.find(['?', '#']) {
        Some(end) => (&rest[..end], "?…"),
        None => (rest, ""),
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |start| rest.split_at(start));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}{hidden}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_signatures_are_left_out() {
        for (url, shown) in [
            ("https://example.org/train.json", "https://example.org/train.json"),
            ("https://me:secret@example.org:8443/a/b", "https://example.org:8443/a/b"),
            ("https://me:p@ss@example.org/a@b", "https://example.org/a@b"),
            ("https://s3.example/f?X-Amz-Signature=secret", "https://s3.example/f?…"),
            ("https://example.org?token=secret", "https://example.org?…"),
            ("https://example.org/f#secret", "https://example.org/f?…"),
            ("http://token@127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("path?secret", "path"),
        ] {
            assert_eq!(redacted(url), shown);
        }
    }
}
