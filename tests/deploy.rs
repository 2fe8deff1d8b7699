//! What is shipped beside the program: the compose file, the images' configuration, the packages' files. They are held
//! to each other and to the program; no container engine is needed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use meridian::app::config::{self, Config, Machine};
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
