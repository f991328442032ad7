//! The documentation of the options, generated from their table.

use std::fmt::Write;

use crate::{
    options::{self, Group},
    usage::scope,
};

/// The text of `docs/spark-submit.md`.
pub fn spark_submit_page() -> String {
    let mut page = String::from(
        "# spark-submit\n\n\
         <!-- Generated from the table in crates/submit/src/options.rs by `cargo run -p firesteel-cli -- internal docs`. -->\n\n\
         ```text\n\
         spark-submit [options] APPLICATION [arguments of the application]\n\
         run-example [options] EXAMPLE [arguments of the example]\n\
         ```\n\n\
         APPLICATION is an executable built on the `firesteel` crate. Everything after it is the application's own. \
         `--option=value` is the same as `--option value`; if an option comes twice, the last one counts.\n\n\
         Where a value comes from, first to last: the program's own `SparkConf`, a dedicated option, `--conf`, the properties \
         file (`--properties-file`, else `conf/spark-defaults.conf`; both with `--load-spark-defaults`), the environment, the \
         default. An option that means nothing for the chosen master gets a warning and sets nothing.\n",
    );
    for group in Group::ALL {
        let _ = write!(page, "\n## {}\n\n", group.title());
        page.push_str("| Option | Key | Environment | Meaning |\n|---|---|---|---|\n");
        for option in options::ALL.iter().filter(|option| option.group == group) {
            let short = option.short.map(|short| format!("`{short}`, ")).unwrap_or_default();
            let value = option.value.map(|value| format!(" {value}")).unwrap_or_default();
            let code = |text: Option<&str>| text.map(|text| format!("`{text}`")).unwrap_or_default();
            let _ = writeln!(
                page,
                "| {short}`{}{value}` | {} | {} | {}{} |",
                option.name,
                code(option.key),
                code(option.variable),
                option.help,
                scope(option)
            );
        }
    }
    page.push_str(
        "\n## Packages\n\n\
         JVM packages cannot run here. `--packages` accepts the coordinates of connectors whose work is built in \
         (`org.apache.hadoop:hadoop-aws`, `hadoop-client` and their like) and of Spark's own modules, says that nothing is \
         fetched for them, and refuses everything else. Packages that only the properties file asks for and only a JVM could \
         load do nothing and get a warning.\n\n\
         ## Exit codes\n\n\
         | Case | Code |\n|---|---|\n\
         | `--help`, `--version` | 0 |\n\
         | anything refused; unknown option | 1 |\n\
         | the executable passed every check, but the system could not start it | 101 |\n\
         | no arguments | 255 |\n\
         | the application ran | its own: this command becomes the application, with the same process id |\n\n\
         ## Hand-over to a native application\n\n\
         The launcher replaces itself by the application. The resolved configuration is in a memory file that the application \
         inherits; `FIRESTEEL_CONF_FD` holds the number of its descriptor, so that no value is ever an argument or in the \
         environment. `FIRESTEEL_MAIN_CLASS` holds the value of `--class`, if there was one. `SparkConf::from_launcher` reads \
         and closes the file and removes the variable.\n",
    );
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_has_one_row() {
        let page = spark_submit_page();
        for option in options::ALL {
            let short = option.short.map(|short| format!("`{short}`, ")).unwrap_or_default();
            let value = option.value.map(|value| format!(" {value}")).unwrap_or_default();
            let start = format!("| {short}`{}{value}` | ", option.name);
            assert_eq!(page.lines().filter(|line| line.starts_with(&start)).count(), 1, "{}", option.name);
        }
    }
}
