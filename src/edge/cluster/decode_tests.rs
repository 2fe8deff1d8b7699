use super::*;
use serde_json::{Value, json};

fn told(kind: Kind, object: &Value) -> Told {
    decode(kind, object.to_string().as_bytes()).unwrap()
}

fn addresses(texts: &[&str]) -> Addresses {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn service_of(spec: &Value) -> Option<Service> {
    let object = json!({"metadata": {"name": "web", "namespace": "shop", "resourceVersion": "9"}, "spec": spec});
    let told = told(Kind::Service, &object);
    assert_eq!((&*told.key.namespace, &*told.key.name, &*told.version), ("shop", "web", "9"));
    told.object.map(|object| match object {
        Object::Service(service) => service,
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_services_target_follows_from_its_type_and_addresses() {
    let both =
        service_of(&json!({"type": "ClusterIP", "clusterIP": "192.0.2.1", "clusterIPs": ["192.0.2.1", "2001:db8::1"]}));
    assert_eq!(both.unwrap().target, Target::Addresses(addresses(&["192.0.2.1", "2001:db8::1"])));
    let old = service_of(&json!({"clusterIP": "192.0.2.1"}));
    assert_eq!(old.unwrap().target, Target::Addresses(addresses(&["192.0.2.1"])));
    for spec in [json!({"clusterIP": "None"}), json!({"clusterIP": "None", "clusterIPs": ["None"]})] {
        assert_eq!(service_of(&spec).unwrap().target, Target::Headless);
    }
    let outside = service_of(&json!({"type": "ExternalName", "externalName": "db.example.com"}));
    assert_eq!(outside.unwrap().target, Target::External("db.example.com".into()));
    // Still without an address, or without what it is about: there is nothing to say yet.
    for spec in [json!({"clusterIP": ""}), json!({}), json!(null), json!({"type": "ExternalName"})] {
        assert_eq!(service_of(&spec), None, "{spec}");
    }
}

#[test]
fn a_service_is_reached_from_outside_at_its_addresses_and_its_balancers() {
    let object = json!({
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"clusterIP": "192.0.2.1", "externalIPs": ["198.51.100.1", "no address", "198.51.100.1"],
            "ports": [{"port": 80}, {"name": "dns", "protocol": "UDP", "port": 53}, {"name": "x", "protocol": "QUIC", "port": 1}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}, {"hostname": "lb.example.com"}]}},
    });
    let Some(Object::Service(service)) = told(Kind::Service, &object).object else { panic!("a service") };
    assert_eq!(service.external, addresses(&["198.51.100.1", "203.0.113.1"]));
    let port = |name: &str, protocol, number| Port { name: name.into(), protocol, number };
    assert_eq!(*service.ports, [port("", Protocol::Tcp, 80), port("dns", Protocol::Udp, 53)]);
}

#[test]
fn only_ready_endpoints_with_addresses_are_kept() {
    let object = json!({
        "metadata": {"name": "web-x1", "namespace": "shop",
            "labels": {"kubernetes.io/service-name": "web", "app": "web"},
            "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": "2026-01-02T03:04:05.678Z"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}, {"name": "all", "port": null}],
        "endpoints": [
            {"addresses": ["192.0.2.1"], "conditions": {"ready": true, "serving": true},
                "hostname": "web-0", "zone": "zone-a", "targetRef": {"kind": "Pod", "name": "web-0", "namespace": "shop"}},
            {"addresses": ["192.0.2.2"], "conditions": {"ready": false, "terminating": true}},
            {"addresses": ["192.0.2.3"], "conditions": {"ready": null}, "targetRef": {"kind": "Node", "name": "n"}},
            {"addresses": ["192.0.2.4"], "hostname": "", "conditions": {}},
            {"addresses": ["host.example.com"]}, {"addresses": null},
        ],
    });
    let Some(Object::Slice(slice)) = told(Kind::Slice, &object).object else { panic!("a slice") };
    assert_eq!((&*slice.service, &slice.cluster, slice.triggered), ("web", &None, Some(1_767_323_045_678)));
    assert_eq!(slice.ports.len(), 1);
    let kept: Vec<_> = slice.endpoints.iter().map(|one| (one.addresses.clone(), one.hostname.as_deref())).collect();
    let expected = [("192.0.2.1", Some("web-0")), ("192.0.2.3", None), ("192.0.2.4", None)];
    assert_eq!(kept, expected.map(|(address, hostname)| (addresses(&[address]), hostname)));
    assert_eq!(
        (slice.endpoints[0].pod.as_deref(), slice.endpoints[0].zone.as_deref()),
        (Some("web-0"), Some("zone-a"))
    );
    assert_eq!(slice.endpoints[1].pod, None);
}

#[test]
fn a_slice_belongs_to_a_service_of_this_cluster_or_of_another() {
    let slice = |labels: Value| {
        let object =
            json!({"metadata": {"name": "x", "namespace": "shop", "labels": labels}, "endpoints": null, "ports": null});
        match told(Kind::Slice, &object).object {
            Some(Object::Slice(slice)) => Some((slice.service, slice.cluster)),
            _ => None,
        }
    };
    assert_eq!(slice(json!({"kubernetes.io/service-name": "web"})), Some(("web".into(), None)));
    let other = json!({"kubernetes.io/service-name": "derived-1", "multicluster.kubernetes.io/service-name": "web",
        "multicluster.kubernetes.io/source-cluster": "west"});
    assert_eq!(slice(other), Some(("web".into(), Some("west".into()))));
    assert_eq!(slice(json!({"app": "web"})), None);
    assert_eq!(slice(json!(null)), None);
}

#[test]
fn a_pod_has_its_addresses_until_it_has_ended() {
    let pod = |spec: Value, status: Value| {
        let object = json!({"metadata": {"name": "web-0", "namespace": "shop"}, "spec": spec, "status": status});
        match told(Kind::Pod, &object).object {
            Some(Object::Pod(pod)) => Some((pod.addresses, pod.is_on_host, pod.started)),
            _ => None,
        }
    };
    let status = json!({"phase": "Running", "podIP": "192.0.2.1", "podIPs": [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}],
        "startTime": "2026-01-02T03:04:05Z"});
    let expected = (addresses(&["192.0.2.1", "2001:db8::1"]), false, Some(1_767_323_045));
    assert_eq!(pod(json!({"containers": []}), status), Some(expected));
    let on_host = pod(json!({"hostNetwork": true}), json!({"podIP": "192.0.2.9"}));
    assert_eq!(on_host, Some((addresses(&["192.0.2.9"]), true, None)));
    for ended in ["Succeeded", "Failed"] {
        assert_eq!(pod(json!({}), json!({"phase": ended, "podIP": "192.0.2.1"})), None);
    }
    assert_eq!(pod(json!({}), json!({"phase": "Pending"})), None);
}

#[test]
fn a_namespace_comes_with_its_labels_in_order() {
    let object = json!({"metadata": {"name": "shop", "labels": {"team": "a", "env": "live", "team\"2": "é"}}});
    let Some(Object::Namespace(namespace)) = told(Kind::Namespace, &object).object else { panic!("a namespace") };
    let labels: Vec<(&str, &str)> = namespace.labels.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!((&*namespace.name, labels), ("shop", vec![("env", "live"), ("team", "a"), ("team\"2", "é")]));
}

#[test]
fn an_import_has_addresses_or_endpoints() {
    let import = |spec: Value| match told(
        Kind::Import,
        &json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec}),
    )
    .object
    {
        Some(Object::Import(import)) => Some(import.target),
        _ => None,
    };
    assert_eq!(
        import(json!({"type": "ClusterSetIP", "ips": ["192.0.2.1"]})),
        Some(Target::Addresses(addresses(&["192.0.2.1"])))
    );
    assert_eq!(import(json!({"type": "Headless"})), Some(Target::Headless));
    assert_eq!(import(json!({"type": "ClusterSetIP"})), None);
}

#[test]
fn an_event_says_what_has_become_of_an_object() {
    let event =
        |kind: &str, object: Value| event(Kind::Pod, json!({"type": kind, "object": object}).to_string().as_bytes());
    let object = json!({"metadata": {"name": "web-0", "namespace": "shop", "resourceVersion": "7"}, "status": {"podIP": "192.0.2.1"}});
    assert!(matches!(event("ADDED", object.clone()), Event::Put(Told { object: Some(_), .. })));
    assert!(matches!(event("MODIFIED", object.clone()), Event::Put(_)));
    assert!(matches!(event("DELETED", object), Event::Gone(Told { key, .. }) if &*key.name == "web-0"));
    let bookmark = json!({"kind": "Pod", "metadata": {"resourceVersion": "8", "creationTimestamp": null}, "spec": {"containers": null}});
    assert_eq!(event("BOOKMARK", bookmark), Event::Bookmark("8".into()));
    let status = json!({"kind": "Status", "code": 410, "message": "too old resource version", "details": {"retryAfterSeconds": 3}});
    let expected = Status { code: 410, text: "too old resource version".into(), retry_after: Some(3) };
    assert_eq!(event("ERROR", status), Event::Fault(expected));
    assert_eq!(event("NEWS", json!({})), Event::Unknown);
    assert_eq!(event("ADDED", json!({"metadata": {}})), Event::Unknown);
    assert_eq!(super::event(Kind::Pod, b"{}"), Event::Unknown);
}

#[test]
fn a_list_tells_its_version_and_where_it_goes_on() {
    let page =
        |metadata: Value| page(json!({"kind": "PodList", "metadata": metadata, "items": []}).to_string().as_bytes());
    let version = |next| Some(Page { version: "5".into(), next });
    assert_eq!(page(json!({"resourceVersion": "5"})), version(None));
    assert_eq!(page(json!({"resourceVersion": "5", "continue": ""})), version(None));
    assert_eq!(
        page(json!({"resourceVersion": "5", "continue": "abc", "remainingItemCount": 9})),
        version(Some("abc".into()))
    );
    assert_eq!(page(json!({})), None);
    assert_eq!(super::page(br#"{"metadata":{"resourceVersion":"5"},"items":["#), None);
}

#[test]
fn what_has_no_items_is_no_list() {
    let read = |text: &str| page(text.as_bytes());
    assert!(read(r#"{"metadata":{"resourceVersion":"9"},"items":[]}"#).is_some());
    assert!(read(r#"{"metadata":{"resourceVersion":"9"},"items":null}"#).is_some());
    for text in [
        r#"{"metadata":{"resourceVersion":"9"}}"#,
        r#"{"kind":"ConfigMap","metadata":{"resourceVersion":"9"}}"#,
        r#"{"metadata":{"resourceVersion":"9"},"items":{"a":{}}}"#,
        // Items that were not taken out where they came in: nobody has read them.
        r#"{"metadata":{"resourceVersion":"9"},"\u0069tems":[{}]}"#,
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn what_the_api_says_of_a_fault_is_one_short_line() {
    let long = "x".repeat(100_000);
    let told = status(format!(r#"{{"code":410,"message":"too old\u001b[31m\nERROR{long}"}}"#).as_bytes());
    assert_eq!(told.code, 410);
    assert!(told.text.len() < 1_000 && !told.text.contains(char::is_control), "{}", told.text);
}
