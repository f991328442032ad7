//! `${…}` in values (SS-76).
//!
//! `${spark.x}` is another key of the same configuration (or its default), `${env:X}` an environment variable,
//! `${system:X}` one of the Java system properties that mean something outside a JVM. A reference to nothing stays as it
//! is, as in Spark: a value may well hold `${…}` for somebody else.

use std::borrow::Cow;

use crate::{ConfError, DefaultValue, SparkConf, keys};

/// Looks an environment variable up.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

pub(crate) fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Replaces the references in the value of `key`.
pub(crate) fn substitute<'a>(
    conf: &SparkConf,
    environment: Environment<'_>,
    key: &str,
    text: &'a str,
) -> Result<Cow<'a, str>, ConfError> {
    if !text.contains("${") {
        return Ok(Cow::Borrowed(text));
    }
    let mut open = vec![key.to_owned()];
    expand(conf, environment, &mut open, text).map(Cow::Owned)
}

fn expand(
    conf: &SparkConf,
    environment: Environment<'_>,
    open: &mut Vec<String>,
    text: &str,
) -> Result<String, ConfError> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        let reference = &rest[start + 2..start + length];
        expanded.push_str(&rest[..start]);
        match resolve(conf, environment, open, reference)? {
            Some(value) => expanded.push_str(&value),
            None => expanded.push_str(&rest[start..=start + length]),
        }
        rest = &rest[start + length + 1..];
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn resolve(
    conf: &SparkConf,
    environment: Environment<'_>,
    open: &mut Vec<String>,
    reference: &str,
) -> Result<Option<String>, ConfError> {
    if let Some(name) = reference.strip_prefix("env:") {
        return Ok(environment(name));
    }
    if let Some(name) = reference.strip_prefix("system:") {
        return Ok(system_property(environment, name));
    }
    if !reference.starts_with("spark.") {
        return Ok(None);
    }
    if open.iter().any(|key| key == reference) {
        let key = open.swap_remove(0);
        return Err(ConfError::Cycle { key, reference: reference.to_owned() });
    }
    let set = conf.get_raw(reference).map(str::to_owned);
    let Some(value) = set.or_else(|| default_text(conf, reference)) else { return Ok(None) };
    open.push(reference.to_owned());
    let value = expand(conf, environment, open, &value)?;
    open.pop();
    Ok(Some(value))
}

/// The default of a declared key; that of the key it falls back to, as far as it goes.
fn default_text(conf: &SparkConf, key: &str) -> Option<String> {
    match keys::find(key)?.default_value() {
        DefaultValue::Text(text) => Some(text.to_owned()),
        DefaultValue::Key(other) => conf.get_raw(other).map(str::to_owned).or_else(|| default_text(conf, other)),
        DefaultValue::Nothing | DefaultValue::Computed(_) => None,
    }
}

fn system_property(environment: Environment<'_>, name: &str) -> Option<String> {
    match name {
        "user.name" => environment("USER").or_else(|| environment("LOGNAME")),
        "user.home" => environment("HOME"),
        "user.dir" => Some(std::env::current_dir().ok()?.to_str()?.to_owned()),
        "java.io.tmpdir" => Some(environment("TMPDIR").unwrap_or_else(|| "/tmp".to_owned())),
        "os.name" => Some("Linux".to_owned()),
        "os.arch" => Some(if cfg!(target_arch = "x86_64") { "amd64" } else { std::env::consts::ARCH }.to_owned()),
        "file.separator" => Some("/".to_owned()),
        "path.separator" => Some(":".to_owned()),
        "line.separator" => Some("\n".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "HOME" => Some("/home/ada".to_owned()),
            "SCRATCH" => Some("/mnt/${spark.x}".to_owned()),
            _ => None,
        }
    }

    fn expanded(settings: &[(&str, &str)], text: &str) -> Result<String, ConfError> {
        let conf: SparkConf = settings.iter().copied().collect();
        substitute(&conf, &environment, "spark.local.dir", text).map(Cow::into_owned)
    }

    #[test]
    fn references_of_each_kind() {
        let settings = [("spark.base", "/data"), ("spark.sub", "${spark.base}/sub")];
        let cases = [
            ("plain", "plain"),
            ("${spark.base}/a", "/data/a"),
            ("${spark.sub}/a:${spark.base}", "/data/sub/a:/data"),
            ("${env:HOME}/x", "/home/ada/x"),
            ("${system:user.home}${system:file.separator}x", "/home/ada/x"),
            ("${system:java.io.tmpdir}", "/tmp"),
            ("${spark.task.maxFailures}", "4"),
            ("${spark.locality.wait.node}", "3s"),
        ];
        for (text, value) in cases {
            assert_eq!(expanded(&settings, text).as_deref(), Ok(value), "{text}");
        }
    }

    #[test]
    fn a_reference_to_nothing_stays() {
        for text in ["${spark.nothing}", "${env:NOTHING}", "${system:nothing}", "${other}", "${", "$", "${}", "a${b"] {
            assert_eq!(expanded(&[], text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn the_environment_is_not_expanded_again() {
        assert_eq!(expanded(&[("spark.x", "1")], "${env:SCRATCH}").as_deref(), Ok("/mnt/${spark.x}"));
    }

    #[test]
    fn a_circle_is_an_error_that_names_where_it_began() {
        let settings = [("spark.a", "${spark.b}"), ("spark.b", "x${spark.a}")];
        let error = expanded(&settings, "${spark.a}").unwrap_err();
        let expected = ConfError::Cycle { key: "spark.local.dir".to_owned(), reference: "spark.a".to_owned() };
        assert_eq!(error, expected);
        assert!(expanded(&[], "${spark.local.dir}").is_err());
    }

    #[test]
    fn a_key_used_twice_is_no_circle() {
        assert_eq!(expanded(&[("spark.a", "1")], "${spark.a}${spark.a}").as_deref(), Ok("11"));
    }
}
