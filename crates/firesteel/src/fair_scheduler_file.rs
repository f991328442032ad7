//! Reads the file that declares the pools of the fair scheduler (SC-04).
//!
//! Spark's format: `<allocations><pool name="production"><weight>2</weight>…`. A value that makes no sense is replaced by
//! its default with a warning, as in Spark; a file that was named and cannot be read is an error.

use std::{env, io, num::NonZeroU32, path::Path};

use firesteel_application_files::BoxedError;
use firesteel_conf::{SchedulingMode as ConfMode, SparkConf, conf_directory, keys, read_bounded_file};
use firesteel_scheduler::{PoolOptions, SchedulingMode};
use roxmltree::{Document, Node};

use crate::{
    error::{SparkError, chain},
    remote_files::RemoteFileSystems,
};

/// The file's name in the configuration directory.
const DEFAULT_FILE: &str = "fairscheduler.xml";

/// The pools, and what to warn about.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Pools {
    pub(crate) pools: Vec<PoolOptions>,
    pub(crate) warnings: Vec<String>,
}

/// The pools of `spark.scheduler.allocation.file`, else of `fairscheduler.xml` in the configuration directory. None in FIFO
/// mode, where pools mean nothing.
pub(crate) fn pools(conf: &SparkConf) -> Result<Pools, SparkError> {
    if conf.get(&keys::SCHEDULER_MODE)? != ConfMode::Fair {
        return Ok(Pools::default());
    }
    if let Some(given) = conf.get(&keys::SCHEDULER_ALLOCATION_FILE)? {
        let text = read(conf, &given)?.map_err(|error| refused(&given, &*error))?;
        return parse(&text).map_err(|error| refused(&given, &error));
    }
    let Some(directory) = conf_directory(env::var_os("SPARK_CONF_DIR"), env::var_os("SPARK_HOME")) else {
        return Ok(Pools::default());
    };
    let path = directory.join(DEFAULT_FILE);
    match read_here(&path) {
        Ok(text) => parse(&text).map_err(|error| refused(&path.display().to_string(), &error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Pools::default()),
        Err(error) => Err(refused(&path.display().to_string(), &error)),
    }
}

fn refused(path: &str, error: &dyn std::error::Error) -> SparkError {
    SparkError::Configuration(format!("the pools of the fair scheduler cannot be read from {path}: {}", chain(error)))
}

/// From wherever files of the application may be; without a scheme, from `fs.defaultFS`, as in Spark.
fn read(conf: &SparkConf, given: &str) -> Result<Result<String, BoxedError>, SparkError> {
    Ok(RemoteFileSystems::new(conf)?.read_bounded(given).and_then(|bytes| Ok(text(bytes)?)))
}

fn read_here(path: &Path) -> io::Result<String> {
    text(read_bounded_file(path)?)
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn parse(text: &str) -> Result<Pools, roxmltree::Error> {
    let document = Document::parse(text)?;
    let mut found = Pools::default();
    for node in document.descendants().filter(|node| node.has_tag_name("pool")) {
        let name = node.attribute("name").unwrap_or_default();
        if name.is_empty() || found.pools.iter().any(|pool| pool.name == name) {
            let line = document.text_pos_at(node.range().start).row;
            let what = if name.is_empty() { "has no name".to_owned() } else { format!("{name} was declared before") };
            found.warnings.push(format!("the pool at line {line} of the allocation file {what} and is left out"));
            continue;
        }
        let pool = PoolOptions {
            name: name.to_owned(),
            mode: value(node, "schedulingMode", SchedulingMode::Fifo, mode, &mut found.warnings),
            weight: value(node, "weight", NonZeroU32::MIN, |text| text.parse().ok(), &mut found.warnings),
            min_share: value(node, "minShare", 0, |text| text.parse().ok(), &mut found.warnings),
        };
        found.pools.push(pool);
    }
    Ok(found)
}

fn mode(text: &str) -> Option<SchedulingMode> {
    match text.to_ascii_uppercase().as_str() {
        "FIFO" => Some(SchedulingMode::Fifo),
        "FAIR" => Some(SchedulingMode::Fair),
        _ => None,
    }
}

/// The value of an element, or the default where it is missing or makes no sense.
fn value<T>(
    pool: Node<'_, '_>,
    element: &str,
    default: T,
    read: impl Fn(&str) -> Option<T>,
    warnings: &mut Vec<String>,
) -> T {
    let Some(found) = pool.children().find(|child| child.has_tag_name(element)) else { return default };
    let text = found.text().unwrap_or_default().trim();
    read(text).unwrap_or_else(|| {
        let name = pool.attribute("name").unwrap_or_default();
        warnings.push(format!("{element} of pool {name} in the allocation file is {text:?}; the default is used"));
        default
    })
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::{Read, Write},
        net::TcpListener,
        thread,
    };

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    fn pool(name: &str, mode: SchedulingMode, weight: u32, min_share: u32) -> PoolOptions {
        PoolOptions { name: name.to_owned(), mode, weight: NonZeroU32::new(weight).unwrap(), min_share }
    }

    fn fair(file: &str) -> SparkConf {
        [("spark.scheduler.mode", "FAIR"), ("spark.scheduler.allocation.file", file)].into_iter().collect()
    }

    #[test]
    fn sparks_format_is_read() {
        let text = r#"<?xml version="1.0"?>
            <allocations>
              <pool name="production"><schedulingMode>FAIR</schedulingMode><weight>2</weight><minShare>3</minShare></pool>
              <pool name="test"><schedulingMode> fifo </schedulingMode></pool>
            </allocations>"#;
        let found = parse(text).unwrap();
        assert_eq!(
            found.pools,
            [pool("production", SchedulingMode::Fair, 2, 3), pool("test", SchedulingMode::Fifo, 1, 0)]
        );
        assert!(found.warnings.is_empty());
    }

    #[test]
    fn each_malformed_value_gives_its_default_and_a_warning() {
        for (element, bad) in [
            ("schedulingMode", "NONE"),
            ("schedulingMode", ""),
            ("weight", "heavy"),
            ("weight", "0"),
            ("weight", "-1"),
            ("minShare", "1.5"),
            ("minShare", ""),
        ] {
            let found =
                parse(&format!(r#"<allocations><pool name="p"><{element}>{bad}</{element}></pool></allocations>"#));
            let found = found.unwrap();
            assert_eq!(found.pools, [pool("p", SchedulingMode::Fifo, 1, 0)], "{element} {bad}");
            assert_eq!(found.warnings.len(), 1, "{element} {bad}");
            assert!(found.warnings[0].contains(element), "{}", found.warnings[0]);
        }
    }

    #[test]
    fn pools_without_a_name_or_with_one_that_is_taken_are_left_out() {
        let found = parse(r#"<allocations><pool/><pool name="a"/><pool name="a"/></allocations>"#).unwrap();
        assert_eq!(found.pools, [pool("a", SchedulingMode::Fifo, 1, 0)]);
        assert_eq!(found.warnings.len(), 2);
    }

    /// SC-04: any scheme. Those of Hadoop go the same way as this one.
    #[test]
    fn a_named_file_may_be_elsewhere() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let serving = thread::spawn(move || {
            let (mut connection, _) = server.accept().unwrap();
            let mut request = [0; 1024];
            assert!(connection.read(&mut request).unwrap() > 0);
            let body = r#"<allocations><pool name="remote"/></allocations>"#;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            connection.write_all((head + body).as_bytes()).unwrap();
        });
        let found = pools(&fair(&format!("http://{address}/pools.xml"))).unwrap();
        serving.join().unwrap();
        assert_eq!(found.pools, [pool("remote", SchedulingMode::Fifo, 1, 0)]);
    }

    #[test]
    fn a_named_file_without_an_end_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        for (path, why) in [(pipe.as_path(), "nobody writes to it"), (Path::new("/dev/zero"), "more than 16 MiB")] {
            let refused = pools(&fair(path.to_str().unwrap())).unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
            assert!(chain(&read_here(path).unwrap_err()).contains(why));
        }
    }

    #[test]
    fn a_named_file_must_be_there_and_be_xml() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pools.xml");
        let given = path.to_str().unwrap();
        assert!(pools(&fair(given)).unwrap_err().to_string().contains(given));
        fs::write(&path, "<allocations>").unwrap();
        assert!(pools(&fair(given)).unwrap_err().to_string().contains(given));
        fs::write(&path, r#"<allocations><pool name="a"/></allocations>"#).unwrap();
        assert_eq!(pools(&fair(&format!("file://{given}"))).unwrap().pools.len(), 1);
        let refused = pools(&fair("ftp://host/pools.xml")).unwrap_err().to_string();
        assert!(refused.contains("ftp://host/pools.xml") && refused.contains("only by hdfs:, s3a:"), "{refused}");
        let fifo: SparkConf = [("spark.scheduler.allocation.file", "/nowhere")].into_iter().collect();
        assert_eq!(pools(&fifo).unwrap(), Pools::default());
    }
}
