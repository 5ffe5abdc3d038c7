//! What was found, as tables for a terminal and for the documentation.

use std::collections::BTreeMap;

use mqttguard_bench::{aligned, median, ratio, thousands};

use crate::contender::Kind;

/// How a row's numbers are written, and whether more is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A second. More is better.
    Rate,
    /// Out of how many. More is better.
    Count,
    /// A part of what it is without something. More is better.
    Part,
    Micros,
    Millis,
    /// Bytes, written in kB.
    Kilo,
    /// Bytes, written in MB.
    Mega,
}

impl Unit {
    fn more_is_better(self) -> bool {
        matches!(self, Unit::Rate | Unit::Count | Unit::Part)
    }

    fn write(self, value: f64) -> String {
        match self {
            Unit::Rate | Unit::Count => thousands(value),
            Unit::Part => format!("{:.0}%", value * 100.0),
            Unit::Micros if value < 10.0 => format!("{value:.2} µs"),
            Unit::Micros => format!("{value:.0} µs"),
            Unit::Millis => format!("{value:.1} ms"),
            Unit::Kilo => format!("{:.1} kB", value / 1e3),
            Unit::Mega => format!("{:.1} MB", value / 1e6),
        }
    }
}

/// One thing that is measured.
#[derive(Debug)]
struct Row {
    name: String,
    unit: Unit,
    values: BTreeMap<Kind, Vec<f64>>,
}

/// All that was measured, in the order of the first measurements.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    pub(crate) fn record(&mut self, kind: Kind, name: &str, unit: Unit, value: f64) {
        let found = self.rows.iter().position(|row| row.name == name);
        let index = found.unwrap_or_else(|| {
            self.rows.push(Row {
                name: name.to_owned(),
                unit,
                values: BTreeMap::new(),
            });
            self.rows.len() - 1
        });
        if let Some(row) = self.rows.get_mut(index) {
            row.values.entry(kind).or_default().push(value);
        }
    }

    /// The table as Markdown, which a terminal shows well enough: medians, and how many times
    /// better than each of the others mqttguard is.
    pub(crate) fn table(&self, kinds: &[Kind]) -> String {
        let mut table = vec![vec![String::new()]];
        let rivals = || kinds.iter().filter(|kind| **kind != Kind::Mqttguard);
        if let Some(head) = table.first_mut() {
            head.extend(kinds.iter().map(|kind| kind.name().to_owned()));
            head.extend(rivals().map(|kind| format!("vs {}", kind.name())));
        }
        for row in &self.rows {
            let value = |kind: &Kind| row.values.get(kind).and_then(|values| median(values));
            let mut line = vec![row.name.clone()];
            line.extend(
                kinds.iter().map(|kind| {
                    value(kind).map_or_else(|| "–".into(), |value| row.unit.write(value))
                }),
            );
            let ours = value(&Kind::Mqttguard);
            line.extend(rivals().map(|kind| match (ours, value(kind)) {
                (Some(ours), Some(theirs)) => better(row.unit, ours, theirs),
                _ => "–".into(),
            }));
            table.push(line);
        }
        aligned(&table)
    }
}

/// How many times better ours is.
fn better(unit: Unit, ours: f64, theirs: f64) -> String {
    let (more, less) = if unit.more_is_better() {
        (ours, theirs)
    } else {
        (theirs, ours)
    };
    ratio(more / less)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_is_more_or_less() {
        assert_eq!(better(Unit::Rate, 30.0, 10.0), "3.0x");
        assert_eq!(better(Unit::Micros, 30.0, 10.0), "0.33x");
    }

    #[test]
    fn a_broker_that_failed_leaves_a_dash() {
        let mut report = Report::default();
        report.record(Kind::Mqttguard, "fan-in", Unit::Rate, 1000.0);
        let table = report.table(&[Kind::Mosquitto, Kind::Mqttguard]);
        let last = table.lines().last().unwrap();
        assert_eq!(last, "| fan-in |         – |     1,000 |            – |");
    }
}
