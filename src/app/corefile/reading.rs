//! A Corefile as it is written: lines of words, some with a block of further lines. Snippets and imports are put in their
//! places, and what the environment says.
//!
//! The rules are those of the format that CoreDNS took from Caddy: words end at blanks, `"` keeps blanks and knows no
//! escape but its own, `#` begins a comment wherever it stands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::base::bounds;

/// Blocks in blocks; more than any Corefile has, and little enough for the stack.
const DEPTH_MAX: usize = 16;

/// Where something stands.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Spot {
    /// The file, as it was named.
    pub file: Rc<str>,
    /// The line, from 1.
    pub line: usize,
}

/// A line: its words, and the lines of its block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Where its first word stands.
    pub spot: Spot,
    /// Its words, at least one.
    pub words: Vec<String>,
    /// Whether braces stand behind them.
    pub has_block: bool,
    /// What stands in the braces.
    pub block: Vec<Line>,
}

impl Line {
    /// The first word.
    pub fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The words behind the first.
    pub fn args(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }
}

/// Why a Corefile cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unreadable {
    /// Where.
    pub spot: Spot,
    /// Why.
    pub why: String,
}

/// What a Corefile reaches for beside itself.
pub trait Outside {
    /// The text of a file.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn text(&self, path: &Path) -> Result<String, String>;
    /// The files in `folder` whose names begin and end so, in order.
    fn matching(&self, folder: &Path, begin: &str, end: &str) -> Vec<PathBuf>;
    /// What the environment says of a name.
    fn variable(&self, name: &str) -> Option<String>;
}

/// Lines, and the imports that brought nothing.
pub type Read = (Vec<Line>, Vec<(Spot, String)>);

/// Reads the Corefile `path`.
///
/// # Errors
/// The first place where it is none.
pub fn read(path: &Path, outside: &dyn Outside) -> Result<Read, Unreadable> {
    let mut reader = Reader { outside, snippets: BTreeMap::new(), empty: Vec::new(), files: 0, imported: 0 };
    let lines = reader.file(path, None, 0)?;
    Ok((lines, reader.empty))
}

struct Token {
    text: String,
    is_quoted: bool,
    spot: Spot,
}

struct Reader<'o> {
    outside: &'o dyn Outside,
    snippets: BTreeMap<String, Vec<Line>>,
    empty: Vec<(Spot, String)>,
    files: usize,
    /// Lines that snippets have brought so far.
    imported: usize,
}

/// The lines, and those in their blocks.
fn count(lines: &[Line]) -> usize {
    lines.iter().map(|line| 1 + count(&line.block)).sum()
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, from: Option<&Spot>, depth: usize) -> Result<Vec<Line>, Unreadable> {
        let file: Rc<str> = path.display().to_string().into();
        let spot = from.cloned().unwrap_or(Spot { file: Rc::clone(&file), line: 0 });
        self.files += 1;
        if depth > DEPTH_MAX || self.files > bounds::INCLUDED_FILES_MAX {
            return Err(Unreadable { spot, why: "too many imports".into() });
        }
        let text = self.outside.text(path).map_err(|why| Unreadable { spot, why: format!("{file}: {why}") })?;
        let tokens = tokens(&text, &file, self.outside);
        // No configuration can hold them either.
        let is_odd = |letter: char| letter.is_control() && !matches!(letter, '\t' | '\n' | '\r');
        if let Some(odd) = tokens.iter().find(|token| token.text.contains(is_odd)) {
            return Err(Unreadable { spot: odd.spot.clone(), why: format!("a control character in {:?}", odd.text) });
        }
        let mut tokens = tokens.into_iter().peekable();
        let lines = lines_of(&mut tokens, 0, None)?;
        self.imported(lines, path, depth)
    }

    /// The same lines with what they import, and without snippets, which are kept.
    fn imported(&mut self, lines: Vec<Line>, path: &Path, depth: usize) -> Result<Vec<Line>, Unreadable> {
        let mut all = Vec::new();
        for mut line in lines {
            let name = line.name().to_owned();
            if let Some(snippet) = name.strip_prefix('(').and_then(|name| name.strip_suffix(')')) {
                let block = self.imported(std::mem::take(&mut line.block), path, depth)?;
                self.snippets.insert(snippet.to_owned(), block);
                continue;
            }
            if name == "import" && !line.has_block {
                all.extend(self.import(&line, path, depth)?);
                continue;
            }
            line.block = self.imported(std::mem::take(&mut line.block), path, depth)?;
            all.push(line);
        }
        Ok(all)
    }

    fn import(&mut self, line: &Line, path: &Path, depth: usize) -> Result<Vec<Line>, Unreadable> {
        let unreadable = |why: &str| Unreadable { spot: line.spot.clone(), why: why.to_owned() };
        let [what] = line.args() else { return Err(unreadable("an import of more or less than one thing")) };
        if let Some(snippet) = self.snippets.get(what) {
            // Snippets of snippets double with every line.
            self.imported += count(snippet).max(1);
            if self.imported > bounds::COREFILE_LINES_MAX {
                return Err(unreadable("too many lines by imports"));
            }
            return Ok(snippet.clone());
        }
        let wanted = path.parent().unwrap_or(Path::new("")).join(what);
        let (folder, name) = (wanted.parent().unwrap_or(Path::new("")), wanted.file_name());
        let name = name.and_then(|name| name.to_str()).unwrap_or_default();
        let files = match name.split_once('*') {
            Some((begin, end)) if !end.contains('*') => self.outside.matching(folder, begin, end),
            Some(_) => return Err(unreadable("an import with more than one `*`")),
            None => vec![wanted.clone()],
        };
        if files.is_empty() {
            self.empty.push((line.spot.clone(), what.clone()));
        }
        let mut lines = Vec::new();
        for file in files {
            lines.extend(self.file(&file, Some(&line.spot), depth + 1)?);
        }
        Ok(lines)
    }
}

/// The lines up to the brace that closes their block.
fn lines_of(
    tokens: &mut std::iter::Peekable<std::vec::IntoIter<Token>>,
    depth: usize,
    opened: Option<&Spot>,
) -> Result<Vec<Line>, Unreadable> {
    let unreadable = |spot: &Spot, why: &str| Unreadable { spot: spot.clone(), why: why.to_owned() };
    let mut lines: Vec<Line> = Vec::new();
    // Addresses of a server go on behind a comma at the end of a line.
    let mut goes_on = false;
    while let Some(token) = tokens.next() {
        let is_brace = |brace: &str| !token.is_quoted && token.text == brace;
        if is_brace("}") {
            return match opened {
                Some(_) => Ok(lines),
                None => Err(unreadable(&token.spot, "a `}` without its `{`")),
            };
        }
        if is_brace("{") {
            if depth >= DEPTH_MAX {
                return Err(unreadable(&token.spot, "too many blocks in blocks"));
            }
            let block = lines_of(tokens, depth + 1, Some(&token.spot))?;
            match lines.last_mut() {
                Some(line) => (line.has_block, line.block) = (true, block),
                None => return Err(unreadable(&token.spot, "a block without a name")),
            }
            goes_on = false;
            continue;
        }
        let is_same_line = lines.last().is_some_and(|line| line.spot == token.spot && !line.has_block);
        let text = token.text.trim_end_matches(|letter| depth == 0 && letter == ',').to_owned();
        let is_ended = depth == 0 && text.len() < token.text.len();
        match lines.last_mut().filter(|_| is_same_line || goes_on) {
            Some(line) if text.is_empty() && !token.is_quoted => line.spot = token.spot,
            Some(line) => {
                line.spot = if goes_on { token.spot } else { line.spot.clone() };
                line.words.push(text);
            }
            None => lines.push(Line { spot: token.spot, words: vec![text], has_block: false, block: Vec::new() }),
        }
        goes_on = is_ended;
    }
    match opened {
        None => Ok(lines),
        Some(spot) => Err(unreadable(spot, "a `{` without its `}`")),
    }
}

fn tokens(text: &str, file: &Rc<str>, outside: &dyn Outside) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let (mut line, mut letters) = (1, text.strip_prefix('\u{FEFF}').unwrap_or(text).chars().peekable());
    while let Some(letter) = letters.next() {
        match letter {
            '\n' => line += 1,
            letter if letter.is_whitespace() => {}
            '#' => while letters.next_if(|letter| *letter != '\n').is_some() {},
            '"' => {
                let (spot, mut word) = (Spot { file: Rc::clone(file), line }, String::new());
                while let Some(letter) = letters.next() {
                    match letter {
                        '"' => break,
                        '\\' if letters.next_if_eq(&'"').is_some() => word.push('"'),
                        letter => {
                            line += usize::from(letter == '\n');
                            word.push(letter);
                        }
                    }
                }
                tokens.push(Token { text: expanded(&word, outside), is_quoted: true, spot });
            }
            first => {
                let mut word = String::from(first);
                while let Some(letter) = letters.next_if(|letter| !letter.is_whitespace() && *letter != '#') {
                    word.push(letter);
                }
                let spot = Spot { file: Rc::clone(file), line };
                tokens.push(Token { text: expanded(&word, outside), is_quoted: false, spot });
            }
        }
    }
    tokens
}

/// The word with what the environment says in the place of `{$NAME}` and `{%NAME%}`.
fn expanded(word: &str, outside: &dyn Outside) -> String {
    let mut out = word.to_owned();
    for (begin, end) in [("{$", "}"), ("{%", "%}")] {
        let mut rest = std::mem::take(&mut out);
        while let Some((before, behind)) = rest.split_once(begin) {
            let Some((name, behind)) = behind.split_once(end) else { break };
            out.push_str(before);
            out.push_str(&outside.variable(name).unwrap_or_default());
            rest = behind.to_owned();
        }
        out.push_str(&rest);
    }
    out
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Files and an environment that are made up.
    pub(in crate::app::corefile) struct Made<'m>(pub(in crate::app::corefile) &'m [(&'m str, &'m str)]);

    impl Outside for Made<'_> {
        fn text(&self, path: &Path) -> Result<String, String> {
            let found = self.0.iter().find(|(name, _)| Path::new(name) == path);
            found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| "no such file".to_owned())
        }

        fn matching(&self, folder: &Path, begin: &str, end: &str) -> Vec<PathBuf> {
            let is_in = |path: &Path| {
                let name = path.file_name().unwrap().to_str().unwrap();
                path.parent() == Some(folder) && name.starts_with(begin) && name.ends_with(end)
            };
            self.0.iter().map(|(name, _)| PathBuf::from(name)).filter(|path| is_in(path)).collect()
        }

        fn variable(&self, name: &str) -> Option<String> {
            (name == "ZONE").then(|| "cluster.local".to_owned())
        }
    }

    fn shown(lines: &[Line]) -> String {
        let shown = lines.iter().map(|line| {
            let block = if line.block.is_empty() { String::new() } else { format!(" {{{}}}", shown(&line.block)) };
            format!("{}:{}{block}", line.spot.line, line.words.join("|"))
        });
        shown.collect::<Vec<_>>().join("; ")
    }

    fn read_one(text: &str) -> Result<String, String> {
        let read = read(Path::new("/c/Corefile"), &Made(&[("/c/Corefile", text)]));
        read.map(|(lines, _)| shown(&lines)).map_err(|fault| format!("{}: {}", fault.spot.line, fault.why))
    }

    #[test]
    fn words_lines_and_blocks_are_told_apart() {
        let text = "# a comment\n.:53, a.example,\n  b.example {\n  errors\n  health {\n    lameduck 5s # so\n  }\n}\nc {\n}\n";
        assert_eq!(read_one(text).unwrap(), "3:.:53|a.example|b.example {4:errors; 5:health {6:lameduck|5s}}; 9:c");
    }

    #[test]
    fn quotes_keep_blanks_and_the_environment_is_heard() {
        let text = ". {\n answer \"{{ .Name }} 60 \\\"x\\d\" {$ZONE}:{%ZONE%}{$NONE} a#b\n}";
        assert_eq!(read_one(text).unwrap(), r#"1:. {2:answer|{{ .Name }} 60 "x\d|cluster.local:cluster.local|a}"#);
    }

    #[test]
    fn what_is_broken_is_told_with_its_line() {
        assert_eq!(read_one(". {\n errors\n").unwrap_err(), "1: a `{` without its `}`");
        assert_eq!(read_one(".\n}\n").unwrap_err(), "2: a `}` without its `{`");
        assert_eq!(read_one("{\n}\n").unwrap_err(), "1: a block without a name");
        assert_eq!(read_one("import a b").unwrap_err(), "1: an import of more or less than one thing");
        assert_eq!(read_one(".\n e\0 x").unwrap_err(), "2: a control character in \"e\\0\"");
        assert_eq!(read_one("import Corefile").unwrap_err(), "1: too many imports");
        assert!(read_one(&"{ a ".repeat(100)).is_err());
    }

    #[test]
    fn snippets_of_snippets_end_before_memory_does() {
        let doubling = (1..60).map(|n| format!("(s{n}) {{\n import s{}\n import s{}\n}}\n", n - 1, n - 1));
        let text = format!("(s0) {{\n log\n}}\n{}. {{\n import s59\n}}\n", doubling.collect::<String>());
        let refusal = read_one(&text).unwrap_err();
        assert!(refusal.ends_with("too many lines by imports"), "{refusal}");
    }

    #[test]
    fn snippets_and_files_are_put_where_they_are_imported() {
        let files = [
            (
                "/c/Corefile",
                "(common) {\n log\n}\n. {\n import common\n import custom/*.override\n}\nimport custom/*.server\nimport none/*\n",
            ),
            ("/c/custom/a.override", "cache 30\n"),
            ("/c/custom/b.server", "x.example {\n forward . 192.0.2.1\n}\n"),
        ];
        let (lines, empty) = read(Path::new("/c/Corefile"), &Made(&files)).unwrap();
        assert_eq!(shown(&lines), "4:. {2:log; 1:cache|30}; 1:x.example {2:forward|.|192.0.2.1}");
        assert_eq!(&*lines[1].spot.file, "/c/custom/b.server");
        assert_eq!(empty.len(), 1);
    }
}
