//! Tables for people: columns as wide as they need to be, within the width of a terminal.
//!
//! A table that does not fit is laid out more narrowly: columns of free text are broken into lines first; where that is not
//! enough, each row becomes a block of lines, a title and a value on each.

use textwrap::core::display_width;

use crate::text::wrap::{least_width, pad, pad_left, wrap};

/// Spaces between columns.
const GAP: usize = 2;
/// The least width of a column of text whose words can be broken.
const LEAST: usize = 10;

/// The kind of text in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Words that stay on one line: times, ids.
    Fixed,
    /// Numbers, which end below each other.
    Number,
    /// Text that may be broken into lines.
    Text,
}

/// Rows under titles.
pub struct Table {
    columns: Vec<Column>,
    /// The titles of the columns; `None` for none.
    titles: Option<Vec<String>>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Begins a table with titles over its columns.
    pub fn new<const N: usize>(columns: [(&str, Column); N]) -> Self {
        let titles = columns.iter().map(|(title, _)| (*title).to_owned()).collect();
        let columns = columns.iter().map(|(_, column)| *column).collect();
        Self { columns, titles: Some(titles), rows: Vec::new() }
    }

    /// Begins a table without titles: the first column says what the others are.
    pub fn untitled<const N: usize>(columns: [Column; N]) -> Self {
        Self { columns: columns.to_vec(), titles: None, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Lays the table out within a width; `None` has no end.
    pub fn lines(&self, width: Option<usize>) -> Vec<String> {
        let natural = self.natural_widths();
        let widths = match width {
            None => Some(natural),
            Some(width) => self.within(natural, width),
        };
        match (widths, width) {
            (Some(widths), _) => self.as_columns(&widths),
            (None, width) => self.as_blocks(width.unwrap_or(usize::MAX)),
        }
    }

    fn natural_widths(&self) -> Vec<usize> {
        let lines = self.titles.iter().chain(&self.rows);
        let mut widths = vec![0; self.columns.len()];
        for line in lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = display_width(cell).max(*width);
            }
        }
        widths
    }

    /// Makes columns of text narrower, the widest first, until all fit; `None` when they can't. An empty
    /// column is left out.
    fn within(&self, mut widths: Vec<usize>, screen: usize) -> Option<Vec<usize>> {
        let is_empty = |column: usize| self.rows.iter().all(|row| row[column].is_empty());
        for (column, width) in widths.iter_mut().enumerate() {
            if is_empty(column) {
                *width = 0;
            }
        }
        let least: Vec<usize> = self
            .columns
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (kind, width))| match kind {
                Column::Text => self.least(column).min(*width),
                Column::Fixed | Column::Number => *width,
            })
            .collect();
        loop {
            let shown = widths.iter().filter(|width| **width > 0).count();
            let needed = widths.iter().sum::<usize>() + GAP * shown.saturating_sub(1);
            if needed <= screen {
                return Some(widths);
            }
            let wider = (0..widths.len()).filter(|column| widths[*column] > least[*column]);
            let widest = wider.max_by_key(|column| widths[*column])?;
            widths[widest] -= 1;
        }
    }

    fn least(&self, column: usize) -> usize {
        let cells = self.titles.iter().chain(&self.rows).filter_map(|line| line.get(column));
        cells.map(|cell| least_width(cell, LEAST)).max().unwrap_or(0).max(LEAST)
    }

    fn as_columns(&self, widths: &[usize]) -> Vec<String> {
        let lines = self.titles.iter().chain(&self.rows);
        lines.flat_map(|cells| self.row_lines(cells, widths)).collect()
    }

    fn row_lines(&self, cells: &[String], widths: &[usize]) -> Vec<String> {
        let wrapped: Vec<Vec<String>> =
            cells.iter().zip(widths).map(|(cell, width)| wrap(cell, *width, 0)).collect();
        let height = wrapped.iter().map(Vec::len).max().unwrap_or(1);
        let line = |at: usize| {
            let mut line = String::new();
            for ((cell, width), column) in wrapped.iter().zip(widths).zip(&self.columns) {
                if *width == 0 {
                    continue;
                }
                let part = cell.get(at).map_or("", String::as_str);
                line.push_str(&match column {
                    Column::Number => pad_left(part, *width),
                    Column::Fixed | Column::Text => pad(part, *width),
                });
                line.push_str(&" ".repeat(GAP));
            }
            line.truncate(line.trim_end().len());
            line
        };
        (0..height).map(line).collect()
    }

    /// Lays out each row as lines of a title and a value, with an empty line between rows.
    fn as_blocks(&self, screen: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for (number, row) in self.rows.iter().enumerate() {
            match &self.titles {
                Some(titles) => {
                    if number > 0 {
                        lines.push(String::new());
                    }
                    let widest = titles.iter().map(|title| display_width(title)).max();
                    let indent = widest.unwrap_or(0) + GAP;
                    for (title, cell) in titles.iter().zip(row).filter(|(_, cell)| !cell.is_empty())
                    {
                        let line = format!("{}{cell}", pad(title, indent));
                        lines.extend(wrap(&line, screen, indent));
                    }
                }
                None => {
                    let line = row.join("  ");
                    lines.extend(wrap(&line, screen, GAP));
                }
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let columns = [("time", Column::Fixed), ("size", Column::Number), ("path", Column::Text)];
        let mut table = Table::new(columns);
        table.row(vec!["2026-01-15".into(), "1 B".into(), "/home/me/年度报告.odt".into()]);
        table.row(vec!["2026-01-16".into(), "12 KiB".into(), "/a".into()]);
        table
    }

    #[test]
    fn columns_are_as_wide_as_they_need_to_be() {
        let expected = [
            "time          size  path",
            "2026-01-15     1 B  /home/me/年度报告.odt",
            "2026-01-16  12 KiB  /a",
        ];
        assert_eq!(table().lines(None), expected);
        assert_eq!(table().lines(Some(80)), expected);
    }

    #[test]
    fn text_is_broken_into_lines_where_the_terminal_is_narrow() {
        let expected = [
            "time          size  path",
            "2026-01-15     1 B  /home/me/",
            "                    年度报告.odt",
            "2026-01-16  12 KiB  /a",
        ];
        assert_eq!(table().lines(Some(33)), expected);
    }

    #[test]
    fn rows_are_blocks_where_no_columns_fit() {
        let expected = [
            "time  2026-01-15",
            "size  1 B",
            "path  /home/me/",
            "      年度报告.odt",
            "",
            "time  2026-01-16",
            "size  12 KiB",
            "path  /a",
        ];
        assert_eq!(table().lines(Some(20)), expected);
    }
}
