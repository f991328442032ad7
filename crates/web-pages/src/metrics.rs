//! Gauges in Spark's two formats (SA-67): what `MetricsServlet` and `PrometheusServlet` answer.

use std::fmt::Write;

use serde_json::{Map, Value, json};

/// A value that is measured when it is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gauge {
    /// Its name, with dots.
    pub name: String,
    /// What it is.
    pub value: GaugeValue,
}

/// What a gauge shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GaugeValue {
    /// A number.
    Number(i64),
    /// A word, which Prometheus does not take.
    Text(String),
}

impl Gauge {
    /// A number.
    pub fn number(name: impl Into<String>, value: impl TryInto<i64>) -> Self {
        Self { name: name.into(), value: GaugeValue::Number(value.try_into().unwrap_or(i64::MAX)) }
    }

    /// A word.
    pub fn text(name: impl Into<String>, value: &str) -> Self {
        Self { name: name.into(), value: GaugeValue::Text(value.to_owned()) }
    }
}

/// As the library that Spark uses writes a registry.
pub fn metrics_json(mut gauges: Vec<Gauge>) -> Value {
    gauges.sort_by(|a, b| a.name.cmp(&b.name));
    let gauges: Map<String, Value> = gauges
        .into_iter()
        .map(|gauge| {
            let value = match gauge.value {
                GaugeValue::Number(number) => json!(number),
                GaugeValue::Text(text) => json!(text),
            };
            (gauge.name, json!({ "value": value }))
        })
        .collect();
    json!({
        "version": "4.0.0", "gauges": gauges, "counters": {}, "histograms": {}, "meters": {}, "timers": {},
    })
}

/// As Prometheus reads it, with Spark's names.
pub fn metrics_prometheus(gauges: &[Gauge]) -> String {
    let mut text = String::new();
    for gauge in gauges {
        let GaugeValue::Number(value) = gauge.value else { continue };
        let name = gauge.name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        for kind in ["Number", "Value"] {
            // A string takes everything.
            let _ = writeln!(text, "metrics_{name}_{kind}{{type=\"gauges\"}} {value}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_are_written_as_spark_writes_them() {
        let gauges = vec![
            Gauge::number("master.workers", 3),
            Gauge::number("application.a b\n{} 1.cores", 2),
            Gauge::text("application.x.status", "RUNNING"),
        ];
        let prometheus = metrics_prometheus(&gauges);
        assert_eq!(
            prometheus,
            "metrics_master_workers_Number{type=\"gauges\"} 3\nmetrics_master_workers_Value{type=\"gauges\"} 3\n\
             metrics_application_a_b____1_cores_Number{type=\"gauges\"} 2\n\
             metrics_application_a_b____1_cores_Value{type=\"gauges\"} 2\n"
        );
        let json = metrics_json(gauges);
        assert_eq!(json["gauges"]["application.x.status"]["value"], "RUNNING");
        assert_eq!(json["gauges"]["master.workers"]["value"], 3);
    }
}
