//! The help text, from the table of options.

use std::fmt::Write;

use crate::{
    Launcher,
    options::{self, Group, SubmitOption},
};

/// How wide the help may be.
const WIDTH: usize = 100;
/// Where its explanations begin.
const COLUMN: usize = 32;

/// The usage. `first_line` replaces its beginning for scripts around this command (`_SPARK_CMD_USAGE`, SS-04).
pub fn usage(launcher: Launcher, first_line: Option<&str>) -> String {
    let mut text = match (first_line, launcher) {
        (Some(line), _) => format!("{}\n", line.trim_end()),
        (None, Launcher::SparkSubmit) => {
            "Usage: spark-submit [options] APPLICATION [arguments of the application]\n       \
             spark-submit --kill ID --master URL\n       \
             spark-submit --status ID --master URL\n       \
             spark-submit run-example [options] EXAMPLE [arguments of the example]\n"
                .to_owned()
        }
        (None, Launcher::RunExample) => "Usage: run-example [options] EXAMPLE [arguments of the example]\n".to_owned(),
    };
    text.push_str(
        "\nEverything after APPLICATION is the application's own. --option=value is the same as --option value.\n",
    );
    for group in Group::ALL {
        let _ = write!(text, "\n{}:\n", group.title());
        for option in options::ALL.iter().filter(|option| option.group == group) {
            write_option(&mut text, option);
        }
    }
    text
}

fn write_option(text: &mut String, option: &SubmitOption) {
    let short = option.short.map(|short| format!("{short}, ")).unwrap_or_default();
    let value = option.value.map(|value| format!(" {value}")).unwrap_or_default();
    let mut line = format!("  {short}{}{value}", option.name);
    let explanation = format!("{}{}", option.help, scope(option));
    if line.len() + 1 >= COLUMN {
        let _ = writeln!(text, "{line}");
        line.clear();
    }
    line = format!("{line:COLUMN$}");
    for word in explanation.split_whitespace() {
        if line.len() > COLUMN && line.len() + word.len() > WIDTH {
            let _ = writeln!(text, "{}", line.trim_end());
            line = " ".repeat(COLUMN);
        }
        line.push_str(word);
        line.push(' ');
    }
    let _ = writeln!(text, "{}", line.trim_end());
}

/// Where the option means something, as a sentence; nothing if that is everywhere.
pub(crate) fn scope(option: &SubmitOption) -> String {
    let everywhere = option.managers == firesteel_conf::Managers::ALL;
    match (everywhere, option.cluster_mode_only) {
        (true, false) => String::new(),
        (true, true) => " Cluster mode only.".to_owned(),
        (false, false) => format!(" For {}.", option.managers),
        (false, true) => format!(" For {} in cluster mode.", option.managers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_in_the_help_and_no_line_is_too_wide() {
        let text = usage(Launcher::SparkSubmit, None);
        for option in options::ALL {
            assert!(text.contains(&format!("{} ", option.name)) || text.contains(&format!("{}\n", option.name)));
        }
        for line in text.lines() {
            assert!(line.len() <= WIDTH + 10, "{line}");
        }
    }

    #[test]
    fn a_script_around_it_has_its_own_first_line() {
        let text = usage(Launcher::SparkSubmit, Some("Usage: ./bin/pyspark [options]"));
        assert!(text.starts_with("Usage: ./bin/pyspark [options]\n") && !text.contains("Usage: spark-submit"));
        assert!(usage(Launcher::RunExample, None).starts_with("Usage: run-example"));
    }
}
