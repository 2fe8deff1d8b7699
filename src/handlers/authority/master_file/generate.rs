//! `$GENERATE`: a range of numbers, and what `$` and `${offset,width,base}` become.

use super::super::finding::Fault;
use super::lexer::Word;
use super::read::{bad, number, shown};

/// The numbers of a directive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Range {
    next: u64,
    last: u64,
    step: u64,
}

impl Range {
    /// Reads `start-stop[/step]`.
    pub(super) fn parse(word: Word<'_>) -> Result<Self, Fault> {
        Self::of(word.bytes).ok_or_else(|| bad("a range start-stop[/step]", word))
    }

    fn of(text: &[u8]) -> Option<Self> {
        let dash = text.iter().position(|&byte| byte == b'-')?;
        let (start, rest) = text.split_at_checked(dash)?;
        let rest = rest.get(1..)?;
        let (stop, step) = match rest.iter().position(|&byte| byte == b'/') {
            Some(slash) => (rest.get(..slash)?, number(rest.get(slash + 1..)?)?),
            None => (rest, 1),
        };
        let (next, last) = (number(start)?, number(stop)?);
        (next <= last && i32::try_from(last).is_ok() && step > 0).then_some(Self { next, last, step })
    }

    /// How many numbers there are.
    pub(super) const fn size(&self) -> u64 {
        (self.last - self.next) / self.step + 1
    }
}

impl Iterator for Range {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let number = self.next;
        self.next = self.next.saturating_add(self.step);
        (number <= self.last).then_some(number)
    }
}

/// Appends `word` with its `$` replaced by `number`.
pub(super) fn expand(word: Word<'_>, number: u64, out: &mut Vec<u8>) -> Result<(), Fault> {
    if word.is_quoted {
        out.push(b'"');
    }
    let mut rest = word.bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, rest.first()) {
            (b'\\' | b'$', Some(b'$')) => {
                out.push(b'$');
                rest = rest.get(1..).unwrap_or_default();
            }
            (b'\\', Some(&next)) => {
                out.extend_from_slice(&[b'\\', next]);
                rest = rest.get(1..).unwrap_or_default();
            }
            (b'$', Some(b'{')) => {
                let close = rest.iter().position(|&byte| byte == b'}');
                let inside = close.and_then(|close| rest.get(1..close));
                let modified = inside.and_then(|inside| modify(inside, number));
                out.extend_from_slice(modified.ok_or_else(|| bad("${offset,width,base}", word))?.as_bytes());
                rest = close.and_then(|close| rest.get(close + 1..)).unwrap_or_default();
            }
            (b'$', _) => out.extend_from_slice(number.to_string().as_bytes()),
            (plain, _) => out.push(plain),
        }
        if out.len() > usize::from(u16::MAX) {
            return Err(Fault::Trailing(shown(word.bytes)));
        }
    }
    if word.is_quoted {
        out.push(b'"');
    }
    Ok(())
}

fn modify(inside: &[u8], number: u64) -> Option<String> {
    let mut parts = std::str::from_utf8(inside).ok()?.split(',').map(str::trim);
    let offset: i64 = parts.next()?.parse().ok()?;
    let width: usize = parts.next().map_or(Some(0), |text| text.parse().ok())?;
    let base = parts.next().unwrap_or("d");
    if parts.next().is_some() || width > 255 {
        return None;
    }
    let value = u64::try_from(i64::try_from(number).ok()?.checked_add(offset)?).ok()?;
    Some(match base {
        "d" => format!("{value:0width$}"),
        "o" => format!("{value:0width$o}"),
        "x" => format!("{value:0width$x}"),
        "X" => format!("{value:0width$X}"),
        "n" => nibbles(value, width),
        "N" => nibbles(value, width).to_uppercase(),
        _ => return None,
    })
}

/// The hexadecimal digits from the last to the first with dots between, at least `width` octets long.
fn nibbles(mut value: u64, width: usize) -> String {
    let mut text = String::new();
    loop {
        text.push(char::from_digit((value & 0xF) as u32, 16).unwrap_or('0'));
        value >>= 4;
        if value == 0 && text.len() >= width {
            return text;
        }
        text.push('.');
    }
}

#[cfg(test)]
mod tests {
    use super::super::lexer::Spot;
    use super::*;

    fn expanded(text: &str, number: u64) -> String {
        let mut out = Vec::new();
        expand(Word { bytes: text.as_bytes(), is_quoted: false, at: Spot::default() }, number, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_dollar_becomes_the_number() {
        assert_eq!(expanded("host-$.a$$b\\$", 7), "host-7.a$b$");
        assert_eq!(expanded("${10,4,d}-${0,2,x}-${-1}", 15), "0025-0f-14");
        assert_eq!(expanded("${0,7,n}", 0x12), "2.1.0.0");
    }

    #[test]
    fn a_range_counts_in_steps() {
        let range = Range::of(b"1-10/4").unwrap();
        assert_eq!((range.size(), range.collect::<Vec<_>>()), (3, vec![1, 5, 9]));
        assert_eq!(Range::of(b"5-4"), None);
        assert_eq!(Range::of(b"1-4/0"), None);
    }
}
