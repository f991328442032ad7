//! What is to be run.

/// The primary resource: the first word that is no option, by what it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PrimaryResource {
    /// An executable built on the `firesteel` crate.
    Native(String),
    /// The bundled examples; the main class names one (SS-34).
    Examples,
    /// A Python program.
    Python(String),
    /// An R program.
    R(String),
    /// JVM classes.
    Jar(String),
    /// `pyspark-shell`: the Python shell, or a Python program that is its own driver. Spark's `bin/pyspark` says `pyspark-shell-main`.
    PySparkShell,
    /// `spark-shell`
    SparkShell,
    /// `sparkr-shell`
    SparkRShell,
    /// `spark-internal`: a class of Spark itself, such as the SQL server.
    Internal,
}

impl PrimaryResource {
    /// Recognises the resource by its name alone.
    pub fn of(text: &str) -> Self {
        let path = text.split(['#', '?']).next().unwrap_or_default().to_ascii_lowercase();
        match text {
            "pyspark-shell" | "pyspark-shell-main" => Self::PySparkShell,
            "spark-shell" => Self::SparkShell,
            "sparkr-shell" => Self::SparkRShell,
            "spark-internal" => Self::Internal,
            _ if path.ends_with(".py") => Self::Python(text.to_owned()),
            _ if path.ends_with(".r") => Self::R(text.to_owned()),
            _ if path.ends_with(".jar") => Self::Jar(text.to_owned()),
            _ => Self::Native(text.to_owned()),
        }
    }

    /// The text as it was given, of which there is one for each shell.
    pub fn text(&self) -> &str {
        match self {
            Self::Native(text) | Self::Python(text) | Self::R(text) | Self::Jar(text) => text,
            Self::Examples => "run-example",
            Self::PySparkShell => "pyspark-shell",
            Self::SparkShell => "spark-shell",
            Self::SparkRShell => "sparkr-shell",
            Self::Internal => "spark-internal",
        }
    }

    /// Is it R, as a program or as a shell?
    pub fn is_r(&self) -> bool {
        matches!(self, Self::R(_) | Self::SparkRShell)
    }

    /// What users call it, if its driver must run where the user sits: a shell, or a server that clients connect to (SS-63).
    pub fn interactive(&self, main_class: Option<&str>) -> Option<&'static str> {
        match (self, main_class) {
            (Self::SparkShell, _) | (_, Some("org.apache.spark.repl.Main")) => Some("the Spark shell"),
            (Self::PySparkShell, _) => Some("the Python shell"),
            (Self::SparkRShell, _) => Some("the R shell"),
            (_, Some("org.apache.spark.sql.hive.thriftserver.SparkSQLCLIDriver")) => Some("the SQL shell"),
            (_, Some("org.apache.spark.sql.hive.thriftserver.HiveThriftServer2")) => Some("the Thrift server"),
            (_, Some("org.apache.spark.sql.connect.service.SparkConnectServer")) => Some("the Connect server"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PrimaryResource::{self, *};

    #[test]
    fn by_name() {
        let cases = [
            ("app", Native("app".into())),
            ("/x/my app", Native("/x/my app".into())),
            ("app.py", Python("app.py".into())),
            ("s3a://b/App.PY", Python("s3a://b/App.PY".into())),
            ("app.R", R("app.R".into())),
            ("app.r", R("app.r".into())),
            ("https://h/app.jar?x=1", Jar("https://h/app.jar?x=1".into())),
            ("pyspark-shell", PySparkShell),
            ("spark-internal", Internal),
            ("app.jar.sh", Native("app.jar.sh".into())),
        ];
        for (text, resource) in cases {
            assert_eq!(PrimaryResource::of(text), resource);
            assert_eq!(resource.text(), text);
        }
        assert_eq!(PrimaryResource::of("pyspark-shell-main"), PySparkShell);
    }
}
