//! Hadoop's configuration: `core-site.xml` and `hdfs-site.xml`, overridden by `spark.hadoop.*`.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use firesteel_conf::{
    hadoop::{PREFIX, current_name},
    read_bounded_file,
};

use crate::BoxedError;

/// Hadoop properties by name. Older names stand for those of today, wherever they are given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HadoopConf {
    properties: BTreeMap<String, String>,
    directory: Option<PathBuf>,
}

/// A configuration file of Hadoop cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("could not read Hadoop's configuration file {path} (found through HADOOP_CONF_DIR or YARN_CONF_DIR)")]
pub struct LoadHadoopConfError {
    path: PathBuf,
    #[source]
    source: BoxedError,
}

/// A property has a value that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("spark.hadoop.{key} is {value:?}, but {wanted} is wanted")]
pub struct HadoopPropertyError {
    /// The property's name.
    pub key: String,
    /// Its value.
    pub value: String,
    /// What it should be.
    pub wanted: &'static str,
}

impl HadoopConf {
    /// From Spark properties: every `spark.hadoop.X` gives `X`. Other keys are left alone; no file is read.
    pub fn from_spark<K: AsRef<str>, V: Into<String>>(properties: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut conf = Self::default();
        let properties = properties.into_iter().filter_map(|(key, value)| {
            let key = key.as_ref().strip_prefix(PREFIX)?;
            Some((key.to_owned(), value.into()))
        });
        conf.add_below(properties);
        conf
    }

    /// Adds what `core-site.xml` and `hdfs-site.xml` of a directory say, below what is set already. A missing file says nothing.
    pub fn with_directory(self, directory: &Path) -> Result<Self, LoadHadoopConfError> {
        self.with_directories(&[directory.to_owned()])
    }

    /// As [`Self::with_directory`]; of each file, the one in the first directory that has it counts, as on a class path.
    fn with_directories(mut self, directories: &[PathBuf]) -> Result<Self, LoadHadoopConfError> {
        for name in ["hdfs-site.xml", "core-site.xml"] {
            let mut paths = directories.iter().map(|directory| directory.join(name));
            if let Some(path) = paths.find(|path| path.exists()) {
                self.add_below(read_site_file(&path).map_err(|source| LoadHadoopConfError { path, source })?);
            }
        }
        self.directory = directories.first().cloned();
        Ok(self)
    }

    /// [`Self::with_directory`] for the directory that `HADOOP_CONF_DIR` names, if it is set, and the one of `YARN_CONF_DIR` for
    /// files that are not there.
    pub fn with_environment(self) -> Result<Self, LoadHadoopConfError> {
        self.with_variables(|name| env::var_os(name))
    }

    fn with_variables(self, variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, LoadHadoopConfError> {
        let set = ["HADOOP_CONF_DIR", "YARN_CONF_DIR"].into_iter().filter_map(variable);
        let directories: Vec<_> = set.filter(|directory| !directory.is_empty()).map(PathBuf::from).collect();
        if directories.is_empty() { Ok(self) } else { self.with_directories(&directories) }
    }

    /// Adds what is not set already. Of one source, the name of today counts before older ones, whatever their order.
    fn add_below(&mut self, properties: impl IntoIterator<Item = (String, String)>) {
        let is_current = |(key, _): &(String, String)| current_name(key) == key;
        let (current, older): (Vec<_>, Vec<_>) = properties.into_iter().partition(is_current);
        // What is in a site file twice counts as it is there last.
        let mut added = BTreeMap::new();
        added.extend(older.into_iter().map(|(key, value)| (current_name(&key).to_owned(), value)));
        added.extend(current);
        for (key, value) in added {
            self.properties.entry(key).or_insert(value);
        }
    }

    /// Sets a property, named without `spark.hadoop.`.
    pub fn set(&mut self, key: &str, value: &str) {
        self.properties.insert(current_name(key).to_owned(), value.to_owned());
    }

    /// Takes a property away.
    pub fn unset(&mut self, key: &str) {
        self.properties.remove(current_name(key));
    }

    /// A property, if it is set; without blanks around it.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.get_raw(key).map(str::trim)
    }

    /// A property, if it is set, with the blanks around it, for those where they mean something.
    pub fn get_raw(&self, key: &str) -> Option<&str> {
        self.properties.get(current_name(key)).map(String::as_str)
    }

    /// A property that is `true` or `false`.
    pub fn get_bool(&self, key: &str, default: bool) -> Result<bool, HadoopPropertyError> {
        match self.get(key) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(value) => Err(property_error(key, value, "true or false")),
        }
    }

    /// A property that is a number of bytes: digits, perhaps with one of `k m g t p e`, as Hadoop's `getLongBytes`.
    pub fn get_bytes(&self, key: &str, default: u64) -> Result<u64, HadoopPropertyError> {
        const WANTED: &str = "a number of bytes such as 33554432 or 32m";
        let Some(value) = self.get(key) else { return Ok(default) };
        let lower = value.to_ascii_lowercase();
        let digits = lower.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let shift = match &lower[digits.len()..] {
            "" => 0,
            "k" => 10,
            "m" => 20,
            "g" => 30,
            "t" => 40,
            "p" => 50,
            "e" => 60,
            _ => return Err(property_error(key, value, WANTED)),
        };
        let number: Option<u64> = digits.parse().ok();
        number.and_then(|number| number.checked_mul(1 << shift)).ok_or_else(|| property_error(key, value, WANTED))
    }

    /// All properties, with the blanks around their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.properties.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The directory that the site files came from.
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }
}

fn property_error(key: &str, value: &str, wanted: &'static str) -> HadoopPropertyError {
    HadoopPropertyError { key: key.to_owned(), value: value.to_owned(), wanted }
}

fn read_site_file(path: &Path) -> Result<Vec<(String, String)>, BoxedError> {
    let text = match read_bounded_file(path) {
        Ok(bytes) => String::from_utf8(bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    // Site files often begin with a doctype or a stylesheet line; entities that a doctype declares are not resolved.
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let document = roxmltree::Document::parse_with_options(&text, options)?;
    let properties = document.root_element().children().filter(|node| node.has_tag_name("property"));
    let pairs = properties.filter_map(|property| {
        let text = |tag| property.children().find(|node| node.has_tag_name(tag)).and_then(|node| node.text());
        Some((text("name")?.trim().to_owned(), text("value").unwrap_or_default().to_owned()))
    });
    Ok(pairs.collect())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn spark_overrides_the_site_files() {
        let directory = tempfile::tempdir().unwrap();
        let site = "<?xml version=\"1.0\"?>\n<!DOCTYPE configuration>\n<configuration>\n<property><name>fs.defaultFS</name>\
                    <value>\n hdfs://a:8020 </value></property><property><name>io.x</name><value>1</value></property></configuration>";
        fs::write(directory.path().join("core-site.xml"), site).unwrap();
        let spark = [("spark.hadoop.io.x", "2"), ("spark.app.name", "n")];
        let conf = HadoopConf::from_spark(spark).with_directory(directory.path()).unwrap();
        assert_eq!(conf.get("fs.defaultFS"), Some("hdfs://a:8020"));
        assert_eq!(conf.get("io.x"), Some("2"));
        assert_eq!(conf.iter().count(), 2);
        let without_end = directory.path().join("endless");
        fs::create_dir(&without_end).unwrap();
        symlink("/dev/zero", without_end.join("core-site.xml")).unwrap();
        let error = HadoopConf::default().with_directory(&without_end).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(source, "it has more than 16 MiB");
        fs::write(directory.path().join("hdfs-site.xml"), "<configuration>").unwrap();
        let error = HadoopConf::default().with_directory(directory.path()).unwrap_err();
        assert!(error.to_string().contains("hdfs-site.xml"));
    }

    #[test]
    fn site_files_are_looked_for_in_the_directory_of_yarn_too() {
        let (hadoop, yarn) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let site = |value: &str| {
            format!("<configuration><property><name>x.{value}</name><value>{value}</value></property></configuration>")
        };
        fs::write(yarn.path().join("core-site.xml"), site("yarn")).unwrap();
        let read = |hadoop: Option<&Path>| {
            let conf = HadoopConf::default().with_variables(|name| match name {
                "HADOOP_CONF_DIR" => hadoop.map(|path| path.into()),
                "YARN_CONF_DIR" => Some(yarn.path().into()),
                _ => None,
            });
            conf.unwrap().iter().map(|(_, value)| value.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(read(None), ["yarn"]);
        assert_eq!(read(Some(Path::new(""))), ["yarn"]);
        assert_eq!(read(Some(hadoop.path())), ["yarn"]);
        fs::write(hadoop.path().join("core-site.xml"), site("hadoop")).unwrap();
        assert_eq!(read(Some(hadoop.path())), ["hadoop"]);
    }

    #[test]
    fn older_names_are_those_of_today() {
        let (older, newer) = ("mapred.min.split.size", "mapreduce.input.fileinputformat.split.minsize");
        let spark = |name: &str, value| (format!("spark.hadoop.{name}"), value);
        let conf = HadoopConf::from_spark([spark(older, "1")]);
        assert_eq!((conf.get(newer), conf.get(older)), (Some("1"), Some("1")));
        for both in [[spark(older, "1"), spark(newer, "2")], [spark(newer, "2"), spark(older, "1")]] {
            assert_eq!(HadoopConf::from_spark(both).get(newer), Some("2"));
        }
        let mut conf = HadoopConf::default();
        conf.set(newer, "1");
        conf.set(older, "2");
        assert_eq!(conf.iter().collect::<Vec<_>>(), [(newer, "2")]);

        let directory = tempfile::tempdir().unwrap();
        let property = |name| format!("<property><name>{name}</name><value>hdfs://{name}</value></property>");
        let site = format!("<configuration>{}</configuration>", property("fs.default.name"));
        fs::write(directory.path().join("core-site.xml"), site).unwrap();
        let conf = HadoopConf::default().with_directory(directory.path()).unwrap();
        assert_eq!(conf.get("fs.defaultFS"), Some("hdfs://fs.default.name"));
        let spark = HadoopConf::from_spark([("spark.hadoop.fs.default.name", "hdfs://spark")]);
        assert_eq!(spark.with_directory(directory.path()).unwrap().get("fs.defaultFS"), Some("hdfs://spark"));
    }

    #[test]
    fn values_have_types() {
        let mut conf = HadoopConf::default();
        conf.set("size", "32M");
        conf.set("flag", " true ");
        conf.set("bad", "3x");
        assert_eq!(conf.get_bytes("size", 0), Ok(32 << 20));
        assert_eq!(conf.get_bytes("absent", 7), Ok(7));
        assert_eq!(conf.get_bool("flag", false), Ok(true));
        let error = conf.get_bytes("bad", 0).unwrap_err().to_string();
        assert!(error.contains("spark.hadoop.bad") && error.contains("3x"), "{error}");
        assert!(conf.get_bool("bad", true).is_err());
    }
}
