//! Canonical JSON and the fingerprints made from it.

use serde_json::Value;

/// JSON with sorted keys and no spaces: equal values give equal text, however they were built.
#[must_use]
pub fn canonical_json(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

/// The first 32 hex digits of the BLAKE3 of the canonical JSON: the name of an artifact made from these parts.
#[must_use]
pub fn fingerprint(parts: &Value) -> String {
    let mut digits = blake3(parts);
    digits.truncate(32);
    digits
}

/// All 64 hex digits.
pub(crate) fn blake3(value: &Value) -> String {
    blake3::hash(canonical_json(value).as_bytes()).to_hex().to_string()
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                write_canonical(item, text);
            }
            text.push(']');
        }
        Value::Object(map) => {
            // serde_json is built with `preserve_order`, so the map keeps the order of insertion.
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| key.as_str());
            text.push('{');
            for (i, (key, value)) in entries.into_iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write_canonical(value, text);
            }
            text.push('}');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_sorted_at_every_level() {
        let value = json!({"b": [1, {"z": null, "a": "ü\n\"x\""}], "a": {"y": 1.5, "x": true}});
        assert_eq!(
            canonical_json(&value),
            "{\"a\":{\"x\":true,\"y\":1.5},\"b\":[1,{\"a\":\"ü\\n\\\"x\\\"\",\"z\":null}]}"
        );
    }

    #[test]
    fn the_order_of_keys_does_not_change_the_fingerprint() {
        let one = json!({"stage": "ingest", "settings": {"seed": 0, "subset": "random"}});
        let other = json!({"settings": {"subset": "random", "seed": 0}, "stage": "ingest"});
        assert_eq!(fingerprint(&one), fingerprint(&other));
    }

    #[test]
    fn a_fingerprint_is_32_hex_digits_and_stays_what_it_was() {
        // From `printf '{"stage":"ingest"}' | b3sum`, cut after 32 digits.
        let digits = fingerprint(&json!({"stage": "ingest"}));
        assert_eq!(digits, blake3::hash(b"{\"stage\":\"ingest\"}").to_hex().as_str()[..32]);
        assert_ne!(digits, fingerprint(&json!({"stage": "train"})));
    }

    #[test]
    fn canonical_json_survives_being_written_and_read() {
        let value = json!({"loss": 0.1 + 0.2, "rate": 3e-5, "whole": 1.0, "big": u64::MAX, "negative": -7});
        let text = serde_json::to_string_pretty(&value).unwrap();
        let back: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(canonical_json(&back), canonical_json(&value));
    }
}
