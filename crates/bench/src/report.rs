//! The table and the JSON file.

use std::{fs, path::Path};

use anyhow::Context;
use serde::Serialize;

use crate::{
    compare::Comparison,
    measure::{Better, Role, Target},
    parameters::Scale,
};

/// A measure in the JSON file. Null where a side did not take part.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    unit: &'a str,
    firesteel: Option<f64>,
    spark: Option<f64>,
    limit: Option<f64>,
}

/// Writes an array with an object for each measure.
pub fn write_json(path: &Path, results: &[Comparison]) -> anyhow::Result<()> {
    let rows: Vec<Row<'_>> = results
        .iter()
        .map(|result| Row {
            name: result.measure.name,
            unit: result.measure.unit,
            firesteel: result.number(Role::Firesteel),
            spark: result.number(Role::Spark),
            limit: result.number(Role::Limit),
        })
        .collect();
    let text = serde_json::to_string_pretty(&rows)? + "\n";
    fs::write(path, text).with_context(|| format!("could not write {}", path.display()))
}

/// What is said of a measure as soon as it is done.
pub fn line(result: &Comparison) -> String {
    let sides = Role::ALL.into_iter().filter_map(|role| Some((role, result.number(role)?)));
    let sides: Vec<String> = sides.map(|(role, number)| format!("{} {}", role.name(), three_digits(number))).collect();
    format!("{}: done, {} ({})", result.measure.name, sides.join(", "), result.measure.unit)
}

/// Prints what a person reads.
pub fn print_table(results: &[Comparison], scale: Scale) {
    let headings = ["measure", "unit", "Firesteel", "Spark 4.3", "limit", "vs Spark", "vs limit", "target"];
    let mut rows = vec![headings.map(str::to_owned)];
    for result in results {
        let number = |role| result.number(role).map_or_else(|| "-".to_owned(), three_digits);
        rows.push([
            result.measure.name.to_owned(),
            result.measure.unit.to_owned(),
            number(Role::Firesteel),
            number(Role::Spark),
            number(Role::Limit),
            result.advantage_over(Role::Spark).map_or_else(String::new, |times| format!("{}x", three_digits(times))),
            result.advantage_over(Role::Limit).map_or_else(String::new, |times| format!("{}x", three_digits(times))),
            result.target(),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 8] = std::array::from_fn(width);
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .enumerate()
            .map(|(column, (cell, width))| match column {
                0 | 1 | 7 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            })
            .collect();
        println!("{}", cells.join("  ").trim_end());
    }
    println!("\nMedians, scale {scale}. Above 1x, Firesteel is the better one. What is timed:");
    for result in results {
        println!("  {}: {}", result.measure.name, result.measure.timed);
    }
}

impl Comparison {
    fn number(&self, role: Role) -> Option<f64> {
        self.medians.get(&role).copied()
    }

    /// How many times as good as the other side Firesteel is.
    fn advantage_over(&self, other: Role) -> Option<f64> {
        let (ours, theirs) = (self.number(Role::Firesteel)?, self.number(other)?);
        Some(match self.measure.better {
            Better::Lower => theirs / ours,
            Better::Higher => ours / theirs,
        })
    }

    fn target(&self) -> String {
        let Some(target) = self.measure.target else { return String::new() };
        let reached = match target {
            Target::TimesSpark(times) => self.advantage_over(Role::Spark).map(|advantage| advantage >= times),
            Target::OfLimit(part) => self.advantage_over(Role::Limit).map(|advantage| advantage >= part),
            Target::Number(number) => self.number(Role::Firesteel).map(|ours| match self.measure.better {
                Better::Lower => ours <= number,
                Better::Higher => ours >= number,
            }),
        };
        match reached {
            Some(true) => format!("{target}: reached"),
            Some(false) => format!("{target}: missed"),
            None => target.to_string(),
        }
    }
}

/// With about three digits that mean something.
fn three_digits(number: f64) -> String {
    match number.abs() {
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        size if size >= 1.0 => format!("{number:.2}"),
        size if size >= 0.1 => format!("{number:.3}"),
        size if size >= 0.01 => format!("{number:.4}"),
        _ => format!("{number:.5}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::measures;

    fn result(name: &str, firesteel: f64, spark: Option<f64>) -> Comparison {
        let measure = measures::ALL.iter().find(|measure| measure.name == name).unwrap();
        let mut medians = BTreeMap::from([(Role::Firesteel, firesteel)]);
        medians.extend(spark.map(|spark| (Role::Spark, spark)));
        Comparison { measure, medians }
    }

    #[test]
    fn json_has_null_for_sides_that_are_missing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.json");
        write_json(&path, &[result("word-count", 2.0, Some(8.0)), result("no-op-tasks", 70_000.0, None)]).unwrap();
        let written: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let expected = serde_json::json!([
            {"name": "word-count", "unit": "s", "firesteel": 2.0, "spark": 8.0, "limit": null},
            {"name": "no-op-tasks", "unit": "tasks/s", "firesteel": 70_000.0, "spark": null, "limit": null},
        ]);
        assert_eq!(written, expected);
    }

    #[test]
    fn more_than_one_times_is_better_whatever_the_unit() {
        assert_eq!(result("word-count", 2.0, Some(8.0)).advantage_over(Role::Spark), Some(4.0));
        assert_eq!(result("no-op-tasks", 60_000.0, Some(2_000.0)).advantage_over(Role::Spark), Some(30.0));
        assert_eq!(result("word-count", 2.0, Some(8.0)).target(), "4x Spark: reached");
        assert_eq!(result("word-count", 2.0, Some(7.0)).target(), "4x Spark: missed");
        assert_eq!(result("word-count", 2.0, None).target(), "4x Spark");
    }

    #[test]
    fn a_line_has_the_sides_that_took_part() {
        assert_eq!(line(&result("word-count", 2.0, Some(8.5))), "word-count: done, firesteel 2.00, spark 8.50 (s)");
        assert_eq!(line(&result("no-op-tasks", 70_000.0, None)), "no-op-tasks: done, firesteel 70000 (tasks/s)");
    }

    #[test]
    fn numbers_are_short() {
        let shown: Vec<String> = [12_345.6, 123.4, 12.345, 1.2345, 0.12345, 0.012345].map(three_digits).into();
        assert_eq!(shown, ["12346", "123", "12.3", "1.23", "0.123", "0.0123"]);
    }
}
