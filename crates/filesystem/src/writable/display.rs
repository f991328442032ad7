//! Values as text: Java's `toString`, which is what Hadoop's text output writes.

use std::fmt;

use super::Writable;

impl fmt::Display for Writable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("(null)"),
            Self::Boolean(value) => value.fmt(f),
            Self::Int(number) => number.fmt(f),
            Self::Long(number) => number.fmt(f),
            Self::Float(number) => java_number(&format!("{number:e}"), f64::from(*number), f),
            Self::Double(number) => java_number(&format!("{number:e}"), *number, f),
            Self::Text(text) => f.write_str(text),
            Self::Bytes(bytes) => {
                for (index, byte) in bytes.iter().enumerate() {
                    let blank = if index == 0 { "" } else { " " };
                    write!(f, "{blank}{byte:02x}")?;
                }
                Ok(())
            }
            Self::Array(elements) => {
                f.write_str("ArrayWritable [valueClass=interface org.apache.hadoop.io.Writable, values=[")?;
                for (index, element) in elements.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{element}")?;
                }
                f.write_str("]]")
            }
            Self::Map(entries) => {
                f.write_str("{")?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{key}={value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

/// A floating-point number as Java writes it, out of its shortest digits as Rust writes them in scientific notation: with a point
/// and a digit behind it, and an exponent below 10⁻³ and from 10⁷ on.
fn java_number(scientific: &str, number: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if number.is_nan() {
        return f.write_str("NaN");
    }
    if number.is_infinite() {
        return f.write_str(if number < 0.0 { "-Infinity" } else { "Infinity" });
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |mantissa| ("-", mantissa));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    f.write_str(sign)?;
    if number != 0.0 && !(-3..7).contains(&exponent) {
        let fraction = if digits.len() > 1 { &digits[1..] } else { "0" };
        return write!(f, "{}.{fraction}E{exponent}", &digits[..1]);
    }
    if exponent < 0 {
        return write!(f, "0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1));
    }
    let whole = exponent as usize + 1;
    if digits.len() > whole {
        write!(f, "{}.{}", &digits[..whole], &digits[whole..])
    } else {
        write!(f, "{digits}{}.0", "0".repeat(whole - digits.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_java_writes_them() {
        let doubles = [
            (1.0, "1.0"),
            (1.5, "1.5"),
            (1e7, "1.0E7"),
            (9_999_999.0, "9999999.0"),
            (12_345_678.9, "1.23456789E7"),
            (1e-3, "0.001"),
            (0.0123, "0.0123"),
            (9.999e-4, "9.999E-4"),
            (1e300, "1.0E300"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (-100.0, "-100.0"),
            (123_456.789, "123456.789"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (number, expected) in doubles {
            assert_eq!(Writable::Double(number).to_string(), expected);
        }
        assert_eq!(Writable::Float(0.1).to_string(), "0.1");
        assert_eq!(Writable::Float(12_345_679.0).to_string(), "1.2345679E7");
    }

    #[test]
    fn others_as_hadoop_writes_them() {
        let map = Writable::Map(vec![
            (Writable::Int(1), Writable::Null),
            (Writable::Text("a".into()), Writable::Bytes(b"\x01\xff"[..].into())),
        ]);
        assert_eq!(map.to_string(), "{1=(null), a=01 ff}");
        let array = Writable::Array(vec![Writable::Boolean(true), Writable::Long(2)]);
        let expected = "ArrayWritable [valueClass=interface org.apache.hadoop.io.Writable, values=[true, 2]]";
        assert_eq!(array.to_string(), expected);
    }
}
