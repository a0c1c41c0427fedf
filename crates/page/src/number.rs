//! Numbers formatted for people.

/// A number with separated thousands.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A p-value: three digits say enough.
#[must_use]
pub fn p_value(p_value: f64) -> String {
    if p_value < 0.001 { "< 0.001".to_owned() } else { format!("{p_value:.3}") }
}

/// Milliseconds in the unit that people use for them.
#[must_use]
pub fn duration(elapsed_ms: u64) -> String {
    let seconds = elapsed_ms as f64 / 1000.0;
    match elapsed_ms {
        0..60_000 => format!("{seconds:.1} s"),
        60_000..3_600_000 => format!("{:.1} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

/// Bytes in the unit that people use for them.
#[must_use]
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// A difference with its sign; the minus is as wide as the plus.
#[must_use]
pub fn signed(difference: f64, decimals: usize) -> String {
    format!("{difference:+.decimals$}").replace('-', "−")
}

/// A quantity that may be large or small: three digits, or a power of ten.
#[must_use]
pub fn short(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && size < 1e-3 {
        format!("{value:.1e}").replace(".0e", "e")
    } else if size >= 1e4 {
        grouped_signed(value)
    } else {
        let decimals = if size >= 100.0 {
            0
        } else if size >= 10.0 {
            1
        } else {
            3
        };
        let text = format!("{value:.decimals$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    }
}

fn grouped_signed(value: f64) -> String {
    let sign = if value < 0.0 { "−" } else { "" };
    format!("{sign}{}", grouped(value.abs().round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn short_numbers_have_the_digits_that_matter() {
        let numbers = [0.0, 3e-5, 1.5e-4, 0.25, 2.0, 12.34, 350.0, 12_345.6, -20_000.0];
        let expected = ["0", "3e-5", "1.5e-4", "0.25", "2", "12.3", "350", "12,346", "−20,000"];
        assert_eq!(numbers.map(short), expected);
        assert_eq!([signed(-1.25, 1), signed(0.0, 1)], ["−1.2", "+0.0"]);
    }
}
