//! `firesteel internal docs`: writes the pages of `docs/` that are generated.

use std::{ffi::OsString, fs, path::PathBuf};

use firesteel_console::say;

/// Writes the pages into the given directory, by default `docs`; the result is the exit code.
pub fn run(words: &[OsString]) -> u8 {
    let directory = match words {
        [command] if command == "docs" => PathBuf::from("docs"),
        [command, directory] if command == "docs" => PathBuf::from(directory),
        _ => {
            say("Usage: firesteel internal docs [DIRECTORY]");
            return 1;
        }
    };
    let pages = [
        ("configuration.md", firesteel_conf::manual::configuration_page()),
        ("spark-submit.md", firesteel_submit::spark_submit_page()),
    ];
    for (name, text) in pages {
        let path = directory.join(name);
        if let Err(error) = fs::create_dir_all(&directory).and_then(|()| fs::write(&path, text)) {
            say(format_args!("Error: could not write {}: {error}", path.display()));
            return 1;
        }
        println!("{}", path.display());
    }
    0
}
