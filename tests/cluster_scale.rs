//! How much a large cluster takes: memory while it is watched, memory while all of it is listed anew, and the time from a
//! change of endpoints to answers that show it.
//!
//! By itself it is a small cluster, which shows that everything works. With `MERIDIAN_CLUSTER_SCALE=full`, in a release
//! build, it is the cluster of 5,000 nodes that CoreDNS is tested with, and its bounds are held:
//!
//!     MERIDIAN_CLUSTER_SCALE=full cargo test --release --test cluster_scale -- --nocapture
//!
//! The API server is this process; what is measured is another, which has the watch, the store and the tables.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test may fail, and lives in real time"
)]

mod cluster;
mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cluster::{Watched, namespace, pod, scope};
use meridian::edge::cluster::{Api, Happening, Plan, ServiceKind, Tempo};
use serde_json::{Value, json};
use support::api_server::ApiServer;
use support::wait::within;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Where the process that is measured finds the API.
const API: &str = "CLUSTER_SCALE_API";
/// Nothing of a large cluster takes longer, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(90);
const MEBIBYTE: f64 = 1024.0 * 1024.0;

struct Size {
    namespaces: usize,
    services: usize,
    pods: usize,
    changes: usize,
}

const SMALL: Size = Size { namespaces: 5, services: 164, pods: 3_000, changes: 200 };
const FULL: Size = Size { namespaces: 100, services: 8_200, pods: 150_000, changes: 3_000 };
const CHANGES_A_SECOND: u32 = 100;
const MEMORY_MAX: f64 = 120.0;
const PEAK_MAX: f64 = 1.2;

#[test]
fn a_cluster_of_five_thousand_nodes_takes_little() {
    if let Ok(api) = std::env::var(API) {
        return be_watched(&api);
    }
    let is_full = std::env::var("MERIDIAN_CLUSTER_SCALE").is_ok_and(|scale| scale == "full");
    let size = if is_full { FULL } else { SMALL };
    let api = ApiServer::start_with(ballast(), Duration::from_secs(1));
    fill(&api, &size);
    api.compact();

    let mut measured = Measured::start(&api.url());
    let begun = Instant::now();
    let told = measured.until("the cluster is known", |told| told["current"] == true);
    println!("known after {:.1} s", begun.elapsed().as_secs_f64());
    assert_eq!(told["objects"], json!(size.namespaces + 2 * size.services + size.pods));
    let steady = measured.memory("VmRSS");

    measured.forget_peak();
    let lists = told["listed"].as_u64().unwrap();
    api.set_down(true);
    api.put("namespaces", namespace("late"));
    api.compact();
    api.set_down(false);
    let begun = Instant::now();
    let is_new = |told: &Value| told["listed"].as_u64().unwrap() >= lists + 5 && told["current"] == true;
    measured.until("all is listed anew", is_new);
    println!("listed anew after {:.1} s", begun.elapsed().as_secs_f64());
    let (peak, after) = (measured.memory("VmHWM"), measured.memory("VmRSS"));

    let [steady, peak, after] = [steady, peak, after].map(|octets| octets as f64 / MEBIBYTE);
    println!("{} pods, {} services: {steady:.1} MiB", size.pods, size.services);
    println!("while listed anew: {peak:.1} MiB at most, {:.2} times as much; {after:.1} MiB after", peak / steady);

    let begun = Instant::now();
    for number in 0..size.changes {
        // A pace is kept, not a moment waited for.
        let due = begun + Duration::from_secs(1) / CHANGES_A_SECOND * u32::try_from(number).unwrap();
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let service = (number * 7) % size.services;
        let mut changed = endpoints(service, &size, 1 + number % 3);
        let now = jiff::Timestamp::now().to_string();
        changed["metadata"]["annotations"] = json!({"endpoints.kubernetes.io/last-change-trigger-time": now});
        api.put("endpointslices", changed);
    }
    let took = begun.elapsed();
    let told = measured.until("every change is answered", |told| told["measured"] == json!(size.changes));
    let busy = measured.memory("VmRSS");
    println!("{} changes in {:.1} s; {:.1} MiB meanwhile", size.changes, took.as_secs_f64(), busy as f64 / MEBIBYTE);
    println!("programming latency: p50 {} s, p99 {} s, none above {} s", told["p50"], told["p99"], told["worst"]);
    println!("{} tables; from the socket to answers p99 {} s", told["published"], told["delay"]);
    if is_full {
        assert!(steady <= MEMORY_MAX, "{steady:.1} MiB");
        assert!(peak <= steady * PEAK_MAX, "{peak:.1} MiB after {steady:.1} MiB");
        assert!(told["p99"].as_f64().unwrap() < 1.0, "{told}");
    }
}

/// A process that watches, and is looked at from outside.
struct Measured {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Measured {
    fn start(api: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--nocapture", "--exact", "a_cluster_of_five_thousand_nodes_takes_little"]).env(API, api);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    fn ask(&mut self) -> Value {
        writeln!(self.child.stdin.as_mut().unwrap(), "how is it?").unwrap();
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the measured process has ended");
            // The test harness of the process says things of its own.
            if let Some(at) = line.find("told {") {
                return serde_json::from_str(&line[at + "told ".len()..]).unwrap();
            }
        }
    }

    fn until(&mut self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        within(LIMIT, what, || Some(self.ask()).filter(|told| is_so(told)))
    }

    /// Octets, by the system.
    fn memory(&self, what: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What the measured process does: it watches, and says how it is when asked.
fn be_watched(api: &str) {
    let watched =
        Watched::begin(Plan { api: Api::Url(api.to_owned()), scope: scope(), snapshot: None, tempo: Tempo::default() });
    for line in std::io::stdin().lines() {
        line.unwrap();
        let (report, meter) = (watched.watch.report(), &watched.meter);
        let mut times = meter.programming(ServiceKind::ClusterIp);
        times += meter.programming(ServiceKind::Headless);
        let worst = times.buckets().filter(|(_, count)| *count > 0).map(|(end, _)| end).last();
        let told = json!({
            "current": watched.is_current(), "objects": report.kinds.iter().map(|kind| kind.objects).sum::<usize>(),
            "listed": meter.happened(Happening::Listed), "published": meter.happened(Happening::Published),
            "measured": times.count(), "p50": times.quantile(0.5), "p99": times.quantile(0.99), "worst": worst,
            "delay": meter.delay().quantile(0.99),
        });
        println!("told {told}");
    }
}

/// What the real one says of an object beside: who wrote which of its members.
fn ballast() -> String {
    let fields: Vec<Value> = (0..12)
        .map(|number| {
            json!({"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
                "time": "2026-01-02T03:04:05Z", "fieldsV1": {format!("f:spec-{number}"): {"f:containers":
                {"k:{\"name\":\"app\"}": {".": {}, "f:image": {}, "f:imagePullPolicy": {}, "f:resources": {".": {}, "f:limits": {}}}}}}})
        })
        .collect();
    json!({"managedFields": fields, "containers": [{"name": "app", "image": "registry.example/app:1.2.3",
        "env": [{"name": "HOME", "value": "/home/app"}]}]})
    .to_string()
}

fn space(service: usize, size: &Size) -> String {
    format!("team-{}", service % size.namespaces)
}

fn pod_address(number: usize) -> String {
    format!("10.{}.{}.{}", 64 + number / 65_536, number / 256 % 256, number % 256)
}

/// The endpoints of a service without the first `missing`.
fn endpoints(service: usize, size: &Size, missing: usize) -> Value {
    let all = (service..size.pods).step_by(size.services).skip(missing);
    let endpoints: Vec<Value> = all
        .map(|number| {
            json!({"addresses": [pod_address(number)], "conditions": {"ready": true, "serving": true, "terminating": false},
                "nodeName": format!("node-{}", number % 5_000), "zone": format!("region-1{}", ["a", "b", "c"][number % 3]),
                "targetRef": {"kind": "Pod", "namespace": space(service, size), "name": pod_name(number, size)}})
        })
        .collect();
    cluster::slice(
        &space(service, size),
        &format!("service-{service}-x7k2p"),
        &format!("service-{service}"),
        &json!(endpoints),
    )
}

fn pod_name(number: usize, size: &Size) -> String {
    format!("service-{}-5d9c7f8b6d-{number:05}", number % size.services)
}

fn fill(api: &ApiServer, size: &Size) {
    for number in 0..size.namespaces {
        api.put("namespaces", namespace(&format!("team-{number}")));
    }
    for service in 0..size.services {
        // One in four is headless.
        let address = format!("172.{}.{}.{}", 16 + service / 65_536, service / 256 % 256, service % 256);
        let address = if service % 4 == 0 { "None" } else { &address };
        api.put("services", cluster::service(&space(service, size), &format!("service-{service}"), address));
        api.put("endpointslices", endpoints(service, size, 0));
    }
    for number in 0..size.pods {
        let mut one =
            pod(&space(number % size.services, size), &pod_name(number, size), &pod_address(number), "Running");
        one["status"]["startTime"] = json!("2026-01-02T03:04:05Z");
        api.put("pods", one);
    }
}
