use std::num::NonZeroUsize;

use super::*;
use crate::app::config::{Machine, load};

fn read(block: &str) -> Result<Option<Kubernetes>, Vec<String>> {
    let machine = Machine { cores: NonZeroUsize::MIN, memory: None };
    let text = format!("kubernetes: {block}");
    let checked = load(Path::new("/etc/meridian.yaml"), text.as_bytes(), &machine);
    checked
        .map(|checked| checked.config.kubernetes)
        .map_err(|faults| faults.iter().map(|fault| format!("{}: {}", fault.key, fault.found)).collect())
}

fn cluster(block: &str) -> Kubernetes {
    read(block).unwrap().unwrap()
}

fn names_of(texts: &[&str]) -> Vec<Name> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn an_empty_block_is_a_cluster_as_kubeadm_makes_it() {
    let Kubernetes { api, names, namespaces, namespace_labels, labels, autopath, known_tlds, policy, node_local } =
        cluster("{}");
    assert_eq!(api, ClusterApi::InCluster);
    assert_eq!((names.zones.clone(), names.multicluster.len()), (names_of(&["cluster.local"]), 0));
    assert!(names.reverse.contains("10.96.0.1".parse().unwrap()) && names.reverse.contains("fd00::1".parse().unwrap()));
    assert_eq!((names.ttl, names.pods, names.fallthrough.len()), (Duration::from_secs(5), Pods::Disabled, 0));
    assert!(names.has_endpoints && !names.names_endpoints_by_pod && !names.ignores_empty && names.external.is_none());
    assert_eq!(names.stale_after, Duration::from_secs(3_600));
    assert!(namespaces.is_none() && namespace_labels.is_empty() && labels.is_empty());
    assert!(autopath.is_none() && known_tlds.is_none() && policy.is_empty() && node_local.is_none());
    assert_eq!(read("off"), Ok(None));
    assert_eq!(read("false"), Ok(None));
}

#[test]
fn every_key_arrives_as_written() {
    let full = cluster(
        r#"
  api: {kubeconfig: admin.conf, context: blue}
  zone: [cluster.local, corp.example]
  multicluster: clusterset.local
  reverse: [10.96.0.0/12]
  fallthrough: [in-addr.arpa]
  ttl: 30s
  pods: verified
  endpoint_names: pod
  endpoints: true
  ignore_empty: on
  namespaces: [default, team-a]
  namespace_labels: "env in (live, test)"
  labels: "!internal"
  external: {zones: [ext.example], apex: ns, headless: true, ttl: 0s}
  stale_after: 10m
  autopath: {search: [corp.example], min_age: 10s}
  known_tlds: [corp.example]
  policy: [{namespaces: "team=payments", allow: [bank.example]}, {namespaces: [build], deny: [.]}]
  node_local: {addresses: [169.254.20.10, 10.96.0.10], interface: nodelocaldns, upstream: [10.96.0.11]}
"#,
    );
    assert_eq!(full.api, ClusterApi::Kubeconfig { file: "/etc/admin.conf".into(), context: Some("blue".into()) });
    assert_eq!(full.names.zones, names_of(&["cluster.local", "corp.example"]));
    assert_eq!(full.names.multicluster, names_of(&["clusterset.local"]));
    assert!(!full.names.reverse.contains("10.0.0.1".parse().unwrap()));
    assert_eq!(full.names.fallthrough, names_of(&["in-addr.arpa"]));
    assert!(full.names.names_endpoints_by_pod && full.names.ignores_empty && full.needs_pods());
    assert_eq!(full.namespaces.unwrap().into_iter().collect::<Vec<_>>(), ["default".into(), "team-a".into()]);
    assert_eq!(full.namespace_labels.to_string(), "env in (live,test)");
    assert_eq!(full.labels.to_string(), "!internal");
    let external = full.names.external.clone().unwrap();
    assert_eq!((external.zones, &*external.apex, external.with_headless), (names_of(&["ext.example"]), "ns", true));
    let autopath = full.autopath.unwrap();
    assert_eq!((autopath.search, autopath.age_min), (names_of(&["corp.example"]), Duration::from_secs(10)));
    assert_eq!(full.known_tlds, Some(names_of(&["corp.example"])));
    let [payments, build] = full.policy.as_slice() else { panic!("two policies") };
    assert_eq!(payments.namespaces, Namespaces::Labelled("team=payments".parse().unwrap()));
    assert_eq!((&payments.allow, payments.deny.len()), (&Some(names_of(&["bank.example"])), 0));
    assert_eq!(build.namespaces, Namespaces::Named(["build".into()].into()));
    assert_eq!((&build.allow, &build.deny), (&None, &names_of(&["."])));
    let node = full.node_local.unwrap();
    assert_eq!(node.upstream, ["10.96.0.11:53".parse().unwrap()]);
    assert_eq!((node.addresses.len(), node.interface.as_deref()), (2, Some("nodelocaldns")));
}

#[test]
fn words_stand_for_what_is_usual() {
    assert_eq!(cluster("{fallthrough: on}").names.fallthrough, [Name::root()]);
    assert_eq!(cluster("{reverse: off}").names.reverse, NetworkSet::default());
    assert_eq!(cluster("{autopath: on}").autopath.unwrap().search, []);
    assert_eq!(cluster("{known_tlds: on}").known_tlds, Some(Vec::new()));
    assert_eq!(cluster("{api: {url: 'http://127.0.0.1:8001'}}").api, ClusterApi::Url("http://127.0.0.1:8001".into()));
    assert!(!cluster("{pods: insecure}").needs_pods() && cluster("{autopath: on}").needs_pods());
}

#[test]
fn what_cannot_be_meant_is_a_fault() {
    for (block, key) in [
        ("on", "kubernetes"),
        ("{api: out-of-cluster}", "kubernetes.api"),
        ("{api: {}}", "kubernetes.api"),
        ("{api: {kubeconfig: f, url: 'http://x'}}", "kubernetes.api"),
        ("{api: {url: 'ftp://x'}}", "kubernetes.api.url"),
        ("{api: {url: 'http://x', context: c}}", "kubernetes.api.context"),
        ("{zone: []}", "kubernetes.zone"),
        ("{zone: .}", "kubernetes.zone"),
        ("{zone: [a.example, A.example]}", "kubernetes.zone[1]"),
        ("{zone: a.example, multicluster: [a.example]}", "kubernetes.multicluster"),
        ("{reverse: [10.0.0.1/8]}", "kubernetes.reverse[0]"),
        ("{ttl: 2h}", "kubernetes.ttl"),
        ("{pods: maybe}", "kubernetes.pods"),
        ("{namespaces: []}", "kubernetes.namespaces"),
        ("{namespaces: [Default]}", "kubernetes.namespaces[0]"),
        ("{labels: 'a in b'}", "kubernetes.labels"),
        ("{external: {}}", "kubernetes.external.zones"),
        ("{policy: [{namespaces: [a]}]}", "kubernetes.policy[0]"),
        ("{policy: [{allow: [a.example]}]}", "kubernetes.policy[0].namespaces"),
        ("{node_local: {}}", "kubernetes.node_local.addresses"),
        ("{node_local: {addresses: [::1], interface: 'longer than that'}}", "kubernetes.node_local.interface"),
        ("{node_local: {addresses: [::1], upstream: []}}", "kubernetes.node_local.upstream"),
        ("{node_local: {addresses: [::1], upstream: [::1]}}", "kubernetes.node_local"),
        ("{node_local: {addresses: [::1], upstream: nobody-tells}}", "kubernetes.node_local.upstream"),
        ("{node_local: {addresses: [169.254.20.10]}}", "kubernetes.node_local"),
        ("{autopath: {min_age: soon}}", "kubernetes.autopath.min_age"),
        ("{stale_after: 8d}", "kubernetes.stale_after"),
    ] {
        let faults = read(block).expect_err(block);
        assert!(faults.iter().any(|fault| fault.starts_with(&format!("{key}: "))), "{block}: {faults:?}");
    }
}

#[test]
fn a_nodes_cache_forwards_the_clusters_names_over_tcp_and_listens_for_the_nodes_pods() {
    let machine = Machine { cores: NonZeroUsize::MIN, memory: None };
    let text = |rest: &str| {
        format!(
            "{{kubernetes: {{zone: [cluster.local], external: {{zones: [ext.example]}}, reverse: [10.96.0.0/12, 'fd00::/18'], \
             node_local: {{addresses: [169.254.20.10], upstream: [10.96.0.11]}}}}, {rest}}}"
        )
    };
    let read = |rest: &str| load(Path::new("x"), text(rest).as_bytes(), &machine);
    let config = read("recursion: {forward: {ext.example: [192.0.2.1]}}").unwrap().config;
    assert_eq!(config.listen.iter().map(|one| one.address.to_string()).collect::<Vec<_>>(), ["169.254.20.10:53"]);
    let forward = config.recursion.unwrap().forward;
    let said: Vec<String> = forward
        .iter()
        .map(|one| format!("{} {} {}", one.zone, one.upstreams[0].address, one.upstreams[0].is_tcp_only))
        .collect();
    let cluster = |zone: &str| format!("{zone} 10.96.0.11:53 true");
    let others = ["10.in-addr.arpa.", "0.0.d.f.ip6.arpa.", "cluster.local."].map(cluster);
    assert_eq!(said[0], "ext.example. 192.0.2.1:53 false", "what is said elsewhere holds");
    assert_eq!(said[1..].iter().collect::<BTreeSet<_>>(), others.iter().collect());
    let both = read("listen: [127.0.0.1:53]").unwrap().config;
    assert_eq!(both.listen.len(), 2);
    assert!(read("recursion: off").unwrap_err().iter().any(|fault| fault.key == "recursion"));
}
