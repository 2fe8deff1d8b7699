//! What a cluster's API says: lists and events as it writes them, and each oddity once.

const LIST: u8 = 0;
const WATCH: u8 = 8;
const NAMESPACES: u8 = 0;
const SERVICES: u8 = 1;
const SLICES: u8 = 2;
const PODS: u8 = 3;
const IMPORTS: u8 = 4;

const SPACES: &str = r#"{"kind":"NamespaceList","apiVersion":"v1","metadata":{"resourceVersion":"10"},"items":[
{"metadata":{"name":"default","resourceVersion":"1","labels":{"kubernetes.io/metadata.name":"default","team":"a"}}},{"metadata":{"name":"shop","labels":null}}]}"#;
const WEB: &str = r#"{"metadata":{"name":"web","namespace":"default","resourceVersion":"5"},"spec":{"type":"ClusterIP","clusterIP":"10.96.7.7","clusterIPs":["10.96.7.7","fd00:96::7"],"externalIPs":["198.51.100.7"],"ports":[{"name":"http","protocol":"TCP","port":80},{"port":81}]},"status":{"loadBalancer":{"ingress":[{"ip":"203.0.113.7"},{"hostname":"lb.example"}]}}}"#;
const DB: &str = r#"{"metadata":{"name":"db","namespace":"default","resourceVersion":"6"},"spec":{"clusterIP":"None","clusterIPs":["None"]}}"#;
const BOOKS: &str = r#"{"metadata":{"name":"books","namespace":"default"},"spec":{"type":"ExternalName","externalName":"Www.Example."}}"#;
const RING: &str = r#"{"metadata":{"name":"ring","namespace":"default"},"spec":{"type":"ExternalName","externalName":"ring.default.svc.cluster.local"}}"#;
const PIECE: &str = r#"{"metadata":{"name":"db-1","namespace":"default","resourceVersion":"7","labels":{"kubernetes.io/service-name":"db"},"annotations":{"endpoints.kubernetes.io/last-change-trigger-time":"2026-01-02T03:04:05Z"}},"addressType":"IPv4","ports":[{"name":"http","protocol":"TCP","port":5432},{"name":"all","port":null}],"endpoints":[{"addresses":["10.0.0.1"],"conditions":{"ready":true},"hostname":"db-0","zone":"eu.west-1a","targetRef":{"kind":"Pod","name":"db-0","namespace":"default"}},{"addresses":["10.0.0.2"],"conditions":{"ready":false}},{"addresses":["10.0.0.1"]},{"addresses":["fd00::1","fd00::2"],"conditions":{}}]}"#;
const AFAR: &str = r#"{"metadata":{"name":"web-west","namespace":"default","labels":{"kubernetes.io/service-name":"derived-1","multicluster.kubernetes.io/service-name":"web","multicluster.kubernetes.io/source-cluster":"west"}},"endpoints":[{"addresses":["10.9.0.1"],"hostname":"one"}],"ports":null}"#;
const POD: &str = r#"{"metadata":{"name":"db-0","namespace":"default"},"spec":{"hostNetwork":false,"containers":[]},"status":{"phase":"Running","podIP":"10.0.0.1","podIPs":[{"ip":"10.0.0.1"},{"ip":"fd00::1"}],"startTime":"2026-01-02T03:04:05Z"}}"#;
const IMPORT: &str = r#"{"metadata":{"name":"web","namespace":"default"},"spec":{"type":"ClusterSetIP","ips":["10.112.0.1"],"ports":[{"name":"http","port":80}]}}"#;

fn list(version: u32, more: &str, items: &[&str]) -> String {
    format!(r#"{{"kind":"List","metadata":{{"resourceVersion":"{version}"{more}}},"items":[{}]}}"#, items.join(","))
}

fn events(all: &[(&str, &str)]) -> String {
    all.iter().map(|(kind, object)| format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n")).collect()
}

fn script(how: u8, pieces: &[(u8, String)]) -> Vec<u8> {
    let pieces = pieces.iter().flat_map(|(what, text)| [0xFF, *what].into_iter().chain(text.bytes()));
    std::iter::once(how).chain(pieces).collect()
}

pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let whole = || {
        vec![
            (LIST | NAMESPACES, SPACES.to_owned()),
            (LIST | SERVICES, list(10, "", &[WEB, DB, BOOKS, RING])),
            (LIST | SLICES, list(10, "", &[PIECE, AFAR])),
            (LIST | PODS, list(10, "", &[POD])),
            (LIST | IMPORTS, list(10, "", &[IMPORT])),
        ]
    };
    let with = |more: &[(u8, String)]| [whole(), more.to_vec()].concat();
    let gone = r#"{"kind":"Status","code":410,"message":"too old resource version","reason":"Expired","details":{"retryAfterSeconds":3}}"#;
    let bookmark = r#"{"kind":"Service","metadata":{"resourceVersion":"99","creationTimestamp":null},"spec":{}}"#;
    let headless = WEB.replace("10.96.7.7", "None").replace(r#","fd00:96::7""#, "");
    let moved = PIECE.replace(r#"service-name":"db"#, r#"service-name":"web"#);
    let ended = POD.replace("Running", "Succeeded");
    let mut seeds = vec![("nothing", Vec::new())];
    for (name, how) in [("plain", 0), ("by-pod", 0b0011_1000), ("listed", 0b0001_0100), ("narrow", 0b1100_0011)] {
        seeds.push((name, script(how, &whole())));
    }
    let scripts: Vec<(&'static str, Vec<(u8, String)>)> = vec![
        (
            "watch",
            with(&[(
                WATCH | SERVICES,
                events(&[("MODIFIED", &headless), ("DELETED", DB), ("ADDED", DB), ("BOOKMARK", bookmark)]),
            )]),
        ),
        ("octet-by-octet", with(&[(0x10 | WATCH | SLICES, events(&[("ADDED", &moved), ("DELETED", AFAR)]))])),
        ("pod-ends", with(&[(0x20 | WATCH | PODS, events(&[("MODIFIED", &ended)]))])),
        ("version-goes-back", with(&[(WATCH | SERVICES, events(&[("BOOKMARK", bookmark), ("ADDED", WEB)]))])),
        ("gone", with(&[(WATCH | NAMESPACES, events(&[("ERROR", gone), ("ADDED", WEB)]))])),
        (
            "news",
            with(&[(
                WATCH | SERVICES,
                events(&[("NEWS", "{}"), ("ADDED", r#"{"metadata":{}}"#), ("ADDED", "[]"), ("BOOKMARK", "{}")]),
            )]),
        ),
        (
            "two-pages",
            vec![(LIST | SERVICES, list(5, r#","continue":"abc""#, &[WEB])), (0x30 | SERVICES, list(5, "", &[DB]))],
        ),
        ("cut-off", with(&[(LIST | SERVICES, list(11, "", &[WEB]).trim_end_matches(']').replace("]}", ""))])),
        (
            "list-of-none",
            with(&[
                (LIST | SERVICES, list(11, "", &[])),
                (LIST | SLICES, r#"{"metadata":{"resourceVersion":"9"},"items":null}"#.to_owned()),
            ]),
        ),
        (
            "no-list",
            with(&[
                (LIST | SERVICES, r#"{"metadata":{"resourceVersion":"9"},"items":{"a":{}}}"#.to_owned()),
                (LIST | PODS, gone.to_owned()),
            ]),
        ),
        (
            "items-that-are-none",
            with(&[(
                LIST | SERVICES,
                r#"{"metadata":{"resourceVersion":"9"},"items":[{"metadata":{}},{},[{}]]}"#.to_owned(),
            )]),
        ),
        (
            "items-that-are-no-objects",
            with(&[(LIST | SERVICES, r#"{"metadata":{"resourceVersion":"9"},"items":[1,"a",null]}"#.to_owned())]),
        ),
        (
            "items-by-an-escaped-name",
            with(&[(LIST | SERVICES, r#"{"metadata":{"resourceVersion":"9"},"\u0069tems":[{}]}"#.to_owned())]),
        ),
        (
            "nulls",
            vec![(
                LIST | SERVICES,
                list(
                    1,
                    "",
                    &[
                        r#"{"metadata":{"name":"n","namespace":null},"spec":null,"status":null}"#,
                        r#"{"metadata":{"name":"o"},"spec":{"clusterIPs":null,"ports":null,"externalIPs":null},"status":{"loadBalancer":null}}"#,
                    ],
                ),
            )],
        ),
        (
            "odd-names",
            vec![
                (
                    LIST | SERVICES,
                    list(
                        1,
                        "",
                        &[
                            &WEB.replace("\"web\"", "\"a.b c\\u0000é\\\"\""),
                            &WEB.replace(
                                "\"web\"",
                                "\"0123456789012345678901234567890123456789012345678901234567890123456789\"",
                            ),
                        ],
                    ),
                ),
                (LIST | SLICES, list(1, "", &[&PIECE.replace("db-0", "a.b"), &PIECE.replace("db-1", "")])),
            ],
        ),
        (
            "odd-numbers",
            vec![(
                LIST | SERVICES,
                list(1, "", &[&WEB.replace("80", "65536"), &WEB.replace("80", "-1"), &DB.replace("\"6\"", "6")]),
            )],
        ),
        (
            "empty-endpoints",
            vec![(
                LIST | SLICES,
                list(1, "", &[&PIECE.replace(r#"[{"addresses""#, r#"[{},{},{},{},{},{},{},{},{"addresses""#)]),
            )],
        ),
        (
            "deep",
            vec![
                (LIST | SERVICES, list(1, "", &[&format!("{}{}", "[".repeat(200), "]".repeat(200))])),
                (WATCH | SERVICES, "{\"a\":".repeat(200)),
            ],
        ),
    ];
    seeds.extend(scripts.into_iter().map(|(name, pieces)| (name, script(0, &pieces))));
    seeds
}
