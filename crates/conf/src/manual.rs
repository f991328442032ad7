//! The documentation of the keys, generated from their declarations.

use std::fmt::Write;

use crate::{AnyKey, DefaultValue, Managers, Section, Unit, hadoop, keys};

/// The text of `docs/configuration.md`.
pub fn configuration_page() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         <!-- Generated from the declarations in crates/conf/src/keys by `cargo run -p firesteel-cli -- internal docs`. -->\n\n\
         Keys are set in the program, with an option of `spark-submit`, with `--conf key=value`, or in \
         `conf/spark-defaults.conf`; the first of these that has a key counts. A key's value is refused where it is read if it \
         has the wrong form, with the key, the value and what was expected. A `spark.` key that does nothing gets a \
         warning, except for what Spark itself leaves in a configuration, such as `spark.app.startTime`.\n\n\
         Sizes are whole numbers with one of `b k m g t p e` (binary, `512m`), times with one of `us ms s m min h d` \
         (`100ms`). A number alone has the unit that the table names in brackets. Fractions are refused: `1536m`, not `1.5g`. \
         `${spark.x}`, `${env:X}` and `${system:x}` in values are replaced; of Java's system properties, those that mean \
         something here: `user.name`, `user.home`, `user.dir`, `java.io.tmpdir`, `os.name`, `os.arch`, `file.separator`, \
         `path.separator` and `line.separator`. Others stay as they are, with a warning.\n",
    );
    let mut section = None;
    for key in keys::all() {
        if section != Some(key.section()) {
            if let Some(last) = section {
                write_families(&mut page, last);
            }
            section = Some(key.section());
            write_heading(&mut page, key.section());
        }
        write_key(&mut page, key);
    }
    if let Some(last) = section {
        write_families(&mut page, last);
    }
    write_hadoop(&mut page);
    page
}

fn write_heading(page: &mut String, section: Section) {
    let _ = write!(page, "\n## {}\n\n", section.title());
    page.push_str("| Key | Type | Default | Meaning | Since |\n|---|---|---|---|---|\n");
}

fn write_key(page: &mut String, key: &dyn AnyKey) {
    let unit = match key.unit() {
        Unit::None => String::new(),
        unit => format!(" ({})", unit.suffix()),
    };
    let default = match key.default_value() {
        DefaultValue::Nothing => "none".to_owned(),
        DefaultValue::Text("") => "empty".to_owned(),
        DefaultValue::Text(text) => format!("`{}`", cell(text)),
        DefaultValue::Computed(words) => cell(words),
        DefaultValue::Key(other) => format!("value of `{other}`"),
    };
    let mut meaning = without_row_ids(&cell(key.doc()));
    if let Some(expected) = key.expected() {
        let _ = write!(meaning, " Must be {}.", cell(expected));
    }
    if key.managers() != Managers::ALL {
        let _ = write!(meaning, " For {}.", key.managers());
    }
    if !key.formerly().is_empty() {
        let _ = write!(meaning, " Older name: `{}`.", key.formerly().join("`, `"));
    }
    let _ = writeln!(
        page,
        "| `{}` | {}{unit} | {default} | {meaning} | {} |",
        key.name(),
        cell(key.type_name()),
        key.since()
    );
}

fn write_families(page: &mut String, section: Section) {
    for family in keys::prefixes().filter(|family| family.section == section) {
        let on = if family.managers == Managers::ALL { String::new() } else { format!(" For {}.", family.managers) };
        let meaning = without_row_ids(&cell(family.doc));
        let _ = writeln!(page, "| `{}*` | family | none | {meaning}{on} | {} |", family.prefix, family.since);
    }
}

fn write_hadoop(page: &mut String) {
    page.push_str(
        "\n## Hadoop's properties\n\n\
         These are read, from `spark.hadoop.*` keys and from `core-site.xml` and `hdfs-site.xml` in `HADOOP_CONF_DIR` or \
         `YARN_CONF_DIR`. A `spark.hadoop.` key that is not in the table gets a warning.\n\n\
         | Key | Meaning | Older name |\n|---|---|---|\n",
    );
    for property in hadoop::properties() {
        let family = if property.name.ends_with('.') { "*" } else { "" };
        let older = hadoop::older_names(property.name).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let _ = writeln!(page, "| `{}{family}` | {} | {older} |", property.name, cell(property.meaning));
    }
}

/// A text that cannot end a table cell.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// The text without references such as `(RT-30)`, which are for readers of the source.
fn without_row_ids(text: &str) -> String {
    let is_row_id = |inside: &str| {
        let bytes = inside.as_bytes();
        bytes.len() > 3
            && bytes[..2].iter().all(u8::is_ascii_uppercase)
            && bytes[2] == b'-'
            && bytes[3].is_ascii_digit()
    };
    let mut kept = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(" (") {
        let end = rest[start..].find(')').map_or(rest.len(), |length| start + length + 1);
        let drop = is_row_id(&rest[start + 2..]);
        kept.push_str(&rest[..if drop { start } else { end }]);
        rest = &rest[end..];
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_ids_are_left_out_and_other_brackets_stay() {
        let text = without_row_ids("a (RT-30) b (see c) d (SC-01…03).");
        assert_eq!(text, "a b (see c) d.");
        assert!(!configuration_page().contains("(RT-"));
    }

    #[test]
    fn every_key_and_family_has_one_row_of_five_cells() {
        let page = configuration_page();
        for name in keys::all().map(AnyKey::name) {
            assert_eq!(page.matches(&format!("\n| `{name}` |")).count(), 1, "{name}");
        }
        for family in keys::prefixes() {
            assert!(page.contains(&format!("\n| `{}*` |", family.prefix)));
        }
        let (keys, hadoop) = page.split_once("\n## Hadoop's properties\n").unwrap();
        for (table, borders) in [(keys, 6), (hadoop, 4)] {
            for row in table.lines().filter(|line| line.starts_with('|')) {
                assert_eq!(row.replace("\\|", "").matches('|').count(), borders, "{row}");
            }
        }
    }
}
