//! Errors as those see them who get only text.

use std::error::Error;

/// An error's message and those of its sources, as one line: what happened, then why.
///
/// ```
/// use firesteel_model::error_chain;
///
/// let why = std::io::Error::other("the disk is on fire");
/// assert_eq!(error_chain(&why), "the disk is on fire");
/// ```
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Failed(&'static str, Option<Box<Failed>>);

    impl fmt::Display for Failed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Failed {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|source| source as _)
        }
    }

    #[test]
    fn every_source_is_said_once() {
        let why =
            Failed("the stage failed", Some(Box::new(Failed("the task failed", Some(Box::new(Failed("no", None)))))));
        assert_eq!(error_chain(&why), "the stage failed: the task failed: no");
    }
}
