//! Arguments of applications: by position, with defaults.

use std::{error::Error, fmt::Display, str::FromStr};

/// The argument at `position`, or the default if there are fewer.
pub fn number<N: FromStr<Err: Display>>(
    arguments: &[String],
    position: usize,
    name: &str,
    default: N,
) -> Result<N, Box<dyn Error>> {
    match arguments.get(position) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|error| format!("{name} must be a number, not {text}: {error}").into()),
    }
}

/// The arguments, if there are at least so many.
pub fn at_least<'a>(arguments: &'a [String], count: usize, usage: &str) -> Result<&'a [String], Box<dyn Error>> {
    if arguments.len() < count { Err(format!("Usage: {usage}").into()) } else { Ok(arguments) }
}
