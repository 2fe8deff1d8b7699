//! A scrape of metrics, read as strictly as the formats are written, and more strictly than anybody else reads them.
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The labels of a series, in the order of their names.
pub type Labels = BTreeMap<String, String>;

/// All that a scrape has told.
#[derive(Clone, Debug, Default)]
pub struct Scrape {
    /// The type of each metric, by the name that its comments have.
    pub types: BTreeMap<String, String>,
    /// The value of each series, by its name and labels.
    pub series: BTreeMap<(String, Labels), f64>,
}

/// Which of the two formats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    OpenMetrics,
    Prometheus,
}

impl Scrape {
    /// The value of the one series of `name` with exactly these labels.
    pub fn one(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let wanted: Labels = labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
        *self.series.get(&(name.to_owned(), wanted)).unwrap_or_else(|| panic!("{name} {labels:?} is not told"))
    }

    /// The same, 0 where it is not told.
    pub fn or_zero(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let wanted: Labels = labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
        self.series.get(&(name.to_owned(), wanted)).copied().unwrap_or(0.0)
    }

    /// The sum of all series of `name`.
    pub fn sum(&self, name: &str) -> f64 {
        self.series.iter().filter(|((known, _), _)| known == name).map(|(_, value)| value).sum()
    }

    /// The series that only grow: counters, and the samples of histograms.
    pub fn growing(&self) -> impl Iterator<Item = (&(String, Labels), f64)> {
        self.series
            .iter()
            .filter(|((name, _), _)| self.kind_of(name) != "gauge")
            .map(|(series, value)| (series, *value))
    }

    fn kind_of(&self, sample: &str) -> &str {
        let base = ["_total", "_bucket", "_sum", "_count"].iter().find_map(|ending| sample.strip_suffix(ending));
        let known = |name| self.types.get(name).map(String::as_str);
        known(sample).or_else(|| known(base?)).unwrap_or_else(|| panic!("{sample} has no type"))
    }
}

/// Fetches the metrics at `admin` with an `Accept` header; the media type and the text.
pub fn fetch(admin: SocketAddr, accept: &str) -> (String, String) {
    let response = request(admin, &format!("GET /metrics HTTP/1.1\r\nAccept: {accept}"), "");
    let (head, text) = response.split_once("\r\n\r\n").expect("a response");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let media_type =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-type: ").map(str::to_owned));
    (media_type.expect("a media type"), text.to_owned())
}

/// Sends a request and reads the whole response.
pub fn request(admin: SocketAddr, line: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(admin).expect("the admin address");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    let length = body.len();
    let request = format!("{line}\r\nHost: {admin}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).expect("a running server");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("text");
    response
}

/// The metrics at `admin`, in the plain format.
pub fn scrape(admin: SocketAddr) -> Scrape {
    read(&fetch(admin, "text/plain").1, Format::Prometheus)
}

/// Reads a scrape; whatever is not lawful is a panic that says so.
#[track_caller]
pub fn read(text: &str, format: Format) -> Scrape {
    let mut scrape = Scrape::default();
    let mut helped = BTreeSet::new();
    // The metric whose comments came last: its samples follow at once, and nobody else's.
    let mut current = String::new();
    let body = match format {
        Format::OpenMetrics => text.strip_suffix("# EOF\n").expect("OpenMetrics end with a mark"),
        Format::Prometheus => text,
    };
    assert!(body.ends_with('\n'), "the last line has an end");
    for line in body.lines() {
        if let Some(comment) = line.strip_prefix("# HELP ") {
            let (name, help) = comment.split_once(' ').expect("a name and words");
            assert!(helped.insert(name.to_owned()), "{name} is explained twice");
            assert!(!help.trim().is_empty(), "{line}");
            name.clone_into(&mut current);
        } else if let Some(comment) = line.strip_prefix("# TYPE ") {
            let (name, kind) = comment.split_once(' ').expect("a name and a type");
            assert_eq!(name, current, "the type follows the words");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            let is_total = name.ends_with("_total");
            assert_eq!(is_total, kind == "counter" && format == Format::Prometheus, "{line}");
            assert_eq!(scrape.types.insert(name.to_owned(), kind.to_owned()), None, "{name} has two types");
        } else {
            assert!(!line.starts_with('#') && !line.is_empty(), "{line:?} is nothing that we write");
            let (name, labels, value) = sample(line);
            let kind = scrape.types.get(&current).unwrap_or_else(|| panic!("{line}: no type before it")).as_str();
            let ending = name.strip_prefix(current.as_str()).unwrap_or_else(|| panic!("{line}: not among {current}"));
            let allowed: &[&str] = match (kind, format) {
                ("histogram", _) => &["_bucket", "_sum", "_count"],
                ("counter", Format::OpenMetrics) => &["_total"],
                _ => &[""],
            };
            assert!(allowed.contains(&ending), "{line}: {kind}");
            assert_eq!(ending == "_bucket", labels.contains_key("le"), "{line}");
            assert!(kind == "gauge" || value >= 0.0, "{line}");
            assert_eq!(scrape.series.insert((name, labels), value), None, "{line} stands twice");
        }
    }
    assert_eq!(helped, scrape.types.keys().cloned().collect::<BTreeSet<_>>());
    buckets_add_up(&scrape);
    scrape
}

/// The buckets of a histogram never fall from one end to the next, and the last has them all.
fn buckets_add_up(scrape: &Scrape) {
    let mut rows: BTreeMap<(&str, Labels), Vec<(f64, f64)>> = BTreeMap::new();
    for ((name, labels), value) in &scrape.series {
        let Some(name) = name.strip_suffix("_bucket") else { continue };
        let mut labels = labels.clone();
        let end = labels.remove("le").expect("a bucket has an end");
        let end = if end == "+Inf" { f64::INFINITY } else { end.parse().expect("a number") };
        rows.entry((name, labels)).or_default().push((end, *value));
    }
    assert!(!rows.is_empty(), "there are histograms");
    for ((name, labels), mut row) in rows {
        row.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert!(row.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{name} {labels:?}: {row:?}");
        let (last, all) = row[row.len() - 1];
        assert!(last.is_infinite(), "{name} {labels:?} has a last end");
        let count = scrape.series[&(format!("{name}_count"), labels.clone())];
        assert!((count - all).abs() < 0.5, "{name} {labels:?}: {count} in all");
        assert!(scrape.series.contains_key(&(format!("{name}_sum"), labels)), "{name}");
    }
}

/// `name{label="value",…} number`.
fn sample(line: &str) -> (String, Labels, f64) {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    let end = line.find(|letter| !is_letter(letter)).unwrap_or_else(|| panic!("{line:?} is no sample"));
    let (name, mut rest) = line.split_at(end);
    assert!(!name.is_empty() && !name.starts_with(|letter: char| letter.is_ascii_digit()), "{line}");
    let mut labels = Labels::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, behind) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}: no label"));
            assert!(!label.is_empty() && label.chars().all(|letter| is_letter(letter) && letter != ':'), "{line}");
            let (value, behind) = quoted(behind).unwrap_or_else(|| panic!("{line}: a value is never closed"));
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}: {label} stands twice");
            if let Some(behind) = behind.strip_prefix('}') {
                rest = behind;
                break;
            }
            rest = behind.strip_prefix(',').unwrap_or_else(|| panic!("{line}: neither a comma nor the end"));
        }
    }
    let number = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}: no space"));
    assert!(!number.contains(' '), "{line}: we tell no times");
    (name.to_owned(), labels, number.parse().unwrap_or_else(|_| panic!("{line}: no number")))
}

/// A label's value up to its quote, and what is behind that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut letters) = (String::new(), text.char_indices());
    loop {
        match letters.next()? {
            (at, '"') => return Some((value, &text[at + 1..])),
            (_, '\\') => value.push(match letters.next()?.1 {
                'n' => '\n',
                letter @ ('\\' | '"') => letter,
                _ => return None,
            }),
            (_, letter) => value.push(letter),
        }
    }
}
