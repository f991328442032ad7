//! Which releases of PySpark can be worked with. The protocol of workers differs from release to release.

/// The releases, oldest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Release {
    /// PySpark 3.5.
    V3_5,
    /// PySpark 4.0.
    V4_0,
    /// PySpark 4.1.
    V4_1,
    /// PySpark 4.2.
    V4_2,
    /// PySpark 4.3.
    V4_3,
}

const ALL: [(Release, &str); 5] = [
    (Release::V3_5, "3.5"),
    (Release::V4_0, "4.0"),
    (Release::V4_1, "4.1"),
    (Release::V4_2, "4.2"),
    (Release::V4_3, "4.3"),
];

/// Workers of this release cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnsupportedVersion {
    /// The program has another one, and pickles what those workers may not understand.
    #[error(
        "the PySpark of {python} is {found}, and the program's own is {driver}; install pyspark=={driver} there, or name another interpreter by PYSPARK_PYTHON or spark.pyspark.python"
    )]
    Another {
        /// The interpreter.
        python: String,
        /// Its release.
        found: String,
        /// The program's.
        driver: String,
    },
    /// Its protocol is not known.
    #[error(
        "the PySpark of {python} is {found}, and this is the driver of PySpark 3.5 to 4.3; install one of these there, or name another interpreter by PYSPARK_PYTHON or spark.pyspark.python"
    )]
    Unknown {
        /// The interpreter.
        python: String,
        /// Its release.
        found: String,
    },
    /// Its workers have no sockets of the file system.
    #[error(
        "workers of PySpark {found}, which {python} has, cannot be talked to on sockets of the file system; unset spark.python.unix.domain.socket.enabled, or install pyspark 4.1 or later"
    )]
    NoUnixSockets {
        /// The interpreter.
        python: String,
        /// Its release.
        found: String,
    },
}

impl Release {
    /// What the workers of an interpreter speak, if that is known and what the program's own release speaks too. If it could not
    /// be found out which one that is, the user has seen to it.
    pub fn of_workers(python: &str, found: &str, driver: Option<&str>) -> Result<Self, UnsupportedVersion> {
        let python = || python.to_owned();
        let release = Self::parse(found)
            .ok_or_else(|| UnsupportedVersion::Unknown { python: python(), found: found.to_owned() })?;
        match driver {
            Some(driver) if Self::parse(driver) != Some(release) => Err(UnsupportedVersion::Another {
                python: python(),
                found: found.to_owned(),
                driver: driver.to_owned(),
            }),
            _ => Ok(release),
        }
    }

    fn parse(version: &str) -> Option<Self> {
        let mut parts = version.split('.');
        let minor = [parts.next()?, parts.next()?].join(".");
        ALL.into_iter().find(|(_, name)| *name == minor).map(|(release, _)| release)
    }

    /// Is what starts a task one message with its length?
    pub(crate) const fn has_init_message(self) -> bool {
        matches!(self, Self::V4_3)
    }

    /// Is a task's context JSON, and are settings sent with it?
    pub(crate) const fn has_json_context(self) -> bool {
        matches!(self, Self::V4_2 | Self::V4_3)
    }

    /// Does a task that is in no barrier stage learn of a server all the same?
    pub(crate) const fn always_has_barrier_server(self) -> bool {
        matches!(self, Self::V3_5 | Self::V4_0)
    }

    /// Can it be talked to on sockets of the file system?
    pub(crate) const fn has_unix_sockets(self) -> bool {
        !matches!(self, Self::V3_5 | Self::V4_0)
    }

    /// How many times a worker reports.
    pub(crate) const fn times(self) -> usize {
        match self {
            Self::V3_5 | Self::V4_0 | Self::V4_1 => 3,
            Self::V4_2 | Self::V4_3 => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_releases_are_taken_and_no_others() {
        let known = [("4.3.0", Release::V4_3), ("4.3.0.dev0", Release::V4_3), ("3.5.9", Release::V3_5)];
        for (found, release) in known {
            assert_eq!(Release::of_workers("python3", found, None), Ok(release), "{found}");
        }
        for found in ["4.4.0", "4.30.0", "3.4.4", "", "4"] {
            assert!(Release::of_workers("python3", found, None).is_err(), "{found}");
        }
    }

    #[test]
    fn a_release_other_than_the_program_s_is_refused_with_both() {
        assert_eq!(Release::of_workers("python3", "4.2.0", Some("4.2.1")), Ok(Release::V4_2));
        let refused = Release::of_workers("/venv/bin/python", "4.2.0", Some("4.3.0")).unwrap_err().to_string();
        assert!(refused.contains("/venv/bin/python is 4.2.0") && refused.contains("own is 4.3.0"), "{refused}");
    }
}
