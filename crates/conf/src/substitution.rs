//! `${…}` in values (SS-76).
//!
//! `${spark.x}` is another key of the same configuration (or its default), `${env:X}` an environment variable,
//! `${system:X}` one of the Java system properties that mean something outside a JVM. A reference to nothing stays as it
//! is, as in Spark: a value may well hold `${…}` for somebody else.

use std::borrow::Cow;

use crate::{
    ConfError, DefaultValue, SparkConf, account_name,
    conf_error::{MAX_DEPTH, MAX_REFERENCES},
    keys,
};

/// Looks an environment variable up.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

pub(crate) fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A value with its references replaced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Substituted<'a> {
    /// The value.
    pub(crate) text: Cow<'a, str>,
    /// The Java properties that it refers to and that mean nothing here: the names, in order, without `system:`.
    pub(crate) unknown_properties: Vec<String>,
    /// The environment variables and keys that it refers to and that are not set, in order, as `env:NAME` and by the key's name.
    pub(crate) unset: Vec<String>,
    /// The references whose values are in the text, also those that another one has led to; as `env:NAME`, `system:NAME` or a key's name.
    pub(crate) followed: Vec<String>,
}

/// Replaces the references in the value of `key`.
pub(crate) fn substitute<'a>(
    conf: &SparkConf,
    environment: Environment<'_>,
    key: &str,
    text: &'a str,
) -> Result<Substituted<'a>, ConfError> {
    if !text.contains("${") {
        let (unknown_properties, unset, followed) = Default::default();
        return Ok(Substituted { text: Cow::Borrowed(text), unknown_properties, unset, followed });
    }
    let (unknown_properties, unset, followed) = Default::default();
    let open = vec![key.to_owned()];
    let mut substitution =
        Substitution { conf, environment, open, keys_followed: 0, unknown_properties, unset, followed };
    let text = Cow::Owned(substitution.expand(text)?);
    let Substitution { unknown_properties, unset, followed, .. } = substitution;
    Ok(Substituted { text, unknown_properties, unset, followed })
}

/// The work in progress.
struct Substitution<'a> {
    conf: &'a SparkConf,
    environment: Environment<'a>,
    /// The keys whose values are being expanded, outermost first.
    open: Vec<String>,
    /// How many references to keys were followed.
    keys_followed: usize,
    unknown_properties: Vec<String>,
    unset: Vec<String>,
    followed: Vec<String>,
}

impl Substitution<'_> {
    fn expand(&mut self, text: &str) -> Result<String, ConfError> {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let Some(length) = rest[start..].find('}') else { break };
            let reference = &rest[start + 2..start + length];
            expanded.push_str(&rest[..start]);
            match self.resolve(reference)? {
                Some(value) => {
                    expanded.push_str(&value);
                    self.followed.push(reference.to_owned());
                }
                None => expanded.push_str(&rest[start..=start + length]),
            }
            rest = &rest[start + length + 1..];
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    fn resolve(&mut self, reference: &str) -> Result<Option<String>, ConfError> {
        if let Some(name) = reference.strip_prefix("env:") {
            let value = (self.environment)(name);
            if value.is_none() && !self.unset.iter().any(|known| known == reference) {
                self.unset.push(reference.to_owned());
            }
            return Ok(value);
        }
        if let Some(name) = reference.strip_prefix("system:") {
            let value = system_property(self.environment, name);
            if value.is_none() && !self.unknown_properties.iter().any(|known| known == name) {
                self.unknown_properties.push(name.to_owned());
            }
            return Ok(value);
        }
        if !reference.starts_with("spark.") {
            return Ok(None);
        }
        self.keys_followed += 1;
        if self.open.len() > MAX_DEPTH || self.keys_followed > MAX_REFERENCES {
            return Err(ConfError::TooManyReferences { key: self.open.swap_remove(0) });
        }
        if self.open.iter().any(|key| key == reference) {
            let key = self.open.swap_remove(0);
            return Err(ConfError::Cycle { key, reference: reference.to_owned() });
        }
        let set = self.conf.get_raw(reference).map(str::to_owned);
        let Some(value) = set.or_else(|| default_text(self.conf, reference)) else {
            if !self.unset.iter().any(|known| known == reference) {
                self.unset.push(reference.to_owned());
            }
            return Ok(None);
        };
        self.open.push(reference.to_owned());
        let value = self.expand(&value)?;
        self.open.pop();
        Ok(Some(value))
    }
}

/// The default of a declared key; that of the key it falls back to, as far as it goes.
fn default_text(conf: &SparkConf, key: &str) -> Option<String> {
    match keys::find(key)?.default_value() {
        DefaultValue::Text(text) => Some(text.to_owned()),
        DefaultValue::Key(other) => conf.get_raw(other).map(str::to_owned).or_else(|| default_text(conf, other)),
        DefaultValue::Nothing | DefaultValue::Computed(_) => None,
    }
}

/// The value of a Java property that means something here; see [`SYSTEM_PROPERTIES`].
fn system_property(environment: Environment<'_>, name: &str) -> Option<String> {
    let set = |variable| environment(variable).filter(|value| !value.is_empty());
    match name {
        "user.name" => account_name(environment),
        "user.home" => set("HOME").or_else(|| std::env::home_dir()?.into_os_string().into_string().ok()),
        "user.dir" => std::env::current_dir().ok()?.into_os_string().into_string().ok(),
        "java.io.tmpdir" => Some(set("TMPDIR").unwrap_or_else(|| "/tmp".to_owned())),
        "os.name" => Some("Linux".to_owned()),
        "os.arch" => Some(if cfg!(target_arch = "x86_64") { "amd64" } else { std::env::consts::ARCH }.to_owned()),
        "file.separator" => Some("/".to_owned()),
        "path.separator" => Some(":".to_owned()),
        "line.separator" => Some("\n".to_owned()),
        _ => None,
    }
}

/// The Java properties that mean something here.
pub(crate) const SYSTEM_PROPERTIES: [&str; 9] = [
    "user.name",
    "user.home",
    "user.dir",
    "java.io.tmpdir",
    "os.name",
    "os.arch",
    "file.separator",
    "path.separator",
    "line.separator",
];

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
        substitute(&conf, &environment, "spark.local.dir", text).map(|substituted| substituted.text.into_owned())
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

    /// Nobody's environment need say who runs this: the system knows.
    #[test]
    fn java_properties_need_no_environment() {
        let expanded = |name: &str| {
            let conf = SparkConf::new();
            let text = format!("${{system:{name}}}");
            substitute(&conf, &|_| None, "spark.local.dir", &text).unwrap().text.into_owned()
        };
        for name in SYSTEM_PROPERTIES {
            let value = expanded(name);
            assert!(!value.is_empty() && !value.contains("${"), "{name}: {value}");
        }
        let account = std::process::Command::new("id").arg("-un").output().unwrap();
        assert_eq!(expanded("user.name"), String::from_utf8(account.stdout).unwrap().trim_end());
        assert_eq!(expanded("user.dir"), std::env::current_dir().unwrap().to_str().unwrap());
        assert_eq!(expanded("line.separator"), "\n");
    }

    #[test]
    fn unknown_properties_are_listed_once_wherever_they_are() {
        let conf: SparkConf = [("spark.a", "${system:java.vendor}"), ("spark.b", "x")].into_iter().collect();
        let text = "${spark.a}${system:java.home}${spark.a}${env:NOTHING}${system:os.name}";
        let substituted = substitute(&conf, &environment, "spark.local.dir", text).unwrap();
        assert_eq!(substituted.unknown_properties, ["java.vendor", "java.home"]);
        assert_eq!(
            substituted.text,
            "${system:java.vendor}${system:java.home}${system:java.vendor}${env:NOTHING}Linux"
        );
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
    fn references_without_end_are_an_error() {
        let key = |n: usize| format!("spark.k{n}");
        let chain: Vec<(String, String)> = (0..500).map(|n| (key(n), format!("${{{}}}", key(n + 1)))).collect();
        let doubling: Vec<(String, String)> =
            (0..40).map(|n| (key(n), format!("${{{0}}}${{{0}}}", key(n + 1)))).collect();
        for settings in [chain, doubling] {
            let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (&**key, &**value)).collect();
            let error = expanded(&settings, "${spark.k0}").unwrap_err();
            assert_eq!(error, ConfError::TooManyReferences { key: "spark.local.dir".to_owned() });
        }
    }

    #[test]
    fn a_key_used_twice_is_no_circle() {
        assert_eq!(expanded(&[("spark.a", "1")], "${spark.a}${spark.a}").as_deref(), Ok("11"));
    }
}
