//! Numbers and texts for people.

use jiff::Timestamp;

/// How much of a text that somebody else has made is shown in a table.
const LONGEST: usize = 160;

/// The beginning of a text, in one line: what would not be seen, or would change how others are read, is shown as a sign.
pub fn cut(text: &str) -> String {
    let visible = |c: char| if c.is_control() || is_format(c) { '\u{fffd}' } else { c };
    let mut cut: String = text.chars().take(LONGEST).map(visible).collect();
    if text.chars().nth(LONGEST).is_some() {
        cut.push('…');
    }
    cut
}

/// Marks of direction and of no width: they would let one name look like another.
fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// `2026-11-22 09:30:00 UTC`
pub fn date(wall_clock_ms: i64) -> String {
    strftime(wall_clock_ms, "%Y-%m-%d %H:%M:%S UTC")
}

/// `Sun Nov 22 09:30:00 UTC 2026`, as Java prints a date.
pub fn java_date(wall_clock_ms: i64) -> String {
    strftime(wall_clock_ms, "%a %b %d %H:%M:%S UTC %Y")
}

fn strftime(wall_clock_ms: i64, format: &str) -> String {
    Timestamp::from_millisecond(wall_clock_ms).unwrap_or(Timestamp::UNIX_EPOCH).strftime(format).to_string()
}

/// `17 s`, `3.5 min`, `2.0 h`, `5.1 d`
pub fn duration(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) as f64 / 1000.0;
    match seconds {
        seconds if seconds < 1.0 => format!("{} ms", milliseconds.max(0)),
        seconds if seconds < 60.0 => format!("{seconds:.0} s"),
        seconds if seconds < 3600.0 => format!("{:.1} min", seconds / 60.0),
        seconds if seconds < 48.0 * 3600.0 => format!("{:.1} h", seconds / 3600.0),
        seconds => format!("{:.1} d", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(date(1_795_348_528_874), "2026-11-22 11:55:28 UTC");
        assert_eq!(java_date(1_795_348_528_874), "Sun Nov 22 11:55:28 UTC 2026");
        let cases = [(-5, "0 ms"), (999, "999 ms"), (17_200, "17 s"), (210_000, "3.5 min"), (7_200_000, "2.0 h")];
        for (milliseconds, text) in cases {
            assert_eq!(duration(milliseconds), text);
        }
        assert_eq!(duration(5 * 86_400_000), "5.0 d");
    }

    #[test]
    fn what_others_have_written_is_short_and_visible() {
        assert_eq!(cut("plain"), "plain");
        assert_eq!(cut("a\nb\u{202e}c"), "a\u{fffd}b\u{fffd}c");
        assert_eq!(cut(&"ä".repeat(10 << 10)).chars().count(), LONGEST + 1);
    }
}
