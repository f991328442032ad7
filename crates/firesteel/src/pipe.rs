//! `pipe`: partitions through external commands.

use std::{collections::BTreeMap, fmt::Display, panic::Location};

use crate::{
    data::Data,
    lineage::NewRdd,
    operator::{Pipe, PipeSpec},
    rdd::Rdd,
};

/// A command for [`Rdd::pipe`]: a program, its arguments, and variables beside those of the executor.
///
/// A string becomes a command by splitting it at white space, as in Spark; no shell is involved. For one, say so:
/// `PipeCommand::new("sh").argument("-c").argument("sort | uniq")`.
///
/// ```
/// # let spark = firesteel::examples::context();
/// use firesteel::PipeCommand;
///
/// let louder = PipeCommand::new("sh").argument("-c").argument("tr a-z \"$TO\"").env("TO", "A-Z");
/// assert_eq!(spark.parallelize(["flint".to_owned()], 1).pipe(louder).collect()?, ["FLINT"]);
/// # Ok::<(), firesteel::SparkError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PipeCommand(PipeSpec);

impl PipeCommand {
    /// A program without arguments; found in the executor's `PATH`.
    pub fn new(program: impl Into<String>) -> Self {
        let spec = PipeSpec { program: program.into(), arguments: Vec::new(), environment: BTreeMap::new() };
        Self(spec)
    }

    /// Adds an argument.
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.0.arguments.push(argument.into());
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.environment.insert(name.into(), value.into());
        self
    }
}

impl From<&str> for PipeCommand {
    fn from(line: &str) -> Self {
        let mut words = line.split_whitespace();
        let program = words.next().unwrap_or_default();
        words.fold(Self::new(program), Self::argument)
    }
}

impl<T: Data + Display> Rdd<T> {
    /// Passes each partition through a command: every record is a line of its standard input, and every line of its
    /// standard output becomes a record. Lazy; no shuffle; one process for each partition.
    ///
    /// The task fails if the command cannot be started or ends with a status other than 0; what the command writes to
    /// standard error appears among the executor's. It is killed with its task.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let words = spark.parallelize(["spark", "steel", "flint"].map(String::from), 2);
    /// assert_eq!(words.pipe("grep s").collect()?, ["spark", "steel"]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn pipe(&self, command: impl Into<PipeCommand>) -> Rdd<String> {
        let PipeCommand(spec) = command.into();
        let new = NewRdd::one_to_one("pipe", self.core()).kind("PipedRDD").order_sensitive();
        self.derive::<Pipe<T>>(Location::caller(), new, spec)
    }
}
