//! Cuts a stream of JSON into the objects that it is made of, while it comes in.
//!
//! A list of all Pods of a large cluster is hundreds of megabytes. Nobody needs it whole: each object is handed out as soon
//! as its last octet is there, so what is held is one object and what surrounds the list.

use crate::base::bounds;

/// How the stream is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    /// One object after another: the events of a watch.
    Events,
    /// One object with the array `items`: a list.
    List,
}

/// Where in the stream we are, and what of it is not whole yet.
#[derive(Debug)]
pub(super) struct Splitter {
    shape: Shape,
    depth: u32,
    is_quoted: bool,
    is_escaped: bool,
    /// In the array whose objects are handed out.
    is_among_items: bool,
    /// The last text at the depth of a list's own members: its name, where a value follows.
    member: Vec<u8>,
    /// The object that is coming in.
    object: Vec<u8>,
    /// What is outside of the objects.
    envelope: Vec<u8>,
}

/// An object is longer than [`bounds::CLUSTER_OBJECT_MAX`], what surrounds the list longer than
/// [`bounds::CLUSTER_ENVELOPE_MAX`], or brackets close that were never opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unfit;

const ITEMS: &[u8] = b"items";

impl Splitter {
    pub(super) fn events() -> Self {
        Self::new(Shape::Events)
    }

    pub(super) fn list() -> Self {
        Self::new(Shape::List)
    }

    fn new(shape: Shape) -> Self {
        Self {
            shape,
            depth: 0,
            is_quoted: false,
            is_escaped: false,
            is_among_items: shape == Shape::Events,
            member: Vec::new(),
            object: Vec::new(),
            envelope: Vec::new(),
        }
    }

    /// The depth outside of the objects that are handed out.
    const fn outside(&self) -> u32 {
        match self.shape {
            Shape::Events => 0,
            Shape::List => 2,
        }
    }

    /// What surrounds a list's objects, as JSON of its own once the list has ended.
    pub(super) fn envelope(&self) -> &[u8] {
        &self.envelope
    }

    /// Takes the next octets, and hands out every object that ends in them.
    pub(super) fn feed(&mut self, octets: &[u8], mut each: impl FnMut(&[u8])) -> Result<(), Unfit> {
        // Octets go on in runs, each wholly inside or wholly outside of an object.
        let mut run = 0;
        for (at, octet) in octets.iter().copied().enumerate() {
            if self.is_quoted {
                self.quoted(octet);
                continue;
            }
            let outside = self.outside();
            let is_stray = match self.depth {
                0 => octet != b'{',
                // An item that is no object would be missed, and so taken for gone.
                depth => self.is_among_items && depth == outside && !matches!(octet, b'{' | b'[' | b']' | b','),
            };
            if is_stray && !octet.is_ascii_whitespace() {
                return Err(Unfit);
            }
            match octet {
                b'"' => {
                    self.is_quoted = true;
                    self.member.clear();
                }
                b'{' | b'[' => {
                    if self.is_among_items && self.depth == outside {
                        // Before it are commas and white space, which nobody misses.
                        run = at;
                    }
                    self.depth += 1;
                    let is_member = self.shape == Shape::List && self.depth == outside;
                    if is_member && octet == b'[' && self.member == ITEMS {
                        self.envelope.extend_from_slice(octets.get(run..=at).unwrap_or_default());
                        self.is_among_items = true;
                    }
                }
                b'}' | b']' => {
                    self.depth = self.depth.checked_sub(1).ok_or(Unfit)?;
                    if self.is_among_items && self.depth == outside {
                        let end = octets.get(run..=at).unwrap_or_default();
                        if self.object.is_empty() {
                            each(end);
                        } else {
                            self.object.extend_from_slice(end);
                            each(&self.object);
                            self.object.clear();
                            self.object.shrink_to(bounds::CLUSTER_ENVELOPE_MAX);
                        }
                        run = at + 1;
                    } else if self.is_among_items && self.depth < outside {
                        run = at;
                        self.is_among_items = false;
                    }
                }
                _ => {}
            }
        }
        let rest = octets.get(run..).unwrap_or_default();
        if !self.is_among_items {
            self.envelope.extend_from_slice(rest);
        } else if self.depth > self.outside() {
            self.object.extend_from_slice(rest);
        }
        let fits = self.object.len() <= bounds::CLUSTER_OBJECT_MAX;
        if fits && self.envelope.len() <= bounds::CLUSTER_ENVELOPE_MAX { Ok(()) } else { Err(Unfit) }
    }

    fn quoted(&mut self, octet: u8) {
        match octet {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' => self.is_escaped = true,
            b'"' => self.is_quoted = false,
            _ if self.shape == Shape::List && self.depth == 1 && self.member.len() <= ITEMS.len() => {
                self.member.push(octet);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn split(mut splitter: Splitter, text: &[u8], piece: usize) -> (Vec<Value>, Vec<u8>) {
        let mut objects = Vec::new();
        for octets in text.chunks(piece) {
            splitter.feed(octets, |object| objects.push(serde_json::from_slice(object).unwrap())).unwrap();
        }
        (objects, splitter.envelope().to_vec())
    }

    #[test]
    fn a_list_falls_into_its_items_and_what_surrounds_them() {
        let text = br#"{"kind":"PodList","metadata":{"items":[{"not":"one"}],"resourceVersion":"7"},
            "items": [ {"a":"}{[]\\\""}, {"b":[{"c":1}]} ,{}] ,"last":"items"}"#;
        for piece in 1..text.len() {
            let (objects, envelope) = split(Splitter::list(), text, piece);
            assert_eq!(objects, [json!({"a": "}{[]\\\""}), json!({"b": [{"c": 1}]}), json!({})], "{piece}");
            let envelope: Value = serde_json::from_slice(&envelope).unwrap();
            assert_eq!(envelope["metadata"]["resourceVersion"], "7");
            assert_eq!((&envelope["items"], &envelope["last"]), (&json!([]), &json!("items")));
        }
    }

    #[test]
    fn a_list_of_nothing_is_all_envelope() {
        for text in [r#"{"items":null,"metadata":{}}"#, r#"{"items":[],"metadata":{}}"#, r#"{"items":[ ]}"#] {
            let (objects, envelope) = split(Splitter::list(), text.as_bytes(), 3);
            assert!(objects.is_empty());
            assert_eq!(
                serde_json::from_slice::<Value>(&envelope).unwrap(),
                serde_json::from_str::<Value>(text).unwrap()
            );
        }
    }

    #[test]
    fn what_is_too_long_or_closes_too_often_is_refused() {
        for stray in [&b"}"[..], b"{}\"\n", b"{} 7", b"[{}]"] {
            assert_eq!(Splitter::events().feed(stray, |_| ()), Err(Unfit), "{stray:?}");
        }
        for stray in [&b"1"[..], b"null", b"{},\"a\"", b"{} true"] {
            let list = [b"{\"items\":[", stray, b"]}"].concat();
            assert_eq!(Splitter::list().feed(&list, |_| ()), Err(Unfit), "what is no object would be missed");
        }
        let mut splitter = Splitter::list();
        assert_eq!(splitter.feed(&vec![b' '; bounds::CLUSTER_ENVELOPE_MAX + 1], |_| ()), Err(Unfit));
        let mut splitter = Splitter::events();
        splitter.feed(b"{\"", |_| ()).unwrap();
        assert_eq!(splitter.feed(&vec![b'a'; bounds::CLUSTER_OBJECT_MAX], |_| ()), Err(Unfit));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i32>().prop_map(Value::from),
            r#"[a-z"\\{}\[\],:é]{0,6}"#.prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((r#"items|[a-z"\\{}]{0,4}"#, inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn object() -> impl Strategy<Value = Value> {
        prop::collection::vec((r#"items|[a-z"\\{}]{0,4}"#, value()), 0..4)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn any_stream_cut_anywhere_falls_into_its_objects(
            objects in prop::collection::vec(object(), 0..5), around in value(), piece in 1..40_usize, pretty: bool,
        ) {
            let text = |value: &Value| if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
            let events: String = objects.iter().map(|object| text(object).unwrap() + "\n").collect();
            prop_assert_eq!(&split(Splitter::events(), events.as_bytes(), piece).0, &objects);

            let list = text(&json!({"before": around, "items": objects, "later": around})).unwrap();
            let (found, envelope) = split(Splitter::list(), list.as_bytes(), piece);
            prop_assert_eq!(&found, &objects);
            let envelope: Value = serde_json::from_slice(&envelope).unwrap();
            prop_assert_eq!(envelope, json!({"before": around, "items": [], "later": around}));
        }
    }
}
