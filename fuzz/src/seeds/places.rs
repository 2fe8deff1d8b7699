//! Databases of places: the smallest that say something, and such as would keep a reader busy.

type Octets = Vec<u8>;

fn text(text: &str) -> Octets {
    assert!(text.len() < 29, "longer ones have another header");
    [&[2 << 5 | text.len() as u8], text.as_bytes()].concat()
}

/// A map of fewer than 29 entries.
fn map(entries: &[(&str, Octets)]) -> Octets {
    let octets = entries.iter().flat_map(|(key, value)| [text(key), value.clone()].concat());
    [7 << 5 | entries.len() as u8].into_iter().chain(octets).collect()
}

fn number(kind: u8, octets: &[u8]) -> Octets {
    // Kinds from 8 on are said in a second octet.
    let head = if kind < 8 { vec![kind << 5 | octets.len() as u8] } else { vec![octets.len() as u8, kind - 7] };
    [&head, octets].concat()
}

/// A file of a tree, its records, and what is said of it.
fn file(tree: &[u8], data: &[u8], nodes: u32, record_size: u16, ip_version: u16) -> Octets {
    let about = map(&[
        ("binary_format_major_version", number(5, &[0, 2])),
        ("binary_format_minor_version", number(5, &[0, 0])),
        ("build_epoch", number(9, &[0, 0, 0, 0, 0, 0, 0, 1])),
        ("database_type", text("Test")),
        ("description", map(&[])),
        ("ip_version", number(5, &ip_version.to_be_bytes())),
        ("languages", number(11, &[])),
        ("node_count", number(6, &nodes.to_be_bytes())),
        ("record_size", number(5, &record_size.to_be_bytes())),
    ]);
    [tree, &[0; 16], data, b"\xab\xcd\xefMaxMind.com", &about].concat()
}

/// One node of 24-bit records: the left half of all addresses has the first record, the right half `right`.
fn one_node(right: u8, data: &[u8]) -> Octets {
    file(&[0, 0, 17, 0, 0, right], data, 1, 24, 4)
}

pub(super) fn databases() -> impl Iterator<Item = (&'static str, Octets)> {
    let country = map(&[("country", map(&[("iso_code", text("DE"))]))]);
    let degrees = |degrees: f64| number(3, &degrees.to_be_bytes());
    let place = [("latitude", degrees(52.5)), ("longitude", degrees(13.4))];
    let city = map(&[
        ("city", map(&[("names", map(&[("en", text("Berlin"))]))])),
        ("location", map(&place)),
        ("subdivisions", [&[1, 4][..], &map(&[("iso_code", text("DE-BE"))])].concat()),
    ]);
    let system = map(&[("autonomous_system_number", number(6, &[0, 0, 0xFB, 0xF4]))]);
    let flat = map(&[("country_code", text("NL")), ("lat", text("52.1")), ("lng", text("5.1")), ("asn", text("AS1"))]);
    // Each list holds the one before it many times over.
    let mut fan = text("x");
    let mut before = 0u16;
    for _ in 0..9 {
        let list = fan.len() as u16;
        fan.extend([29, 4, 31]);
        for _ in 0..60 {
            fan.extend([1 << 5 | (before >> 8) as u8, before as u8]);
        }
        before = list;
    }
    let at = 17 + u32::from(before);
    let bomb = file(&[&at.to_be_bytes()[1..], &[0, 0, 1]].concat(), &fan, 1, 24, 4);
    let deep = [[1, 4].repeat(600), text("x")].concat();
    [
        ("country", one_node(1, &country)),
        ("country-v6", file(&[0, 0, 17, 0, 0, 1], &country, 1, 24, 6)),
        ("records-of-28-bits", file(&[0, 0, 17, 0, 0, 0, 1], &country, 1, 28, 4)),
        ("records-of-32-bits", file(&[0, 0, 0, 17, 0, 0, 0, 1], &country, 1, 32, 4)),
        ("city", one_node(1, &city)),
        ("system", one_node(17, &system)),
        ("flat", one_node(1, &flat)),
        ("node-to-itself", file(&[0, 0, 0, 0, 0, 0], &country, 1, 24, 4)),
        ("node-to-itself-v6", file(&[0, 0, 0, 0, 0, 0], &country, 1, 24, 6)),
        ("nodes-without-a-tree", file(&[0, 0, 17, 0, 0, 1], &country, u32::MAX, 24, 4)),
        ("records-of-no-bits", file(&[0, 0, 17, 0, 0, 1], &country, 1, 0, 4)),
        ("ip-version-5", file(&[0, 0, 17, 0, 0, 1], &country, 1, 24, 5)),
        ("record-past-the-end", one_node(255, &country)),
        ("pointer-to-itself", one_node(1, &[0x20, 0])),
        ("pointers-in-a-ring", one_node(1, &[0x20, 2, 0x20, 0])),
        ("lists-in-lists", one_node(1, &deep)),
        ("lists-fanned-out", bomb),
        ("map-that-claims-much", one_node(1, &[0xFF, 0xFF, 0xFF, 0xFF])),
        ("text-that-claims-much", one_node(1, &[0x5F, 0xFF, 0xFF, 0xFF])),
        ("only-a-marker", b"\xab\xcd\xefMaxMind.com".to_vec()),
    ]
    .into_iter()
}
