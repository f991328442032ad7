//! What a measure is.

use std::{fmt, process::Command, str::FromStr};

use anyhow::bail;

use crate::{
    parameters::{Parameters, Scale},
    rounds::Rounds,
    spark::Spark,
};

/// One line of the table.
pub struct Measure {
    /// Its name on the command line.
    pub name: &'static str,
    /// Of its numbers.
    pub unit: &'static str,
    /// Which numbers are good.
    pub better: Better,
    /// What must be reached, if the design says so.
    pub target: Option<Target>,
    /// What is timed and what is not, on each side.
    pub timed: &'static str,
    /// How often each side is asked; the median counts.
    pub rounds: u32,
    /// Makes the data that are not there yet, and says what all sides are told.
    pub parameters: fn(Scale) -> anyhow::Result<Parameters>,
    /// On Firesteel.
    pub firesteel: Option<Side>,
    /// On Spark.
    pub spark: Option<SparkSide>,
    /// The same work, hand-written.
    pub limit: Option<Side>,
}

/// Which numbers are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Seconds, bytes.
    Lower,
    /// Things per second.
    Higher,
}

/// What Firesteel must reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// So many times as good as Spark.
    TimesSpark(f64),
    /// This number or a better one.
    Number(f64),
    /// This part of the limit.
    OfLimit(f64),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimesSpark(times) => write!(f, "{times}x Spark"),
            Self::Number(number) => number.fmt(f),
            Self::OfLimit(part) => write!(f, "{:.0}% of limit", part * 100.0),
        }
    }
}

/// A side that runs without Spark.
pub enum Side {
    /// This program in another process: prepares, then does rounds of work as it is told to.
    Session(fn(&Parameters, &Rounds) -> anyhow::Result<()>),
    /// As a session that needs another program, without which there is no such side.
    SessionOf {
        /// Its name on the PATH.
        program: &'static str,
        /// The command that installs it on Debian. Nothing is installed unasked.
        install: &'static str,
        /// Prepares, then does rounds of work as it is told to.
        session: fn(&Parameters, &Rounds) -> anyhow::Result<()>,
    },
    /// A script of ours in Python, by the name of its file: prepares, then does rounds of work as it is told to. As the limit it runs
    /// without an engine.
    Python(&'static str),
    /// This program in another process, which is timed from launch to exit.
    Program(fn(&Parameters) -> anyhow::Result<()>, Check),
    /// Another program, which is timed from launch to exit.
    Command(fn(&Parameters) -> anyhow::Result<Command>, Check),
}

/// Looks at what a program has printed that is timed from launch to exit.
pub type Check = fn(&str) -> anyhow::Result<()>;

/// A side on Spark.
pub enum SparkSide {
    /// An object of ours in Scala, by its full name: prepares, then does rounds of work as it is told to.
    Session(&'static str),
    /// The script of the other sides, by the name of its file.
    Python(&'static str),
    /// A program that is timed from launch to exit.
    Command(fn(&Spark, &Parameters) -> anyhow::Result<Command>, Check),
}

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// This project.
    Firesteel,
    /// The opponent.
    Spark,
    /// The hand-written program.
    Limit,
}

impl Role {
    /// In the order in which they take turns.
    pub const ALL: [Self; 3] = [Self::Firesteel, Self::Spark, Self::Limit];

    /// As in JSON and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Firesteel => "firesteel",
            Self::Spark => "spark",
            Self::Limit => "limit",
        }
    }
}

impl FromStr for Role {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match Self::ALL.into_iter().find(|role| role.name() == text) {
            Some(role) => Ok(role),
            None => bail!("{text} is no side"),
        }
    }
}
