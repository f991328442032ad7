//! Sizes and times as Spark writes them (SS-75).
//!
//! `512m`, `15g`, `100ms`, `2h`: a whole number and a suffix, in either case; sizes may end in `b` (`4mb`). A bare number
//! has the unit of its key: MiB for memory keys, whatever older documentation says about bytes (DX-16). Fractions are
//! refused, because `1.5g` would have to be rounded somewhere.

use std::time::Duration;

use firesteel_model::ByteCount;

use crate::Unit;

/// Reads a size; the error completes "it must be …".
pub(crate) fn parse_size(text: &str, unit: Unit) -> Result<ByteCount, String> {
    let (digits, suffix) = split(text).ok_or_else(|| size_advice(text, unit))?;
    let shift = match suffix.as_str() {
        "" => match unit {
            Unit::KiB => 10,
            Unit::MiB => 20,
            _ => 0,
        },
        "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        "t" | "tb" => 40,
        "p" | "pb" => 50,
        "e" | "eb" => 60,
        _ => return Err(size_advice(text, unit)),
    };
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    bytes.filter(|bytes| *bytes <= i64::MAX as u64).map(ByteCount).ok_or_else(|| "less than 8 EiB".to_owned())
}

/// Reads a time; the error completes "it must be …".
pub(crate) fn parse_duration(text: &str, unit: Unit) -> Result<Duration, String> {
    let (digits, suffix) = split(text).ok_or_else(|| duration_advice(text, unit))?;
    let microseconds_each: u64 = match suffix.as_str() {
        "" => match unit {
            Unit::Seconds => 1_000_000,
            _ => 1_000,
        },
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" | "min" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return Err(duration_advice(text, unit)),
    };
    let microseconds = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(microseconds_each));
    microseconds
        .filter(|microseconds| *microseconds <= i64::MAX as u64)
        .map(Duration::from_micros)
        .ok_or_else(|| "less than 100 million days".to_owned())
}

/// Digits and lower-case suffix, if the text has that form.
fn split(text: &str) -> Option<(&str, String)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let suffix = &text[end..];
    let formed = end > 0 && suffix.chars().all(|c| c.is_ascii_alphabetic());
    formed.then(|| (&text[..end], suffix.to_ascii_lowercase()))
}

fn size_advice(text: &str, unit: Unit) -> String {
    if let Some(whole) = without_fraction(text, &["b", "k", "m", "g", "t", "p", "e"]) {
        return format!("a whole number of a smaller unit: use {whole}, not {}", text.trim());
    }
    let bare = match unit {
        Unit::KiB => "KiB",
        Unit::MiB => "MiB",
        _ => "bytes",
    };
    format!("a size such as 512m or 2g: a whole number, then one of b k m g t p e; a number alone means {bare}")
}

fn duration_advice(text: &str, unit: Unit) -> String {
    let bare = if unit == Unit::Seconds { "seconds" } else { "milliseconds" };
    let advice = format!(
        "a time such as 100ms or 2min: a whole number, then one of us ms s m min h d; a number alone means {bare}"
    );
    if text.contains('.') { format!("{advice}; fractions are not taken, use 1500ms, not 1.5s") } else { advice }
}

/// `1.5g` as `1536m`, if that is a whole number of the next smaller unit, else a general example.
fn without_fraction(text: &str, suffixes: &[&str]) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = text[number.len()..].trim_end_matches('b');
    if !number.contains('.') {
        return None;
    }
    let value: f64 = number.parse().ok()?;
    let position = suffixes.iter().position(|known| *known == suffix).unwrap_or(0);
    let smaller = value * 1024.0;
    let whole = position > 0 && smaller.fract() == 0.0 && (0.0..1e15).contains(&smaller);
    Some(if whole { format!("{}{}", smaller as u64, suffixes[position - 1]) } else { "1536m".to_owned() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes() {
        let cases = [
            ("512m", 512 << 20),
            ("15g", 15 << 30),
            ("4MB", 4 << 20),
            ("1Kb", 1024),
            ("7b", 7),
            ("2t", 2 << 40),
            ("3p", 3 << 50),
            ("1e", 1 << 60),
            (" 8k ", 8 << 10),
            ("1024", 1024 << 20),
            ("0", 0),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse_size(text, Unit::MiB), Ok(ByteCount(bytes)), "{text:?}");
        }
        assert_eq!(parse_size("10", Unit::KiB), Ok(ByteCount::kib(10)));
        assert_eq!(parse_size("10", Unit::Bytes), Ok(ByteCount(10)));
        for text in ["", "g", "-1g", "1 g", "1x", "8e", "16e", "99999999999999999999", "1gg", "1gib", "0x10", "١m"] {
            assert!(parse_size(text, Unit::MiB).is_err(), "{text:?}");
        }
    }

    #[test]
    fn fractions_are_refused_with_the_whole_number_to_use() {
        let advice = parse_size("1.5g", Unit::MiB).unwrap_err();
        assert!(advice.contains("use 1536m, not 1.5g"), "{advice}");
        assert!(parse_size("0.5m", Unit::MiB).unwrap_err().contains("use 512k"));
        assert!(parse_size("1.33333g", Unit::MiB).unwrap_err().contains("use 1536m"));
    }

    #[test]
    fn times() {
        let cases = [
            ("7us", Duration::from_micros(7)),
            ("100ms", Duration::from_millis(100)),
            ("3s", Duration::from_secs(3)),
            ("2m", Duration::from_secs(120)),
            ("2MIN", Duration::from_secs(120)),
            ("1h", Duration::from_secs(3600)),
            ("365d", Duration::from_secs(365 * 86_400)),
            ("50", Duration::from_millis(50)),
        ];
        for (text, duration) in cases {
            assert_eq!(parse_duration(text, Unit::Milliseconds), Ok(duration), "{text:?}");
        }
        assert_eq!(parse_duration("50", Unit::Seconds), Ok(Duration::from_secs(50)));
        for text in ["", "s", "-1s", "1.5s", "1 s", "1w", "999999999999999d"] {
            assert!(parse_duration(text, Unit::Milliseconds).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,12}") {
            let _ = parse_size(&text, Unit::MiB);
            let _ = parse_duration(&text, Unit::Seconds);
        }

        #[test]
        fn a_bare_number_is_the_number_with_the_keys_suffix(number in 0u32..1_000_000) {
            let bare = number.to_string();
            for unit in [Unit::Bytes, Unit::KiB, Unit::MiB] {
                prop_assert_eq!(parse_size(&bare, unit), parse_size(&format!("{number}{}", unit.suffix()), Unit::Bytes));
            }
            for unit in [Unit::Milliseconds, Unit::Seconds] {
                let suffixed = format!("{number}{}", unit.suffix());
                prop_assert_eq!(parse_duration(&bare, unit), parse_duration(&suffixed, Unit::Seconds));
            }
        }
    }
}
