//! Aligned columns, cut to the width of the terminal.

use super::output::{Colour, Style};

/// A column is not cut below this, whatever the terminal's width.
const WIDTH_MIN: usize = 6;
/// Blanks between columns.
const GAP: usize = 2;

/// One cell.
pub(super) struct Cell {
    text: String,
    colour: Option<Colour>,
}

impl Cell {
    pub(super) fn coloured(text: impl Into<String>, colour: Option<Colour>) -> Cell {
        Cell {
            text: text.into(),
            colour,
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell::coloured(text, None)
    }
}

/// Rows under a heading.
pub(super) struct Table<const COLUMNS: usize> {
    heading: [&'static str; COLUMNS],
    rows: Vec<[Cell; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(super) fn new(heading: [&'static str; COLUMNS]) -> Self {
        Table {
            heading,
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, cells: [Cell; COLUMNS]) {
        self.rows.push(cells);
    }

    /// The table as lines; each starts with `indent` blanks.
    pub(super) fn write(&self, indent: usize, style: Style) -> String {
        let widths = self.widths(indent, style.width);
        let heading = self.heading.map(Cell::from);
        let mut text = String::new();
        for row in std::iter::once(&heading).chain(&self.rows) {
            let mut line = " ".repeat(indent);
            for (cell, width) in row.iter().zip(widths) {
                let shown = cut(&cell.text, width);
                let rest = width.saturating_sub(length(&shown)).saturating_add(GAP);
                line.push_str(&style.paint(&shown, cell.colour));
                line.push_str(&" ".repeat(rest));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// As wide as the widest cell; where that is too much in all, the widest column gives.
    fn widths(&self, indent: usize, limit: Option<usize>) -> [usize; COLUMNS] {
        let mut widths = self.heading.map(length);
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = length(&cell.text).max(*width);
            }
        }
        let Some(limit) = limit else { return widths };
        let gaps = GAP
            .saturating_mul(COLUMNS.saturating_sub(1))
            .saturating_add(indent);
        loop {
            let total = widths
                .iter()
                .fold(gaps, |sum, width| sum.saturating_add(*width));
            match widths.iter_mut().max() {
                Some(widest) if total > limit && *widest > WIDTH_MIN => {
                    let excess = total.saturating_sub(limit);
                    // Towards the limit in steps, so that two wide columns share the loss.
                    let step = excess.div_ceil(4).max(1);
                    *widest = widest.saturating_sub(step).max(WIDTH_MIN);
                }
                _ => return widths,
            }
        }
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn cut(text: &str, width: usize) -> String {
    match length(text) > width {
        true => text
            .chars()
            .take(width.saturating_sub(1))
            .chain(['…'])
            .collect(),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table<3> {
        let mut table = Table::new(["NAME", "STATE", "WHY"]);
        table.row([
            "plug".into(),
            Cell::coloured("blocked", Some(Colour::Red)),
            "by hand".into(),
        ]);
        table.row(["a-much-longer-name-indeed".into(), "new".into(), "-".into()]);
        table
    }

    #[test]
    fn columns_are_aligned() {
        let style = Style {
            colour: false,
            width: None,
        };
        assert_eq!(
            table().write(2, style),
            "  NAME                       STATE    WHY\n\
             \x20 plug                       blocked  by hand\n\
             \x20 a-much-longer-name-indeed  new      -\n"
        );
    }

    #[test]
    fn colour_does_not_count_as_width() {
        let plain = table().write(
            0,
            Style {
                colour: false,
                width: None,
            },
        );
        let coloured = table().write(
            0,
            Style {
                colour: true,
                width: None,
            },
        );
        assert!(
            coloured.contains("\x1b[31mblocked\x1b[0m  by hand"),
            "{coloured:?}"
        );
        assert_eq!(
            coloured.replace("\x1b[31m", "").replace("\x1b[0m", ""),
            plain
        );
    }

    #[test]
    fn a_narrow_terminal_cuts_the_widest_column() {
        let text = table().write(
            0,
            Style {
                colour: false,
                width: Some(30),
            },
        );
        assert!(text.lines().all(|line| length(line) <= 30), "{text}");
        assert!(text.contains("a-much-long…"), "{text}");
        assert!(text.contains("by hand"), "{text}");
        // Too narrow for anything: shown all the same, and no endless loop.
        let text = table().write(
            0,
            Style {
                colour: false,
                width: Some(1),
            },
        );
        assert!(text.contains("a-muc…"), "{text}");
    }
}
