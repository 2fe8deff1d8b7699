//! Octets into words: blanks, comments, quotes and parentheses end here (RFC 1035 §5.1).
//!
//! A word is a slice of the file with its escapes as they stand; nothing is copied. The lexer knows where
//! each word stands and whether the logical line has ended.

use super::super::finding::Fault;

/// A word of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Word<'t> {
    /// Its octets: escapes unresolved, quotes around it removed.
    pub(super) bytes: &'t [u8],
    /// Whether it stood in quotes.
    pub(super) is_quoted: bool,
    /// Where it begins.
    pub(super) at: Spot,
}

/// A line and a column, both from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Spot {
    pub(super) line: u32,
    pub(super) column: u32,
}

impl From<Spot> for (u32, u32) {
    fn from(spot: Spot) -> Self {
        (spot.line, spot.column)
    }
}

#[derive(Debug)]
pub(super) struct Lexer<'t> {
    text: &'t [u8],
    at: usize,
    line: u32,
    line_start: usize,
    depth: u32,
    opened: Spot,
    unread: Option<Word<'t>>,
    /// Whether the logical line's end has been read.
    line_ended: bool,
    /// Where the last word, or the end of the line, stood.
    last: Spot,
}

/// Octets that end a word.
#[expect(
    clippy::indexing_slicing,
    reason = "the table is made by the compiler, which would refuse an index out of bounds"
)]
const ENDS_WORD: [bool; 256] = {
    let mut table = [false; 256];
    let enders = b" \t\r\n;()\"";
    let mut at = 0;
    while at < enders.len() {
        table[enders[at] as usize] = true;
        at += 1;
    }
    table
};

impl<'t> Lexer<'t> {
    /// Reads `text`, whose first line has the number `line`.
    pub(super) fn new(text: &'t [u8], line: u32) -> Self {
        Self {
            text,
            at: 0,
            line,
            line_start: 0,
            depth: 0,
            opened: Spot::default(),
            unread: None,
            line_ended: true,
            last: Spot { line, column: 1 },
        }
    }

    /// Where the last word, or the end of the line, stood.
    pub(super) const fn last(&self) -> Spot {
        self.last
    }

    /// Begins the next logical line: whether it starts with a blank, so that the owner is that of the record
    /// before; none at the end of the text.
    pub(super) fn begin_line(&mut self) -> Option<bool> {
        let first = *self.text.get(self.at)?;
        self.line_ended = false;
        Some(first == b' ' || first == b'\t')
    }

    /// The next word of the logical line; none at its end.
    pub(super) fn word(&mut self) -> Result<Option<Word<'t>>, Fault> {
        if let Some(word) = self.unread.take() {
            self.last = word.at;
            return Ok(Some(word));
        }
        if self.line_ended {
            return Ok(None);
        }
        loop {
            let Some(&byte) = self.text.get(self.at) else { return self.end_of_text() };
            match byte {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\n' => {
                    self.last = self.spot(self.at);
                    self.at += 1;
                    self.line += 1;
                    self.line_start = self.at;
                    if self.depth == 0 {
                        self.line_ended = true;
                        return Ok(None);
                    }
                }
                b';' => {
                    let rest = self.text.get(self.at..).unwrap_or_default();
                    self.at += rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
                }
                b'(' => {
                    if self.depth == 0 {
                        self.opened = self.spot(self.at);
                    }
                    self.depth = self.depth.saturating_add(1);
                    self.at += 1;
                }
                b')' => {
                    self.last = self.spot(self.at);
                    self.at += 1;
                    self.depth = self.depth.checked_sub(1).ok_or(Fault::ParenthesisUnopened)?;
                }
                b'"' => {
                    let at = self.spot(self.at);
                    self.last = at;
                    let start = self.at + 1;
                    self.at = start;
                    self.close_quote()?;
                    let bytes = self.text.get(start..self.at - 1).unwrap_or_default();
                    return Ok(Some(Word { bytes, is_quoted: true, at }));
                }
                _ => return self.plain().map(Some),
            }
        }
    }

    /// Gives a word back, to be read again.
    pub(super) fn unread(&mut self, word: Word<'t>) {
        self.unread = Some(word);
    }

    /// Reads on to the end of the logical line, whatever stands there.
    pub(super) fn skip_line(&mut self) {
        self.unread = None;
        while !self.line_ended {
            // Each call consumes something, a fault too; the line has been found faulty already.
            if let Ok(None) = self.word() {
                break;
            }
        }
    }

    fn plain(&mut self) -> Result<Word<'t>, Fault> {
        let start = self.at;
        let at = self.spot(start);
        self.last = at;
        while let Some(&byte) = self.text.get(self.at) {
            if byte == b'\\' {
                // The next octet is taken as it is, save a line's end.
                self.at += if self.text.get(self.at + 1).is_some_and(|&next| next != b'\n') { 2 } else { 1 };
            } else if byte == b'"' && self.at > start && self.text.get(self.at - 1) == Some(&b'=') {
                // key="value" of SVCB is one word (RFC 9460 §2.1).
                self.at += 1;
                self.close_quote()?;
            } else if ENDS_WORD.get(usize::from(byte)).copied().unwrap_or(false) {
                break;
            } else {
                self.at += 1;
            }
        }
        Ok(Word { bytes: self.text.get(start..self.at).unwrap_or_default(), is_quoted: false, at })
    }

    /// Moves behind the quote that closes the text begun before.
    fn close_quote(&mut self) -> Result<(), Fault> {
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\n' => break,
                b'\\' if self.text.get(self.at + 1).is_some_and(|&next| next != b'\n') => self.at += 2,
                _ => self.at += 1,
            }
        }
        Err(Fault::QuoteUnclosed)
    }

    fn end_of_text(&mut self) -> Result<Option<Word<'t>>, Fault> {
        self.line_ended = true;
        self.last = self.spot(self.at);
        if self.depth == 0 {
            return Ok(None);
        }
        self.depth = 0;
        self.last = self.opened;
        Err(Fault::ParenthesisUnclosed)
    }

    const fn spot(&self, at: usize) -> Spot {
        Spot { line: self.line, column: (at - self.line_start) as u32 + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut lexer = Lexer::new(text.as_bytes(), 1);
        let mut found = Vec::new();
        while lexer.begin_line().is_some() {
            while let Some(word) = lexer.word().unwrap() {
                found.push(String::from_utf8_lossy(word.bytes).into_owned());
            }
            found.push("/".into());
        }
        found
    }

    #[test]
    fn parentheses_join_lines() {
        assert_eq!(words("a ( b ; c\n d )e\nf"), ["a", "b", "d", "e", "/", "f", "/"]);
    }

    #[test]
    fn quotes_and_escapes_keep_blanks_and_semicolons() {
        assert_eq!(words("a \"b ; c\\\" d\" e\\ f\\;"), ["a", "b ; c\\\" d", "e\\ f\\;", "/"]);
    }

    #[test]
    fn a_word_knows_its_line_and_column() {
        let mut lexer = Lexer::new(b"a (\n  bc", 7);
        lexer.begin_line();
        lexer.word().unwrap();
        assert_eq!(lexer.word().unwrap().unwrap().at, Spot { line: 8, column: 3 });
        assert_eq!(lexer.word(), Err(Fault::ParenthesisUnclosed));
        assert_eq!(lexer.last(), Spot { line: 7, column: 3 });
    }
}
