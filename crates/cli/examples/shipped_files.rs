//! An application whose tasks read files that were shipped to them. The end-to-end tests run it.
//!
//! Arguments of the form `conf:KEY=VALUE` are what the program sets by itself. Each other argument is something to do:
//! `read=NAME` prints what tasks on all executors find by that name, `add=PATH` and `archive=PATH` add something, `name` and
//! `where` print the application's name and the place of this program, `panic` panics, and `wait` waits to be killed while
//! tasks run. `forgets-the-launcher` alone does not take what `spark-submit` hands over.

use std::{collections::BTreeSet, error::Error, fs, process::ExitCode};

use firesteel::{SparkConf, SparkContext, SparkFiles};

fn main() -> ExitCode {
    firesteel::main(&[("shipped-files", run)])
}

fn run(arguments: Vec<String>) -> Result<(), Box<dyn Error>> {
    if arguments == ["forgets-the-launcher"] {
        SparkContext::new(&SparkConf::new())?;
    }
    let mut conf = SparkConf::from_launcher()?;
    let (settings, work): (Vec<String>, Vec<String>) =
        arguments.into_iter().partition(|argument| argument.starts_with("conf:"));
    for (key, value) in settings.iter().filter_map(|setting| setting.strip_prefix("conf:")?.split_once('=')) {
        conf.set(key, value);
    }
    let spark = SparkContext::new(&conf)?;
    for argument in work {
        match argument.split_once('=') {
            Some(("read", name)) => println!("{name}: {}", read(&spark, name)?),
            Some(("add", path)) => spark.add_file(path)?,
            Some(("archive", path)) => spark.add_archive(path)?,
            _ if argument == "name" => println!("name {}", spark.app_name()),
            _ if argument == "where" => println!("where {}", std::env::current_exe()?.display()),
            _ if argument == "panic" => panic!("the program has a flaw"),
            _ if argument == "wait" => wait(&spark)?,
            _ => return Err(format!("{argument} is nothing to do").into()),
        }
    }
    Ok(())
}

/// What two tasks that run at once read, each different content once.
fn read(spark: &SparkContext, name: &str) -> Result<String, Box<dyn Error>> {
    // Every executor has registered when this job has run, so that the next one need not wait for its slots.
    spark.range(0, 1, 1, 1).count()?;
    let names = spark.range(0, 2, 1, 2).with(name.to_owned()).map(|name, _| name.clone());
    let contents = names.barrier().map_partitions(|names| {
        names.map(|name| fs::read_to_string(SparkFiles::get(&name)).unwrap_or_else(|error| error.kind().to_string()))
    });
    let contents: BTreeSet<String> = contents.collect()?.into_iter().collect();
    Ok(contents.into_iter().collect::<Vec<_>>().join("|"))
}

fn wait(spark: &SparkContext) -> Result<(), Box<dyn Error>> {
    spark.range(0, 2, 1, 2).foreach(|_| {
        println!("waiting");
        loop {
            std::thread::park();
        }
    })?;
    Ok(())
}
