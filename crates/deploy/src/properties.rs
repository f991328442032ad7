//! The properties of a daemon: a file, and `-Dkey=value` words of the environment (SA-03).

use std::{ffi::OsStr, path::Path};

use firesteel_conf::{SparkConf, defaults_file_path, read_properties_file, read_properties_file_if_there};

use crate::{Environment, refusal::Refusal};

/// The text of a variable that is set and not empty.
pub(crate) fn variable<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    environment.get(OsStr::new(name)).and_then(|value| value.to_str()).filter(|value| !value.is_empty())
}

/// The properties: of `--properties-file` or else of the defaults file, under those of the words in `SPARK_DAEMON_JAVA_OPTS` and
/// the daemon's own variable.
pub(crate) fn read(
    file: Option<&str>,
    environment: &Environment,
    own_options: &str,
) -> Result<(SparkConf, Vec<String>), Refusal> {
    let settings = match file {
        Some(path) => read_properties_file(Path::new(path))?,
        None => {
            let of = |name: &str| environment.get(OsStr::new(name)).cloned();
            let path = defaults_file_path(of("SPARK_CONF_DIR"), of("SPARK_HOME"));
            path.map(|path| read_properties_file_if_there(&path)).transpose()?.unwrap_or_default()
        }
    };
    let mut conf: SparkConf = settings.into_iter().filter(|(key, _)| key.starts_with("spark.")).collect();
    let mut warnings = Vec::new();
    for name in ["SPARK_DAEMON_JAVA_OPTS", own_options] {
        let Some(words) = variable(environment, name) else { continue };
        for word in words.split_whitespace() {
            match word.strip_prefix("-D").map(|property| property.split_once('=').unwrap_or((property, ""))) {
                Some((key, value)) if key.starts_with("spark.") => {
                    conf.set(key, value);
                }
                // Of a JVM's own properties there is nothing that could act on them.
                Some(_) => {}
                None if word.starts_with("-Xmx") || word.starts_with("-Xms") => {
                    return Err(Refusal::Setting(format!(
                        "{name} has {word}: there is no Java heap, and a daemon takes what it needs"
                    )));
                }
                None => warnings.push(format!("{name} has {word}, which is for a JVM and does nothing")),
            }
        }
    }
    Ok((conf, warnings))
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsString, fs};

    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
    }

    #[test]
    fn properties_come_from_the_file_and_from_words_above_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("spark-defaults.conf");
        fs::write(&file, "spark.worker.timeout 7\nspark.deploy.spreadOut false\nother.key 1\n").unwrap();
        let of = |opts: &str| {
            environment(&[("SPARK_CONF_DIR", directory.path().to_str().unwrap()), ("SPARK_MASTER_OPTS", opts)])
        };
        let (conf, warnings) =
            read(None, &of("-Dspark.worker.timeout=9 -Dx=y -XX:+UseG1GC"), "SPARK_MASTER_OPTS").unwrap();
        assert_eq!(conf.get_raw("spark.worker.timeout"), Some("9"));
        assert_eq!((conf.get_raw("spark.deploy.spreadOut"), conf.get_raw("other.key")), (Some("false"), None));
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        let refused = read(None, &of("-Xmx2g"), "SPARK_MASTER_OPTS").unwrap_err().to_string();
        assert!(refused.contains("-Xmx2g"), "{refused}");
        let other = directory.path().join("other.conf");
        fs::write(&other, "spark.worker.timeout 8\n").unwrap();
        let (conf, _) = read(other.to_str(), &of(""), "SPARK_MASTER_OPTS").unwrap();
        assert_eq!((conf.get_raw("spark.worker.timeout"), conf.get_raw("spark.deploy.spreadOut")), (Some("8"), None));
    }
}
