//! A Kubernetes API server as far as lists and watches go: every object in all its versions, as the real one's store has
//! them, and all the ways in which the real one fails. It has no memory of who asked what, as the real one has none.
//!
//! What it does is done after the API's reference ("API concepts": efficient detection of changes, resource versions,
//! retrieving large sets in chunks); its code is apart from Meridian's.
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use meridian::base::Dice;
use serde_json::{Value, json};

/// A kind of objects by the last word of its path.
pub type Resource = &'static str;
pub const RESOURCES: [(Resource, &str, &str); 5] = [
    ("namespaces", "/api/v1/namespaces", "Namespace"),
    ("services", "/api/v1/services", "Service"),
    ("endpointslices", "/apis/discovery.k8s.io/v1/endpointslices", "EndpointSlice"),
    ("pods", "/api/v1/pods", "Pod"),
    ("serviceimports", "/apis/multicluster.x-k8s.io/v1alpha1/serviceimports", "ServiceImport"),
];

/// How the server fails by chance, each of a thousand times.
#[derive(Clone, Copy, Default, Debug)]
pub struct Weather {
    /// Requests told to come again later (429, Retry-After: 0 or 1).
    pub crowded: u32,
    /// Requests that fail (500).
    pub failing: u32,
    /// Responses that break off at some octet.
    pub breaking: u32,
    /// Responses that come in pieces of a few octets.
    pub dribbling: u32,
    /// Requests after which all older versions are forgotten.
    pub forgetting: u32,
}

type Name = (String, String);

/// An object at one version; without text from then on it is gone.
#[derive(Clone)]
struct Version {
    number: u64,
    text: Option<Arc<str>>,
    labels: BTreeMap<String, String>,
}

struct Event {
    version: u64,
    resource: Resource,
    name: Name,
}

#[derive(Default)]
struct State {
    version: u64,
    /// Versions up to this one are forgotten.
    compacted: u64,
    objects: BTreeMap<Resource, BTreeMap<Name, Vec<Version>>>,
    events: Vec<Event>,
    refusals: Vec<(u16, Option<u64>)>,
    weather: Weather,
    /// Which resources have no watch that tells anything.
    mute: Vec<Resource>,
    /// Resources that are not installed.
    missing: Vec<Resource>,
    connections: Vec<TcpStream>,
    dice: Option<Dice>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    is_down: AtomicBool,
    is_over: AtomicBool,
    lists: AtomicU64,
    watches: AtomicU64,
    pages: AtomicU64,
    /// Octets by which each object is longer than what anybody reads of it.
    ballast: String,
    bookmark_every: Duration,
}

/// A running server, until it is dropped.
pub struct ApiServer {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl ApiServer {
    /// On a port of its own, with nothing in it.
    pub fn start() -> Self {
        Self::start_with(String::new(), Duration::from_millis(40))
    }

    /// Whose objects all have `ballast`, JSON that nobody reads, and which tells versions to idle watches so often.
    pub fn start_with(ballast: String, bookmark_every: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        // The real one never begins at one either.
        let state = State { version: 1000, ..State::default() };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            is_down: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            lists: AtomicU64::new(0),
            watches: AtomicU64::new(0),
            pages: AtomicU64::new(0),
            ballast,
            bookmark_every,
        });
        let serving = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                if serving.is_down.load(Ordering::SeqCst) {
                    continue; // dropped: reset or closed
                }
                if let Ok(copy) = stream.try_clone() {
                    serving.state().connections.push(copy);
                }
                let serving = serving.clone();
                std::thread::spawn(move || serve(&serving, &stream));
            }
        });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Writes an object: its metadata gets the next version.
    pub fn put(&self, resource: Resource, object: Value) {
        self.shared.state().put(resource, object, true);
        self.shared.changed.notify_all();
    }

    /// Writes an object of which no watch ever hears.
    pub fn put_untold(&self, resource: Resource, object: Value) {
        self.shared.state().put(resource, object, false);
    }

    pub fn delete(&self, resource: Resource, namespace: &str, name: &str) {
        self.shared.state().delete(resource, namespace, name, true);
        self.shared.changed.notify_all();
    }

    /// Deletes an object of which no watch ever hears.
    pub fn delete_untold(&self, resource: Resource, namespace: &str, name: &str) {
        self.shared.state().delete(resource, namespace, name, false);
    }

    /// What there is of a resource now.
    pub fn objects(&self, resource: Resource) -> Vec<Value> {
        let state = self.shared.state();
        let objects = state.objects.get(resource).into_iter().flatten();
        let texts = objects.filter_map(|(_, versions)| versions.last()?.text.clone());
        texts.map(|text| serde_json::from_str(&text).expect("JSON that we wrote")).collect()
    }

    pub fn version(&self) -> u64 {
        self.shared.state().version
    }

    /// Forgets all versions but the present one.
    pub fn compact(&self) {
        self.shared.state().compact();
        self.shared.changed.notify_all();
    }

    /// Goes and comes again: all connections break, nothing old is known, and the next version is so much greater, or less.
    pub fn restart(&self, jump: i64) {
        let mut state = self.shared.state();
        state.version = state.version.saturating_add_signed(jump).max(1);
        let version = state.version;
        for versions in state.objects.values_mut().flat_map(BTreeMap::values_mut) {
            versions.drain(..versions.len() - 1);
            versions[0].number = versions[0].number.min(version);
        }
        state.compact();
        drop(state);
        self.break_all();
    }

    /// Breaks every connection.
    pub fn break_all(&self) {
        let connections = std::mem::take(&mut self.shared.state().connections);
        for connection in connections {
            drop(connection.shutdown(Shutdown::Both));
        }
        self.shared.changed.notify_all();
    }

    /// Whether connections are refused; those that are open break.
    pub fn set_down(&self, is_down: bool) {
        self.shared.is_down.store(is_down, Ordering::SeqCst);
        if is_down {
            self.break_all();
        }
    }

    /// Refuses the next request like this, and the one after it like the next of these.
    pub fn refuse(&self, status: u16, retry_after: Option<u64>) {
        self.shared.state().refusals.push((status, retry_after));
    }

    /// Whether every refusal has been told.
    pub fn has_refused(&self) -> bool {
        self.shared.state().refusals.is_empty()
    }

    pub fn set_weather(&self, weather: Weather, seed: u64) {
        let mut state = self.shared.state();
        state.weather = weather;
        state.dice = Some(Dice::from_number(seed));
    }

    /// From now on, watches of `resource` tell nothing, not even a bookmark.
    pub fn mute(&self, resource: Resource) {
        self.shared.state().mute.push(resource);
    }

    pub fn unmute(&self) {
        self.shared.state().mute.clear();
        self.shared.changed.notify_all();
    }

    /// Whether a resource is there at all.
    pub fn install(&self, resource: Resource, is_there: bool) {
        let mut state = self.shared.state();
        state.missing.retain(|missing| *missing != resource);
        if !is_there {
            state.missing.push(resource);
        }
    }

    /// Lists begun, pages of lists, and watches begun so far.
    pub fn asked(&self) -> (u64, u64, u64) {
        let Shared { lists, pages, watches, .. } = &*self.shared;
        (lists.load(Ordering::SeqCst), pages.load(Ordering::SeqCst), watches.load(Ordering::SeqCst))
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.break_all();
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread of the server panics")
    }
}

impl State {
    fn put(&mut self, resource: Resource, mut object: Value, is_told: bool) {
        self.version += 1;
        let version = self.version;
        let metadata = &mut object["metadata"];
        metadata["resourceVersion"] = json!(version.to_string());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = (text(&metadata["namespace"]), text(&metadata["name"]));
        let labels = metadata["labels"].as_object().into_iter().flatten();
        let labels = labels.map(|(name, value)| (name.clone(), text(value))).collect();
        let text = Some(serde_json::to_string(&object).expect("JSON").into());
        self.write(resource, name, Version { number: version, text, labels }, is_told);
    }

    fn delete(&mut self, resource: Resource, namespace: &str, name: &str, is_told: bool) {
        let name = (namespace.to_owned(), name.to_owned());
        let held = self.objects.get(resource).and_then(|objects| objects.get(&name)?.last());
        let Some(labels) = held.filter(|held| held.text.is_some()).map(|held| held.labels.clone()) else {
            return;
        };
        self.version += 1;
        let version = self.version;
        self.write(resource, name, Version { number: version, text: None, labels }, is_told);
    }

    fn write(&mut self, resource: Resource, name: Name, version: Version, is_told: bool) {
        if is_told {
            self.events.push(Event { version: version.number, resource, name: name.clone() });
        }
        self.objects.entry(resource).or_default().entry(name).or_default().push(version);
    }

    fn compact(&mut self) {
        self.compacted = self.version;
        self.events.clear();
        for objects in self.objects.values_mut() {
            for versions in objects.values_mut() {
                versions.drain(..versions.len() - 1);
            }
            objects.retain(|_, versions| versions[0].text.is_some());
        }
    }

    fn chance(&mut self, permille: impl Fn(&Weather) -> u32) -> bool {
        let permille = permille(&self.weather);
        permille > 0 && self.dice.as_mut().is_some_and(|dice| dice.chance(permille))
    }
}

fn at(versions: &[Version], version: u64) -> Option<&Version> {
    versions.iter().rev().find(|held| held.number <= version)
}

/// A request's path and query.
struct Request {
    path: String,
    query: BTreeMap<String, String>,
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let target = first.split(' ').nth(1)?.to_owned();
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = pairs.map(|(name, value)| (name.to_owned(), decode(value))).collect();
    Some(Request { path: path.to_owned(), query })
}

fn decode(text: &str) -> String {
    let (mut octets, mut rest) = (Vec::new(), text.bytes());
    while let Some(octet) = rest.next() {
        if octet == b'%' {
            let hex: String = rest.by_ref().take(2).map(char::from).collect();
            octets.push(u8::from_str_radix(&hex, 16).expect("two hexadecimal digits"));
        } else {
            octets.push(octet);
        }
    }
    String::from_utf8(octets).expect("UTF-8")
}

/// A response's body in chunks, which may break off or dribble.
struct Out<'s> {
    stream: &'s TcpStream,
    held: Vec<u8>,
    /// Octets until the connection breaks.
    left: Option<usize>,
    piece: usize,
}

impl Out<'_> {
    fn head(&mut self, status: u16, more: &str) -> std::io::Result<()> {
        let head = format!(
            "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n{more}\r\n"
        );
        self.stream.write_all(head.as_bytes())
    }

    fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.held.extend_from_slice(text.as_bytes());
        if self.held.len() >= 32 * 1024 { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let held = std::mem::take(&mut self.held);
        for piece in held.chunks(self.piece.max(1)) {
            if let Some(left) = &mut self.left {
                if *left < piece.len() {
                    drop(self.stream.shutdown(Shutdown::Both));
                    return Err(std::io::Error::other("broken as planned"));
                }
                *left -= piece.len();
            }
            let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
            chunk.extend_from_slice(piece);
            chunk.extend_from_slice(b"\r\n");
            self.stream.write_all(&chunk)?;
        }
        Ok(())
    }

    fn end(&mut self) -> std::io::Result<()> {
        self.flush()?;
        self.stream.write_all(b"0\r\n\r\n")
    }
}

fn status(code: u16, reason: &str, message: &str) -> String {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code})
    .to_string()
}

fn refuse(out: &mut Out<'_>, code: u16, reason: &str, message: &str, more: &str) -> std::io::Result<()> {
    out.head(code, more)?;
    out.write(&status(code, reason, message))?;
    out.end()
}

fn serve(shared: &Shared, stream: &TcpStream) {
    stream.set_nodelay(true).ok();
    let Ok(input) = stream.try_clone() else { return };
    let mut reader = BufReader::new(input);
    while let Some(request) = read_request(&mut reader) {
        let mut state = shared.state();
        let mut out = Out { stream, held: Vec::new(), left: None, piece: usize::MAX };
        if state.chance(|weather| weather.breaking) {
            out.left = state.dice.as_mut().map(|dice| dice.below(6_000) as usize);
        }
        if state.chance(|weather| weather.dribbling) {
            out.piece = state.dice.as_mut().map_or(1, |dice| 1 + dice.below(7) as usize);
        }
        if state.chance(|weather| weather.forgetting) {
            state.compact();
        }
        let refusal = if state.refusals.is_empty() { None } else { Some(state.refusals.remove(0)) };
        let by_chance = |state: &mut State| {
            if state.chance(|weather| weather.crowded) {
                let seconds = state.dice.as_mut().map_or(0, |dice| dice.below(2));
                return Some((429, Some(seconds)));
            }
            state.chance(|weather| weather.failing).then_some((500, None))
        };
        let refusal = refusal.or_else(|| by_chance(&mut state));
        let resource = RESOURCES.iter().find(|(_, path, _)| *path == request.path);
        let resource = resource.filter(|(resource, ..)| !state.missing.contains(resource));
        drop(state);
        let done = match (refusal, resource) {
            (Some((code, retry_after)), _) => {
                let more = retry_after.map_or(String::new(), |seconds| format!("Retry-After: {seconds}\r\n"));
                refuse(&mut out, code, "Refused", "as planned", &more)
            }
            (None, None) => refuse(&mut out, 404, "NotFound", "the server could not find the requested resource", ""),
            (None, Some(resource)) if request.query.get("watch").is_some_and(|watch| watch == "true") => {
                watch(shared, resource, &request, &mut out)
            }
            (None, Some(resource)) => list(shared, resource, &request, &mut out),
        };
        if done.is_err() || shared.is_down.load(Ordering::SeqCst) {
            drop(stream.shutdown(Shutdown::Both));
            return;
        }
    }
}

fn list(
    shared: &Shared,
    (resource, _, kind): &(Resource, &str, &str),
    request: &Request,
    out: &mut Out<'_>,
) -> std::io::Result<()> {
    let query = |name: &str| request.query.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let state = shared.state();
    let (version, begin) = match (query("continue"), query("resourceVersionMatch")) {
        (Some(token), _) => {
            let mut parts = token.splitn(3, '/');
            let version = parts.next().and_then(|version| version.parse().ok()).expect("a token of ours");
            let name = (parts.next().unwrap_or_default().to_owned(), parts.next().unwrap_or_default().to_owned());
            (version, Some(name))
        }
        (None, Some("Exact")) => {
            (query("resourceVersion").and_then(|text| text.parse().ok()).expect("a version"), None)
        }
        (None, _) => (state.version, None),
    };
    if begin.is_none() {
        shared.lists.fetch_add(1, Ordering::SeqCst);
    }
    shared.pages.fetch_add(1, Ordering::SeqCst);
    if version < state.compacted {
        drop(state);
        return refuse(out, 410, "Expired", "The provided continue parameter or resource version is too old", "");
    }
    if version > state.version {
        drop(state);
        return refuse(out, 504, "Timeout", "Too large resource version", "Retry-After: 1\r\n");
    }
    let limit = query("limit").and_then(|limit| limit.parse().ok()).filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let selector = query("labelSelector").unwrap_or_default();
    let from = begin.map_or(Bound::Unbounded, Bound::Excluded);
    let empty = BTreeMap::new();
    let objects = state.objects.get(resource).unwrap_or(&empty);
    let mut there = objects.range((from, Bound::Unbounded)).filter_map(|(name, versions)| {
        let held = at(versions, version).filter(|held| matches(&held.labels, selector))?;
        Some((name, held.text.clone()?))
    });
    let page: Vec<(&Name, Arc<str>)> = there.by_ref().take(limit).collect();
    let next = page
        .last()
        .filter(|_| there.next().is_some())
        .map(|((namespace, name), _)| format!("{version}/{namespace}/{name}"));
    let texts: Vec<Arc<str>> = page.into_iter().map(|(_, text)| text).collect();
    drop(state);
    out.head(200, "")?;
    let metadata = json!({"resourceVersion": version.to_string(), "continue": next});
    let group = if kind.starts_with("Endpoint") { "discovery.k8s.io/v1" } else { "v1" };
    out.write(&format!("{{\"kind\":\"{kind}List\",\"apiVersion\":\"{group}\",\"metadata\":{metadata},\"items\":"))?;
    if texts.is_empty() {
        out.write("null")?; // as Go writes an empty list
    }
    for (place, text) in texts.iter().enumerate() {
        out.write(if place == 0 { "[" } else { "," })?;
        write_object(out, text, &shared.ballast)?;
    }
    out.write(if texts.is_empty() { "}\n" } else { "]}\n" })?;
    out.end()
}

fn write_object(out: &mut Out<'_>, text: &str, ballast: &str) -> std::io::Result<()> {
    if ballast.is_empty() {
        return out.write(text);
    }
    out.write(&text[..text.len() - 1])?;
    out.write(",\"ballast\":")?;
    out.write(ballast)?;
    out.write("}")
}

fn watch(
    shared: &Shared,
    (resource, _, kind): &(Resource, &str, &str),
    request: &Request,
    out: &mut Out<'_>,
) -> std::io::Result<()> {
    let query = |name: &str| request.query.get(name).map(String::as_str).unwrap_or_default();
    let mut seen: u64 = query("resourceVersion").parse().expect("a version to watch from");
    let selector = query("labelSelector");
    let wants_bookmarks = query("allowWatchBookmarks") == "true";
    let end = Instant::now() + Duration::from_secs(query("timeoutSeconds").parse().expect("a time"));
    shared.watches.fetch_add(1, Ordering::SeqCst);
    out.head(200, "")?;
    let mut bookmarked = Instant::now();
    let mut state = shared.state();
    loop {
        if shared.is_over.load(Ordering::SeqCst) || shared.is_down.load(Ordering::SeqCst) {
            return Err(std::io::Error::other("over"));
        }
        let is_mute = state.mute.contains(resource);
        let mut lines = String::new();
        if seen < state.compacted {
            let gone = status(410, "Expired", &format!("too old resource version: {seen}"));
            drop(state);
            out.write(&format!("{{\"type\":\"ERROR\",\"object\":{gone}}}\n"))?;
            return out.end();
        }
        if !is_mute {
            let first = state.events.partition_point(|event| event.version <= seen);
            for event in state.events[first..].iter().filter(|event| event.resource == *resource) {
                lines.push_str(&line(&state, event, selector, &shared.ballast));
            }
            if let Some(last) = state.events.last() {
                seen = seen.max(last.version);
            }
        }
        // A version that is not reached yet is waited for without a word, as the real one's cache does.
        if wants_bookmarks && !is_mute && seen <= state.version && bookmarked.elapsed() >= shared.bookmark_every {
            bookmarked = Instant::now();
            seen = state.version;
            let object = json!({"kind": kind, "apiVersion": "v1", "spec": null, "status": {},
                "metadata": {"resourceVersion": seen.to_string(), "creationTimestamp": null}});
            lines.push_str(&json!({"type": "BOOKMARK", "object": object}).to_string());
            lines.push('\n');
        }
        if !lines.is_empty() {
            drop(state);
            out.write(&lines)?;
            out.flush()?;
            state = shared.state();
            continue;
        }
        if Instant::now() >= end {
            drop(state);
            return out.end();
        }
        state = shared
            .changed
            .wait_timeout(state, shared.bookmark_every.min(Duration::from_millis(100)))
            .expect("no panic")
            .0;
    }
}

/// An event as whoever selects by labels sees it: an object that leaves the selection is deleted for them.
fn line(state: &State, event: &Event, selector: &str, ballast: &str) -> String {
    let versions = &state.objects[event.resource][&event.name];
    let place = versions.iter().position(|held| held.number == event.version).expect("every event has its version");
    let before = place.checked_sub(1).map(|before| &versions[before]);
    let before = before.filter(|held| held.text.is_some() && matches(&held.labels, selector));
    let now = Some(&versions[place]).filter(|held| held.text.is_some() && matches(&held.labels, selector));
    let (word, held) = match (before, now) {
        (None, Some(now)) => ("ADDED", now),
        (Some(_), Some(now)) => ("MODIFIED", now),
        (Some(before), None) => ("DELETED", before),
        // It was there when the oldest versions were forgotten, or was never selected.
        (None, None) if versions[place].text.is_none() && place == 0 => {
            let (namespace, name) = &event.name;
            let version = event.version.to_string();
            let object = json!({"metadata": {"namespace": namespace, "name": name, "resourceVersion": version}});
            return format!("{{\"type\":\"DELETED\",\"object\":{object}}}\n");
        }
        (None, None) => return String::new(),
    };
    let text = held.text.as_deref().expect("checked above");
    let ballast = if ballast.is_empty() { String::new() } else { format!(",\"ballast\":{ballast}") };
    // A deleted object comes with the version of its deletion.
    let text = if word == "DELETED" {
        let mut object: Value = serde_json::from_str(text).expect("JSON that we wrote");
        object["metadata"]["resourceVersion"] = json!(event.version.to_string());
        object.to_string()
    } else {
        text.to_owned()
    };
    format!("{{\"type\":\"{word}\",\"object\":{}{ballast}}}}}\n", &text[..text.len() - 1])
}

/// Label selectors as far as the tests go: `a=b`, `a!=b`, `a`, `!a`, all of which must hold.
fn matches(labels: &BTreeMap<String, String>, selector: &str) -> bool {
    selector.split(',').filter(|part| !part.is_empty()).all(|part| {
        let part = part.trim();
        if let Some((name, value)) = part.split_once("!=") {
            return labels.get(name).is_none_or(|held| held != value);
        }
        match (part.split_once('='), part.strip_prefix('!')) {
            (Some((name, value)), _) => labels.get(name).is_some_and(|held| held == value),
            (None, Some(name)) => !labels.contains_key(name),
            (None, None) => labels.contains_key(part),
        }
    })
}
