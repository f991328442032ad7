//! The permissions that new files do not get: Hadoop's `fs.permissions.umask-mode`.

use crate::{HadoopConf, HadoopPropertyError};

const KEY: &str = "fs.permissions.umask-mode";

/// What is taken from the permissions of new files and directories.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Umask(u32);

impl Umask {
    /// None if the property is not set. Then each file system has its own way: the process's mask for local files.
    pub(crate) fn from_conf(conf: &HadoopConf) -> Result<Option<Self>, HadoopPropertyError> {
        let Some(value) = conf.get(KEY) else { return Ok(None) };
        let mask = octal(value).or_else(|| symbolic(value));
        mask.map(|mask| Some(Self(mask))).ok_or_else(|| HadoopPropertyError {
            key: KEY.to_owned(),
            value: value.to_owned(),
            wanted: "a mask of three octal digits such as 027, or permissions such as u=rwx,g=rx,o=",
        })
    }

    /// The permissions of a new file.
    pub(crate) fn file(self) -> u32 {
        0o666 & !self.0
    }

    /// The permissions of a new directory.
    pub(crate) fn directory(self) -> u32 {
        0o777 & !self.0
    }
}

/// Three digits, perhaps with a plus and zeros before them.
fn octal(value: &str) -> Option<u32> {
    let digits = value.strip_prefix('+').unwrap_or(value);
    let (zeros, last) = digits.split_at_checked(digits.len().checked_sub(3)?)?;
    let is_octal = zeros.bytes().all(|byte| byte == b'0') && last.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    is_octal.then(|| u32::from_str_radix(last, 8).ok()).flatten()
}

/// Clauses such as `ug=rw`, which say what files do get. As in Hadoop, all begins at nothing, the last clause for a class counts
/// alone, and so `+` is as good as `=` and `-` gives nothing.
fn symbolic(value: &str) -> Option<u32> {
    const CLASSES: [(char, u32); 3] = [('u', 6), ('g', 3), ('o', 0)];
    let mut permissions = 0;
    let mut clauses: Vec<&str> = value.split(',').map(str::trim).collect();
    // A comma may end the value.
    if clauses.last().is_some_and(|last| last.is_empty()) && clauses.len() > 1 {
        clauses.pop();
    }
    for clause in clauses {
        let who = clause.trim_start_matches(['u', 'g', 'o', 'a']);
        let classes = &clause[..clause.len() - who.len()];
        let letters = who.trim_start_matches(['+', '=', '-']);
        let operation = who[..who.len() - letters.len()].chars().last()?;
        let mut bits = 0;
        for letter in letters.chars() {
            bits |= match letter {
                'r' => 4,
                'w' => 2,
                'x' => 1,
                _ => return None,
            };
        }
        let is_all = classes.is_empty() || classes.contains('a');
        for (_, shift) in CLASSES.iter().filter(|(class, _)| is_all || classes.contains(*class)) {
            let given = if operation == '-' { 0 } else { bits };
            permissions = permissions & !(0o7 << shift) | given << shift;
        }
    }
    Some(0o777 & !permissions)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each as Spark 4.3 answers.
    #[test]
    fn masks_are_read_as_hadoop_reads_them() {
        let mask = |value: &str| {
            let mut conf = HadoopConf::default();
            conf.set(KEY, value);
            Umask::from_conf(&conf).map(|mask| mask.map(|Umask(mask)| mask))
        };
        let cases = [
            ("077", 0o077),
            ("0077", 0o077),
            ("000", 0),
            (" 077 ", 0o077),
            ("u=rwx,g=,o=", 0o077),
            ("u=rwx,g=rx,o=", 0o027),
            ("g-w", 0o777),
            ("a=rx", 0o222),
            ("g+w", 0o757),
            ("u=rw", 0o177),
            ("+x", 0o666),
            ("=", 0o777),
            ("u=rwx, g=", 0o077),
            ("u=rwx,g+w", 0o057),
            ("ug=rx", 0o227),
        ];
        for (value, expected) in cases {
            assert_eq!(mask(value), Ok(Some(expected)), "{value}");
        }
        for value in [
            "22",
            "7",
            "0",
            "",
            "abc",
            "888",
            "01077",
            "77777",
            "u=rwx,g=r-x,o=",
            "u=rwX",
            "u=rwx;g=",
            "u+rw-x",
            "a",
            "u+t",
            "g=u",
        ] {
            let error = mask(value).unwrap_err().to_string();
            assert!(error.contains("spark.hadoop.fs.permissions.umask-mode is "), "{error}");
        }
        assert_eq!(Umask::from_conf(&HadoopConf::default()), Ok(None));
    }
}
