//! Tables for people: columns by the widest cell, text to the left, numbers to the right.

use std::fmt::Write;

/// Rows of cells, the first being the head; a column whose head ends in `>` stands to the right.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let head = rows.first().map_or(&[][..], Vec::as_slice);
    let is_right: Vec<bool> = head.iter().map(|cell| cell.ends_with('>')).collect();
    let bare = |row: usize, cell: &str| if row == 0 { cell.trim_end_matches('>').to_owned() } else { cell.to_owned() };
    let width = |column: usize| {
        let cells = rows.iter().enumerate().filter_map(|(row, cells)| Some(bare(row, cells.get(column)?)));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for (row, cells) in rows.iter().enumerate() {
        let mut line = String::from(" ");
        for ((cell, width), is_right) in cells.iter().zip(&widths).zip(&is_right) {
            let cell = bare(row, cell);
            let written = if *is_right { write!(line, " {cell:>width$} ") } else { write!(line, " {cell:<width$} ") };
            debug_assert!(written.is_ok(), "a String takes everything");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 3]| cells.map(ToOwned::to_owned).to_vec();
        let text = table(&[row(["member", "share>", ""]), row(["fra", "51.2 %", "x"]), row(["überlang", "1.0 %", ""])]);
        assert_eq!(text, "  member     share\n  fra       51.2 %  x\n  überlang   1.0 %\n");
    }
}
