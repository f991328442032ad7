//! The types that a key can have.

use std::time::Duration;

use firesteel_model::ByteCount;
use regex::Regex;

use crate::{DeployMode, MasterUrl, Unit, quantity};

/// A type that a key's text can be read as.
pub trait ConfValue: Sized + 'static {
    /// The type in words, for the manual.
    const TYPE: &'static str;

    /// Reads the text. `unit` is what a bare number means. The error completes "it must be …".
    fn parse(text: &str, unit: Unit) -> Result<Self, String>;

    /// The numbers that a key's check accepts, which completes "it must be …"; `None` if the type has no range.
    fn range(_accepts: &dyn Fn(Self) -> bool) -> Option<String> {
        None
    }

    /// The value of a key that is not set and has no default; `None` if there is no such value.
    fn unset() -> Option<Self> {
        None
    }
}

impl<T: ConfValue> ConfValue for Option<T> {
    const TYPE: &'static str = T::TYPE;

    fn parse(text: &str, unit: Unit) -> Result<Self, String> {
        T::parse(text, unit).map(Some)
    }

    fn range(accepts: &dyn Fn(Self) -> bool) -> Option<String> {
        T::range(&|value| accepts(Some(value)))
    }

    fn unset() -> Option<Self> {
        Some(None)
    }
}

impl ConfValue for String {
    const TYPE: &'static str = "text";

    fn parse(text: &str, _: Unit) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

/// A comma list; blanks around the elements and empty elements are dropped.
impl ConfValue for Vec<String> {
    const TYPE: &'static str = "list";

    fn parse(text: &str, _: Unit) -> Result<Self, String> {
        Ok(text.split(',').map(str::trim).filter(|element| !element.is_empty()).map(str::to_owned).collect())
    }

    fn unset() -> Option<Self> {
        Some(Vec::new())
    }
}

impl ConfValue for bool {
    const TYPE: &'static str = "true or false";

    fn parse(text: &str, _: Unit) -> Result<Self, String> {
        match text.trim() {
            text if text.eq_ignore_ascii_case("true") => Ok(true),
            text if text.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err("true or false".to_owned()),
        }
    }
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl ConfValue for $number {
            const TYPE: &'static str = "number";

            fn parse(text: &str, _: Unit) -> Result<Self, String> {
                let expected = || format!("a whole number from {} to {}", Self::MIN, Self::MAX);
                text.trim().parse().map_err(|_| expected())
            }

            /// Every check accepts one of the first numbers and, from there, all up to an end on each side.
            fn range(accepts: &dyn Fn(Self) -> bool) -> Option<String> {
                let first = (0..=2).find(|number| accepts(*number))?;
                let end = |mut refused: Self| {
                    let mut accepted = if accepts(refused) { refused } else { first };
                    while accepted.abs_diff(refused) > 1 {
                        let middle = accepted.midpoint(refused);
                        if accepts(middle) { accepted = middle } else { refused = middle }
                    }
                    accepted
                };
                Some(format!("a whole number from {} to {}", end(Self::MIN), end(Self::MAX)))
            }
        }
    )*};
}

whole_numbers!(u16, u32, u64, i64, i32);

impl ConfValue for f64 {
    const TYPE: &'static str = "decimal number";

    fn parse(text: &str, _: Unit) -> Result<Self, String> {
        let number = text.trim().parse().ok().filter(|number: &f64| number.is_finite());
        number.ok_or_else(|| "a number such as 0.75".to_owned())
    }
}

impl ConfValue for ByteCount {
    const TYPE: &'static str = "size";

    fn parse(text: &str, unit: Unit) -> Result<Self, String> {
        quantity::parse_size(text, unit)
    }
}

impl ConfValue for Duration {
    const TYPE: &'static str = "time";

    fn parse(text: &str, unit: Unit) -> Result<Self, String> {
        quantity::parse_duration(text, unit)
    }
}

/// A time that may never come; any negative number is Spark's way to say so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timeout {
    /// Wait for ever.
    Never,
    /// Give up after this time.
    After(Duration),
}

impl ConfValue for Timeout {
    const TYPE: &'static str = "time, or -1 for never";

    fn parse(text: &str, unit: Unit) -> Result<Self, String> {
        match text.trim().strip_prefix('-') {
            Some(rest) => quantity::parse_duration(rest, unit).map(|_| Self::Never),
            None => quantity::parse_duration(text, unit).map(Self::After),
        }
    }
}

impl ConfValue for Regex {
    const TYPE: &'static str = "regular expression";

    fn parse(text: &str, _: Unit) -> Result<Self, String> {
        Self::new(text).map_err(|error| {
            // The lines before the last one show the text once more.
            let error = error.to_string();
            let reason = error.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or(&error);
            format!("a regular expression: {reason}")
        })
    }
}

impl ConfValue for MasterUrl {
    const TYPE: &'static str = "master URL";

    fn parse(text: &str, _: Unit) -> Result<Self, String> {
        text.parse().or_else(|error: crate::ParseMasterUrlError| {
            Self::external(text).ok_or_else(|| format!("a master URL: {}", error.reason()))
        })
    }
}

/// Declares an enum whose values have one name each, matched in either case.
macro_rules! named_values {
    ($(#[doc = $doc:literal])* $name:ident { $($(#[doc = $value_doc:literal])* $value:ident = $text:literal $(| $other:literal)*,)* }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $name { $($(#[doc = $value_doc])* $value,)* }

        impl $name {
            /// The name that configurations use.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$value => $text,)* }
            }
        }

        impl ConfValue for $name {
            const TYPE: &'static str = concat!("one of" $(, " ", $text)*);

            fn parse(text: &str, _: Unit) -> Result<Self, String> {
                $(
                    if [$text $(, $other)*].iter().any(|name| text.trim().eq_ignore_ascii_case(name)) {
                        return Ok(Self::$value);
                    }
                )*
                Err(Self::TYPE.to_owned())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

named_values! {
    /// How the task sets of one pool, or the pools, are ordered (SC-01).
    SchedulingMode {
        /// By job id, then stage id.
        Fifo = "FIFO",
        /// By weight and minimum share.
        Fair = "FAIR",
    }
}

named_values! {
    /// A compression codec, by Spark's short name or its class name (RT-59).
    CompressionCodec {
        /// LZ4 block format in frames.
        Lz4 = "lz4" | "org.apache.spark.io.LZ4CompressionCodec",
        /// Snappy.
        Snappy = "snappy" | "org.apache.spark.io.SnappyCompressionCodec",
        /// Zstandard.
        Zstd = "zstd" | "org.apache.spark.io.ZStdCompressionCodec",
    }
}

named_values! {
    /// The least severe log record that is written (UI-70).
    LogLevel {
        /// Everything; the same as TRACE.
        All = "ALL",
        /// Per task, block or packet.
        Trace = "TRACE",
        /// A branch taken.
        Debug = "DEBUG",
        /// A state change.
        Info = "INFO",
        /// Unexpected but handled.
        Warn = "WARN",
        /// Someone should act.
        Error = "ERROR",
        /// The process ends.
        Fatal = "FATAL",
        /// Nothing.
        Off = "OFF",
    }
}

impl ConfValue for DeployMode {
    const TYPE: &'static str = "one of client cluster";

    fn parse(text: &str, _: Unit) -> Result<Self, String> {
        match text {
            "client" => Ok(Self::Client),
            "cluster" => Ok(Self::Cluster),
            _ => Err("client or cluster".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<T: ConfValue>(text: &str) -> Option<T> {
        T::parse(text, Unit::Seconds).ok()
    }

    #[test]
    fn plain_values() {
        assert_eq!(parse(" TRUE "), Some(true));
        assert_eq!(parse::<bool>("yes"), None);
        assert_eq!(parse::<u32>("4"), Some(4));
        assert_eq!(parse::<u32>("-4"), None);
        assert_eq!(parse::<u16>("65536"), None);
        assert_eq!(parse::<i64>("-1"), Some(-1));
        assert_eq!(parse::<f64>("0.75"), Some(0.75));
        assert_eq!(parse::<f64>("NaN"), None);
        assert_eq!(parse(" a, b,,c "), Some(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]));
        assert_eq!(parse("fair"), Some(SchedulingMode::Fair));
        assert_eq!(parse::<SchedulingMode>("NONE"), None);
        assert_eq!(parse("Snappy"), Some(CompressionCodec::Snappy));
        assert!(parse::<Regex>("(").is_none());
    }

    #[test]
    fn a_negative_time_is_never() {
        assert_eq!(parse("-1"), Some(Timeout::Never));
        assert_eq!(parse("-10s"), Some(Timeout::Never));
        assert_eq!(parse("10"), Some(Timeout::After(Duration::from_secs(10))));
        assert_eq!(parse::<Timeout>("-"), None);
    }
}
