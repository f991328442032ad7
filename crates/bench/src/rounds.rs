//! A side's view of a comparison: it is told when to work, and tells what it measured.
//!
//! Commands come as lines on standard input, `go` for a round; its end is the end. What is said starts with `@`, so that
//! whatever else an application prints does no harm: `@ready`, then `@sample NUMBER ANSWER` for each `go`.

use std::{
    fmt::Display,
    io::{self, BufRead, Write},
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::parameters::Parameters;

/// What a round measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// In the measure's unit.
    pub value: f64,
    /// What came out, to be compared with the other sides'; empty if there is nothing to compare.
    pub answer: String,
}

impl Sample {
    /// Times the work, in seconds.
    pub fn seconds<A: Display>(work: impl FnOnce() -> anyhow::Result<A>) -> anyhow::Result<Self> {
        Self::timed(work, |elapsed| elapsed.as_secs_f64())
    }

    /// Times the work; `value` makes the measure's number of it.
    pub fn timed<A: Display>(
        work: impl FnOnce() -> anyhow::Result<A>,
        value: impl FnOnce(Duration) -> f64,
    ) -> anyhow::Result<Self> {
        let start = Instant::now();
        let answer = work()?;
        Ok(Self { value: value(start.elapsed()), answer: answer.to_string() })
    }

    /// As a line that [`Sample::parse`] reads.
    fn line(&self) -> String {
        format!("@sample {} {}", self.value, self.answer.replace('\n', " "))
    }

    /// Reads what a side said; None for lines that are something else.
    pub fn parse(line: &str) -> Option<Self> {
        let (value, answer) = line.strip_prefix("@sample ")?.split_once(' ')?;
        Some(Self { value: value.parse().ok()?, answer: answer.trim_end().to_owned() })
    }
}

/// The line with which a side says that it is set up and warm.
pub const READY: &str = "@ready";
/// The line with which it is told to work.
pub const GO: &str = "go";

/// The rounds that a side is asked for.
pub struct Rounds {
    warm_up: u64,
}

impl Rounds {
    /// The number of rounds before the first that counts is the parameter `warm-up`, the same on all sides.
    pub fn new(parameters: &Parameters) -> anyhow::Result<Self> {
        Ok(Self { warm_up: parameters.number("warm-up").unwrap_or(0) })
    }

    /// Does rounds until there are no more.
    pub fn serve(&self, mut round: impl FnMut() -> anyhow::Result<Sample>) -> anyhow::Result<()> {
        for _ in 0..self.warm_up {
            round().context("a round of warming up failed")?;
        }
        say(READY)?;
        for line in io::stdin().lock().lines() {
            if line? == GO {
                say(&round()?.line())?;
            }
        }
        Ok(())
    }
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_survive_the_pipe() {
        for sample in
            [Sample { value: 0.125, answer: "words 12".to_owned() }, Sample { value: 1e9, answer: String::new() }]
        {
            assert_eq!(Sample::parse(&sample.line()), Some(sample));
        }
        assert_eq!(Sample::parse("Pi is roughly 3"), None);
        assert_eq!(Sample::parse("@ready"), None);
    }
}
