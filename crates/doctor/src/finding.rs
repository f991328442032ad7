//! What was looked at, and what was found.

use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// It is as it should be.
    Fine,
    /// It works, but not everywhere or not for long.
    Warning,
    /// Something will not work.
    Problem,
}

/// One thing that was looked at. `Display` is a line for people, and a second one with what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// How bad it is.
    pub verdict: Verdict,
    /// What was looked at.
    pub subject: &'static str,
    /// What was found.
    pub found: String,
    /// What to do; empty where nothing is to be done.
    pub advice: String,
}

impl Finding {
    pub(crate) fn fine(subject: &'static str, found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fine, subject, found: found.into(), advice: String::new() }
    }

    pub(crate) fn warning(subject: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warning, subject, found: found.into(), advice: advice.into() }
    }

    pub(crate) fn problem(subject: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Problem, subject, found: found.into(), advice: advice.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.verdict {
            Verdict::Fine => "ok     ",
            Verdict::Warning => "warning",
            Verdict::Problem => "PROBLEM",
        };
        write!(f, "{mark}  {:<12} {}", self.subject, self.found)?;
        if !self.advice.is_empty() {
            write!(f, "\n         {:<12} {}", "", self.advice)?;
        }
        Ok(())
    }
}

/// The last line: how many there are of which.
pub(crate) fn summary(findings: &[Finding]) -> String {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (problems, warnings) = (count(Verdict::Problem), count(Verdict::Warning));
    let number = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    match (problems, warnings) {
        (0, 0) => "Nothing was found that would keep it from working.".to_owned(),
        _ => format!("{} and {}.", number(problems, "problem"), number(warnings, "warning")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_lines_and_are_counted() {
        let fine = Finding::fine("name", "here is 10.0.0.1");
        let bad = Finding::problem("port 7077", "it is taken", "end what has it");
        assert_eq!(fine.to_string(), "ok       name         here is 10.0.0.1");
        assert_eq!(bad.to_string(), "PROBLEM  port 7077    it is taken\n                      end what has it");
        assert_eq!(summary(std::slice::from_ref(&fine)), "Nothing was found that would keep it from working.");
        assert_eq!(summary(&[fine, bad]), "1 problem and 0 warnings.");
    }
}
