//! Numbers as people read them: three decimals, thousands separated, a true minus sign.

use bench_core::record::Interval;

/// Three decimals, `−0.012`; `not finite` for values that are none.
pub(crate) fn fixed(value: f64) -> String {
    decimals(value, 3)
}

/// Two decimals, for sentences.
pub(crate) fn coarse(value: f64) -> String {
    decimals(value, 2)
}

/// A percentage without decimals: `77 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", decimals(100.0 * share, 0))
}

/// `[0.690, 0.860]`.
pub(crate) fn interval(interval: Interval) -> String {
    format!("[{}, {}]", fixed(interval.low), fixed(interval.high))
}

/// `[0.69, 0.86]`, for sentences.
pub(crate) fn coarse_interval(interval: Interval) -> String {
    format!("[{}, {}]", coarse(interval.low), coarse(interval.high))
}

/// A probability: `0.042` or `< 0.001`.
pub(crate) fn probability(p: f64) -> String {
    if (0.0..0.0005).contains(&p) { "< 0.001".to_owned() } else { fixed(p) }
}

/// Three significant digits for values of any size: `1.23e−7`, `412`.
pub(crate) fn significant(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || !value.is_finite() {
        fixed(value)
    } else if (0.001..1000.0).contains(&size) {
        let digits = 2 - size.log10().floor() as i32;
        decimals(value, digits.clamp(0, 5) as usize)
    } else {
        minus(&format!("{value:.2e}"))
    }
}

/// `27,000`.
pub(crate) fn count(value: usize) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1,200` or `1,200 to 1,300`.
pub(crate) fn span((low, high): (usize, usize)) -> String {
    if low == high { count(low) } else { format!("{} to {}", count(low), count(high)) }
}

/// `1 row`, `2 rows`.
pub(crate) fn plural(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

fn decimals(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return "not finite".to_owned();
    }
    let text = format!("{value:.digits$}");
    // `-0.000` is zero.
    if text.starts_with('-') && text.bytes().all(|b| matches!(b, b'-' | b'0' | b'.')) {
        return text[1..].to_owned();
    }
    minus(&text)
}

fn minus(text: &str) -> String {
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_in_print() {
        assert_eq!(fixed(0.77349), "0.773");
        assert_eq!(fixed(-0.0001), "0.000");
        assert_eq!(fixed(-0.25), "−0.250");
        assert_eq!(fixed(f64::NAN), "not finite");
        assert_eq!(percent(0.7735), "77 %");
        assert_eq!(probability(0.0002), "< 0.001");
        assert_eq!(significant(1.2345e-7), "1.23e−7");
        assert_eq!(significant(41.26), "41.3");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(999), "999");
        assert_eq!(plural(1, "row"), "1 row");
    }
}
