//! Which releases of PySpark can be worked with.

/// The release whose protocol this is.
pub(crate) const SUPPORTED: &str = "4.3";

/// Workers of another release speak another protocol.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the PySpark of {python} is {found}, and this is the driver of PySpark {SUPPORTED}; install pyspark~={SUPPORTED}.0 there, or name another interpreter by PYSPARK_PYTHON or spark.pyspark.python"
)]
pub struct UnsupportedVersion {
    /// The interpreter.
    pub python: String,
    /// Its release.
    pub found: String,
}

/// Refuses a release whose protocol is another.
pub fn check_version(python: &str, found: &str) -> Result<(), UnsupportedVersion> {
    let mut parts = found.split('.');
    let minor = [parts.next(), parts.next()].map(Option::unwrap_or_default).join(".");
    if minor == SUPPORTED {
        Ok(())
    } else {
        Err(UnsupportedVersion { python: python.to_owned(), found: found.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_of_4_3_are_taken_and_no_others() {
        for found in ["4.3.0", "4.3.1", "4.3.0.dev0"] {
            assert_eq!(check_version("python3", found), Ok(()), "{found}");
        }
        for found in ["4.2.0", "4.30.0", "3.5.6", "", "4"] {
            assert!(check_version("python3", found).is_err(), "{found}");
        }
        let refused = check_version("/venv/bin/python", "4.2.0").unwrap_err().to_string();
        assert!(refused.contains("/venv/bin/python is 4.2.0") && refused.contains("PySpark 4.3;"), "{refused}");
    }
}
