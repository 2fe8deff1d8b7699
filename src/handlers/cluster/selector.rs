//! Label selectors as `kubectl` writes them: `tier=web,env in (test, live),!old`.

use std::fmt;
use std::str::FromStr;

/// What the labels of an object must be; the empty selector takes all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Selector {
    requirements: Box<[Requirement]>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Requirement {
    key: Box<str>,
    operator: Operator,
    /// None with [`Operator::Exists`] and [`Operator::Lacks`], at least one with the others.
    values: Box<[Box<str>]>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operator {
    In,
    NotIn,
    Exists,
    Lacks,
}

impl Selector {
    /// Whether it takes everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether an object with these labels is taken.
    #[must_use]
    pub fn matches(&self, labels: &[(Box<str>, Box<str>)]) -> bool {
        self.requirements.iter().all(|requirement| requirement.matches(labels))
    }
}

impl Requirement {
    fn matches(&self, labels: &[(Box<str>, Box<str>)]) -> bool {
        let value = labels.iter().find(|(key, _)| *key == self.key).map(|(_, value)| value);
        let is_listed = value.is_some_and(|value| self.values.contains(value));
        match self.operator {
            Operator::In => is_listed,
            Operator::NotIn => !is_listed, // a label that is not there is in no list
            Operator::Exists => value.is_some(),
            Operator::Lacks => value.is_none(),
        }
    }
}

/// As the API takes it.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Requirement { key, operator, values }) in self.requirements.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match (operator, &**values) {
                (Operator::Exists, _) => write!(f, "{comma}{key}")?,
                (Operator::Lacks, _) => write!(f, "{comma}!{key}")?,
                (Operator::In, [value]) => write!(f, "{comma}{key}={value}")?,
                (Operator::NotIn, [value]) => write!(f, "{comma}{key}!={value}")?,
                (Operator::In, values) => write!(f, "{comma}{key} in ({})", values.join(","))?,
                (Operator::NotIn, values) => write!(f, "{comma}{key} notin ({})", values.join(","))?,
            }
        }
        Ok(())
    }
}

/// A text is no label selector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoSelector;

impl FromStr for Selector {
    type Err = NoSelector;

    fn from_str(text: &str) -> Result<Self, NoSelector> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let requirements: Result<_, _> = parts(text).map(requirement).collect();
        Ok(Self { requirements: requirements? })
    }
}

/// The parts between commas; those inside brackets separate values.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut is_inside = false;
    text.split(move |letter| {
        match letter {
            '(' => is_inside = true,
            ')' => is_inside = false,
            _ => {}
        }
        letter == ',' && !is_inside
    })
}

fn requirement(text: &str) -> Result<Requirement, NoSelector> {
    let text = text.trim();
    let (key, operator, values): (&str, Operator, Vec<&str>) = if let Some(key) = text.strip_prefix('!') {
        (key, Operator::Lacks, Vec::new())
    } else if let Some((head, list)) = text.split_once('(') {
        let (key, word) = head.trim_end().rsplit_once(char::is_whitespace).ok_or(NoSelector)?;
        let operator = match word {
            "in" => Operator::In,
            "notin" => Operator::NotIn,
            _ => return Err(NoSelector),
        };
        (key, operator, list.strip_suffix(')').ok_or(NoSelector)?.split(',').collect())
    } else if let Some((key, value)) = text.split_once("!=") {
        (key, Operator::NotIn, vec![value])
    } else if let Some((key, value)) = text.split_once('=') {
        (key, Operator::In, vec![value.strip_prefix('=').unwrap_or(value)])
    } else {
        (text, Operator::Exists, Vec::new())
    };
    let (key, values) = (key.trim(), values.into_iter().map(str::trim));
    let values: Option<_> = values.map(|value| is_value(value).then(|| value.into())).collect();
    match values {
        Some(values) if is_key(key) => Ok(Requirement { key: key.into(), operator, values }),
        _ => Err(NoSelector),
    }
}

/// A label's key: a name of up to 63 octets, perhaps behind a DNS name and a slash.
fn is_key(text: &str) -> bool {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    let is_prefix = |text: &str| (1..=253).contains(&text.len()) && text.split('.').all(is_value) && is_plain(text);
    !name.is_empty() && is_value(name) && prefix.is_none_or(is_prefix)
}

/// A label's value: up to 63 octets that begin and end with a letter or a digit, or none.
fn is_value(text: &str) -> bool {
    let is_end = |octet: Option<&u8>| octet.is_none_or(u8::is_ascii_alphanumeric);
    let octets = text.as_bytes();
    octets.len() <= 63 && is_plain(text) && is_end(octets.first()) && is_end(octets.last())
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Vec<(Box<str>, Box<str>)> {
        let pairs = text.split(' ').filter_map(|pair| pair.split_once('='));
        pairs.map(|(key, value)| (key.into(), value.into())).collect()
    }

    #[test]
    fn selectors_take_what_kubectl_would_take() {
        let table = [
            ("", "", true),
            ("", "a=b", true),
            ("a", "a=b", true),
            ("a", "b=a", false),
            ("!a", "b=a", true),
            ("!a", "a=b", false),
            ("a=b", "a=b", true),
            ("a==b", "a=b", true),
            ("a = b", "a=b", true),
            ("a=", "a=", true),
            ("a=b", "a=c", false),
            ("a=b", "", false),
            ("a!=b", "a=c", true),
            ("a!=b", "", true),
            ("a!=b", "a=b", false),
            ("a in (b, c)", "a=c", true),
            ("a in (b,c)", "a=d", false),
            ("a notin (b,c)", "a=d", true),
            ("a notin (b,c)", "", true),
            ("a notin (b,c)", "a=b", false),
            ("example.com/tier in (web,db),!old,env!=test", "example.com/tier=db env=live", true),
            ("example.com/tier in (web,db),!old,env!=test", "example.com/tier=db env=live old=yes", false),
            ("a,b", "a=1", false),
        ];
        for (selector, of, is_taken) in table {
            let read: Selector = selector.parse().unwrap();
            assert_eq!(read.matches(&labels(of)), is_taken, "{selector:?} of {of:?}");
            assert_eq!(read.to_string().parse(), Ok(read.clone()), "{read}");
        }
    }

    #[test]
    fn what_is_no_selector_is_told() {
        for text in [",", "a,", "a b", "a in b", "a in (b", "a within (b)", "=b", "a=b c", "-a", "a=-", "a/b/c", "a>1"]
        {
            assert_eq!(text.parse::<Selector>(), Err(NoSelector), "{text:?}");
        }
    }
}
