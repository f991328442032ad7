//! The opponent: Spark 4.3 from the pyspark package, and our programs for it in Scala.
//!
//! The programs are compiled by the Scala compiler that comes in Spark's own jars, once per version of their text, and run
//! by Spark's own spark-submit.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};

use crate::{
    data,
    parameters::Parameters,
    python::Python,
    submit::{QUIET, spark_submit},
};

/// The programs.
const SOURCES: [(&str, &str); 10] = [
    ("Join.scala", include_str!("../spark/Join.scala")),
    ("NoOpTasks.scala", include_str!("../spark/NoOpTasks.scala")),
    ("OneTaskJob.scala", include_str!("../spark/OneTaskJob.scala")),
    ("PageRank.scala", include_str!("../spark/PageRank.scala")),
    ("ProcessMemory.scala", include_str!("../spark/ProcessMemory.scala")),
    ("Rounds.scala", include_str!("../spark/Rounds.scala")),
    ("SortByKey.scala", include_str!("../spark/SortByKey.scala")),
    ("SparkPi.scala", include_str!("../spark/SparkPi.scala")),
    ("SplitMix.scala", include_str!("../spark/SplitMix.scala")),
    ("WordCount.scala", include_str!("../spark/WordCount.scala")),
];

/// An installed Spark with our programs.
pub struct Spark {
    home: PathBuf,
    classes: PathBuf,
}

impl Spark {
    /// Installs it, and compiles the programs, unless that was done before.
    pub fn install() -> anyhow::Result<Self> {
        let home = Python::install()?.pyspark().to_owned();
        let classes = compile(&home)?;
        Ok(Self { home, classes })
    }

    /// spark-submit with the settings of these parameters; the application and its arguments are to follow.
    pub fn submit(&self, class: &str, settings: &Parameters) -> Command {
        let mut command = spark_submit(&self.home, settings);
        command.args(["--class", class, "--driver-class-path"]).arg(&self.classes);
        // Executors in other processes need the classes, too.
        command.arg("--conf").arg(format!("spark.executor.extraClassPath={}", self.classes.display()));
        command
    }

    /// A program of ours that does rounds.
    pub fn session(&self, class: &str, parameters: &Parameters) -> Command {
        let mut command = self.submit(class, parameters);
        command.args(QUIET).arg(NO_RESOURCE).args(parameters.words());
        command
    }
}

/// What Spark's own launchers give spark-submit as the application when the classes are on the class path already.
pub const NO_RESOURCE: &str = "spark-internal";

/// Compiles our programs and gives the directory of classes.
fn compile(home: &Path) -> anyhow::Result<PathBuf> {
    data::once_per_version("spark-classes", &SOURCES, |classes| {
        let sources = classes.join("src");
        fs::create_dir(&sources)?;
        let mut compiler = Command::new("java");
        compiler.arg("-cp").arg(home.join("jars/*")).args(["scala.tools.nsc.Main", "-usejavacp", "-nowarn", "-d"]);
        compiler.arg(classes);
        for (name, text) in SOURCES {
            fs::write(sources.join(name), text)?;
            compiler.arg(sources.join(name));
        }
        eprintln!("compiling the programs for Spark");
        let output = compiler.output().context("could not run java")?;
        let errors = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the Scala compiler failed:\n{errors}");
        Ok(())
    })
}
