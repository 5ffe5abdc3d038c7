//! What was found, as tables for a terminal and for the documentation.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

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

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
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
                (Some(ours), Some(theirs)) => ratio(row.unit, ours, theirs),
                _ => "–".into(),
            }));
            table.push(line);
        }
        aligned(&table)
    }
}

/// How many times better ours is.
fn ratio(unit: Unit, ours: f64, theirs: f64) -> String {
    let (more, less) = if unit.more_is_better() {
        (ours, theirs)
    } else {
        (theirs, ours)
    };
    let ratio = more / less;
    match ratio {
        _ if !ratio.is_finite() || ratio < 0.0 => "–".into(),
        10.0.. => format!("{ratio:.0}x"),
        1.0.. => format!("{ratio:.1}x"),
        _ => format!("{ratio:.2}x"),
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle).copied()?;
    if sorted.len().is_multiple_of(2) {
        let lower = sorted.get(middle.checked_sub(1)?).copied()?;
        return Some(f64::midpoint(lower, upper));
    }
    Some(upper)
}

fn aligned(table: &[Vec<String>]) -> String {
    let columns = table.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = table.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (index, line) in table.iter().enumerate() {
        for (column, (cell, &width)) in line.iter().zip(&widths).enumerate() {
            let _ = match column {
                0 => write!(text, "| {cell:<width$} "),
                _ => write!(text, "| {cell:>width$} "),
            };
        }
        text.push_str("|\n");
        if index == 0 {
            for (column, &width) in widths.iter().enumerate() {
                let dashes = "-".repeat(width + 1);
                let _ = match column {
                    0 => write!(text, "|{dashes}-"),
                    _ => write!(text, "|{dashes}:"),
                };
            }
            text.push_str("|\n");
        }
    }
    text
}

/// What the numbers were measured on, without saying whose it is.
pub(crate) fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split(": ").nth(1))
        .unwrap_or("unknown CPU");
    let cores = cpus.lines().filter(|l| l.starts_with("processor")).count();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory
        .split_whitespace()
        .nth(1)
        .and_then(|number| number.parse::<f64>().ok())
        .unwrap_or_default();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = release.trim().split('-').next().unwrap_or_default();
    let gigabytes = kib / 1024.0 / 1024.0;
    format!("{model}, {cores} cores, {gigabytes:.0} GB of memory, Linux {kernel}")
}

/// Load on the machine in the last minute, this program's included.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_ratios_and_numbers() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
        assert_eq!(ratio(Unit::Rate, 30.0, 10.0), "3.0x");
        assert_eq!(ratio(Unit::Micros, 30.0, 10.0), "0.33x");
        assert_eq!(thousands(1_234_567.8), "1,234,568");
        assert_eq!(thousands(999.0), "999");
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
