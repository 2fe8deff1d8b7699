//! What is shipped beside the program: the compose file, the images' configuration, the packages' files. They are held
//! to each other and to the program; no container engine is needed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use k8s_openapi::Resource;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{ConfigMap, Container, PodSpec, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use meridian::app::config::{self, Config, Machine};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const MACHINE: Machine = Machine { cores: NonZeroUsize::new(4).unwrap(), memory: Some(8 << 30) };

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn yaml(path: &str) -> Value {
    serde_yaml::from_str(&fs::read_to_string(at(path)).unwrap()).unwrap_or_else(|fault| panic!("{path}: {fault}"))
}

fn loaded(path: &str) -> Config {
    config::read(&at(path), &MACHINE).unwrap_or_else(|faults| panic!("{faults:#?}")).config
}

/// The words of a list.
fn words(list: &Value) -> Vec<&str> {
    list.as_array().unwrap_or_else(|| panic!("{list} is no list")).iter().map(|word| word.as_str().unwrap()).collect()
}

#[test]
fn every_configuration_that_is_shipped_loads() {
    for path in ["deploy/container.yaml", "deploy/demo/meridian.yaml", "deploy/debian/meridian.yaml"] {
        let config = loaded(path);
        assert_eq!(config.state.as_deref(), Some(Path::new("/var/lib/meridian")), "{path}");
        assert!(config.listen.iter().all(|listen| listen.address.port() == 53), "{path}");
    }
}

#[test]
fn the_demonstration_leads_to_its_web_servers() {
    let compose = yaml("docker-compose.yml");
    let services = compose["services"].as_object().unwrap();
    let address = |service: &str| -> IpAddr {
        services[service]["networks"]["demo"]["ipv4_address"].as_str().unwrap().parse().unwrap()
    };
    let subnet = compose["networks"]["demo"]["ipam"]["config"][0]["subnet"].as_str().unwrap();
    let network: meridian::base::Network = subnet.parse().unwrap();
    let demo = yaml("deploy/demo/meridian.yaml");
    let members = demo["pools"]["shop"]["members"].as_object().unwrap();
    for (member, service) in [("first", "web-first"), ("second", "web-second")] {
        assert_eq!(members[member]["a"].as_str().unwrap().parse::<IpAddr>().unwrap(), address(service));
        assert!(network.contains(address(service)));
        let port = demo["checks"]["web"]["port"].to_string();
        let command = words(&services["web-first"]["command"]).join(" ");
        assert!(command.contains(&format!("-p {port} ")), "{command}");
    }
    assert_eq!(members.len(), 2);
    let own = demo["zones"]["shop.example"]["records"]["ns"].as_str().unwrap();
    assert_eq!(own.parse::<IpAddr>().unwrap(), address("meridian"));
    let published: BTreeSet<&str> = words(&services["meridian"]["ports"]).into_iter().collect();
    assert!(published.is_superset(&BTreeSet::from(["127.0.0.1:5300:53/udp", "127.0.0.1:5300:53/tcp"])));
}

#[test]
fn the_compose_file_names_files_and_volumes_that_there_are_and_gives_no_more_than_needed() {
    let compose = yaml("docker-compose.yml");
    let volumes = compose["volumes"].as_object().unwrap();
    let mut used = BTreeSet::new();
    for (name, service) in compose["services"].as_object().unwrap() {
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            match source.strip_prefix("./") {
                Some(path) => assert!(at(path).exists(), "{name} mounts {path}, which is not there"),
                None => assert!(volumes.contains_key(source) && used.insert(source), "{name}: {source}"),
            }
        }
        for port in service["ports"].as_array().into_iter().flatten() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name} is open to strangers: {port}");
        }
        assert!(service["image"].is_string(), "{name}");
    }
    assert_eq!(used.len(), volumes.len());
    let meridian = &compose["services"]["meridian"];
    assert_eq!((&meridian["read_only"], words(&meridian["cap_drop"])), (&true.into(), vec!["ALL"]));
    assert!(at(meridian["build"]["dockerfile"].as_str().unwrap()).exists());
}

#[test]
fn the_image_starts_what_its_root_holds() {
    let (file, script) =
        (fs::read_to_string(at("deploy/Containerfile")).unwrap(), fs::read_to_string(at("deploy/rootfs")).unwrap());
    let user = "65532";
    assert!(file.contains(&format!("USER {user}:{user}")) && script.contains(&format!("meridian:x:{user}:{user}:")));
    for path in ["/usr/bin/meridian", "/etc/meridian/meridian.yaml"] {
        assert!(file.contains(path) && script.contains(&format!("$root{path}")), "{path}");
    }
    let health = file.lines().find(|line| line.starts_with("HEALTHCHECK")).unwrap();
    let command: Vec<String> = serde_json::from_str(health.split_once("CMD ").unwrap().1).unwrap();
    let parsed = <meridian::app::cli::Cli as clap::Parser>::try_parse_from(command);
    assert!(parsed.is_ok(), "{parsed:?}");
}

#[test]
fn what_grafana_is_given_is_its_form() {
    let source = yaml("deploy/grafana/provisioning/datasources/prometheus.yml");
    assert_eq!(source["datasources"][0]["url"], "http://prometheus:9090");
    let provider = yaml("deploy/grafana/provisioning/dashboards/meridian.yml");
    let folder = provider["providers"][0]["options"]["path"].as_str().unwrap();
    let compose = fs::read_to_string(at("docker-compose.yml")).unwrap();
    assert!(compose.contains(&format!("./deploy/grafana:{folder}:ro")), "{folder}");
}

#[test]
fn prometheus_scrapes_meridian_where_it_listens() {
    let prometheus = yaml("deploy/prometheus/prometheus.yml");
    let job = &prometheus["scrape_configs"][0];
    let demo = loaded("deploy/demo/meridian.yaml").admin.unwrap();
    assert_eq!(words(&job["static_configs"][0]["targets"]), [format!("meridian:{}", demo.address.port())]);
    let credentials = job["authorization"]["credentials_file"].as_str().unwrap();
    let compose = fs::read_to_string(at("docker-compose.yml")).unwrap();
    assert!(demo.token_file.is_some() && compose.contains(&format!("./deploy/demo/token:{credentials}:ro")));
}

/// What the package takes from the tree, without the service's own files.
#[test]
fn the_package_takes_files_that_are_in_the_tree_or_made_for_it() {
    let manifest = fs::read_to_string(at("Cargo.toml")).unwrap();
    let script = fs::read_to_string(at("deploy/package")).unwrap();
    let (_, assets) = manifest.split_once("assets = [\n").unwrap();
    let mut count = 0;
    let sources = assets.lines().take_while(|line| *line != "]").map(|line| line.split('"').nth(1).unwrap());
    for source in sources.filter(|source| !source.starts_with("deploy/meridian.")) {
        count += 1;
        let is_made = match source.strip_prefix("target/package/meridian.") {
            Some(shell) => script.contains(shell),
            None => script.contains(source.trim_end_matches("/*.gz")),
        };
        assert!(is_made || at(source).exists(), "{source} is not there");
    }
    assert!(count >= 7);
}

/// The documents of a manifest.
fn manifest(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(at("deploy/kubernetes").join(name)).unwrap();
    let parts = text.split("\n---\n");
    parts.map(|part| serde_yaml::from_str(part).unwrap_or_else(|fault| panic!("{name}: {fault}"))).collect()
}

const MANIFESTS: [&str; 4] = ["meridian.yaml", "pods.yaml", "multicluster.yaml", "node-local.yaml"];

/// The object as the API's own types have it; what they do not know would be lost on the way there and back.
fn typed<T: Resource + DeserializeOwned + Serialize>(document: &Value) -> Option<T> {
    if document["kind"] != T::KIND || document["apiVersion"] != T::API_VERSION {
        return None;
    }
    let name = &document["metadata"]["name"];
    let object: T = serde_json::from_value(document.clone()).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    assert_eq!(serde_json::to_value(&object).unwrap(), *document, "{name} says something that its kind does not have");
    Some(object)
}

fn all<T: Resource + DeserializeOwned + Serialize>(name: &str) -> Vec<T> {
    manifest(name).iter().filter_map(typed).collect()
}

#[test]
fn every_manifest_says_what_its_kind_has_and_nothing_else() {
    for name in MANIFESTS {
        for document in manifest(name) {
            let is_known = typed::<ServiceAccount>(&document).is_some()
                || typed::<ClusterRole>(&document).is_some()
                || typed::<ClusterRoleBinding>(&document).is_some()
                || typed::<ConfigMap>(&document).is_some()
                || typed::<Deployment>(&document).is_some()
                || typed::<DaemonSet>(&document).is_some()
                || typed::<PodDisruptionBudget>(&document).is_some()
                || typed::<Service>(&document).is_some();
            assert!(is_known, "{name}: {} {}", document["apiVersion"], document["kind"]);
        }
    }
}

/// The same by the schemas, where the program that has them is installed.
#[test]
fn every_manifest_is_valid_by_the_schemas_of_kubernetes() {
    let Some(program) = std::env::var_os("KUBERNETES_VALIDATE") else {
        eprintln!("SKIPPED: KUBERNETES_VALIDATE names no kubernetes-validate (pip install kubernetes-validate)");
        return;
    };
    for name in MANIFESTS {
        let file = at("deploy/kubernetes").join(name);
        let output = std::process::Command::new(&program).arg("--strict").arg(&file).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn rights_in_the_api_are_those_to_look_at_what_names_follow_from() {
    let looked_at = |name: &str| -> BTreeSet<String> {
        let rules = all::<ClusterRole>(name).into_iter().flat_map(|role| role.rules.unwrap());
        let seen = rules.flat_map(|rule| {
            assert_eq!(rule.verbs, ["list", "watch"], "{name}");
            rule.resources.unwrap()
        });
        seen.collect()
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(looked_at("meridian.yaml"), set(&["services", "namespaces", "endpointslices"]));
    assert_eq!(looked_at("pods.yaml"), set(&["pods"]));
    assert_eq!(looked_at("multicluster.yaml"), set(&["serviceimports"]));
    assert_eq!(looked_at("node-local.yaml"), set(&[]), "a node's cache asks servers, not the API");
    let account = all::<ServiceAccount>("meridian.yaml").remove(0).metadata;
    for name in ["meridian.yaml", "pods.yaml", "multicluster.yaml"] {
        for binding in all::<ClusterRoleBinding>(name) {
            let subject = binding.subjects.unwrap().remove(0);
            assert_eq!((Some(subject.name), subject.namespace), (account.name.clone(), account.namespace.clone()));
        }
    }
}

fn only_container(pod: &PodSpec) -> &Container {
    assert_eq!(pod.containers.len(), 1);
    &pod.containers[0]
}

#[test]
fn the_deployment_gives_no_more_than_needed_and_is_found_as_the_clusters_dns() {
    let deployment = all::<Deployment>("meridian.yaml").remove(0).spec.unwrap();
    let labels = deployment.template.metadata.unwrap().labels.unwrap();
    let service = all::<Service>("meridian.yaml").remove(0);
    assert_eq!(service.metadata.name.as_deref(), Some("kube-dns"));
    let service = service.spec.unwrap();
    let selector = service.selector.unwrap();
    assert!(selector.iter().all(|(key, value)| labels.get(key) == Some(value)), "{selector:?}");
    let pod = deployment.template.spec.unwrap();
    assert_eq!(pod.dns_policy.as_deref(), Some("Default"), "it must not ask itself");
    let security = pod.security_context.as_ref().unwrap();
    assert_eq!((security.run_as_non_root, security.run_as_user), (Some(true), Some(65_532)));
    let container = only_container(&pod);
    let security = container.security_context.as_ref().unwrap();
    assert_eq!((security.read_only_root_filesystem, security.allow_privilege_escalation), (Some(true), Some(false)));
    let capabilities = security.capabilities.as_ref().unwrap();
    assert_eq!(capabilities.drop.as_deref(), Some(&["ALL".to_owned()][..]));
    assert_eq!(capabilities.add.as_deref(), Some(&["NET_BIND_SERVICE".to_owned()][..]));
    let ports = |ports: &mut dyn Iterator<Item = (Option<&String>, i32)>| {
        ports.map(|(name, port)| (name.unwrap().clone(), port)).collect::<BTreeSet<_>>()
    };
    let of_container = container.ports.as_ref().unwrap();
    let of_container = ports(&mut of_container.iter().map(|port| (port.name.as_ref(), port.container_port)));
    let of_service = service.ports.as_ref().unwrap();
    let of_service = ports(&mut of_service.iter().map(|port| (port.name.as_ref(), port.port)));
    assert!(of_container.is_superset(&of_service), "{of_container:?} {of_service:?}");
    let budget = all::<PodDisruptionBudget>("meridian.yaml").remove(0).spec.unwrap();
    let selected = budget.selector.unwrap().match_labels.unwrap();
    assert!(selected.iter().all(|(key, value)| labels.get(key) == Some(value)));
}

/// What a `ConfigMap` gives its container is checked as the container would, by the program itself.
#[test]
fn the_configurations_in_manifests_are_clean_and_listen_where_the_probes_ask() {
    for (name, admin) in
        [("meridian.yaml", "{address: 0.0.0.0:9153, health: 0.0.0.0:8080"), ("node-local.yaml", "169.254.20.10:9253")]
    {
        let map = all::<ConfigMap>(name).remove(0);
        let text = map.data.unwrap().remove("meridian.yaml").unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("meridian.yaml"), &text).unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_meridian"))
            .args(["check", "meridian.yaml"])
            .env("KUBE_DNS_UPSTREAM_SERVICE_HOST", "10.96.0.11")
            .current_dir(folder.path())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        // That probes from outside may ask is meant.
        assert!(told.contains("no faults, 1 lint") && told.contains("admin: lint"), "{name}: {told}");
        assert!(text.contains(&format!("admin: {admin}")), "{name}");
        let pods: Vec<PodSpec> = all::<Deployment>(name)
            .into_iter()
            .map(|it| it.spec.unwrap().template.spec.unwrap())
            .chain(all::<DaemonSet>(name).into_iter().map(|it| it.spec.unwrap().template.spec.unwrap()))
            .collect();
        let container = only_container(&pods[0]);
        let command = std::iter::once("meridian".to_owned()).chain(container.args.clone().unwrap());
        let parsed = <meridian::app::cli::Cli as clap::Parser>::try_parse_from(command);
        assert!(parsed.is_ok(), "{parsed:?}");
        let mounts = container.volume_mounts.as_ref().unwrap();
        for path in ["/etc/meridian", "/var/lib/meridian"] {
            assert!(mounts.iter().any(|mount| mount.mount_path == path), "{name}: {path}");
        }
    }
}
