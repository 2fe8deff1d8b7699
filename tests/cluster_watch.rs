//! A cluster is watched through everything that its API server does: scripted mishaps first, then seeded random histories.
//! After each, every name is answered as the API server's objects say.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

mod cluster;
mod support;

use std::time::Duration;

use cluster::{Watched, address, namespace, plan, pod, scope, service, slice, small, tempo};
use meridian::base::Dice;
use meridian::dns::Rcode;
use meridian::edge::cluster::{Api, Happening, Plan, ServiceKind, Tempo};
use meridian::handlers::cluster::{Exposed, Settings, Standing};
use serde_json::json;
use support::api_server::{ApiServer, Weather};
use support::wait::{wait_for, within};

const WEB: &str = "web.shop.svc.cluster.local.";
const DB: &str = "db.shop.svc.cluster.local.";

/// How many addresses a name has, or why it has none.
fn addresses(watched: &Watched, name: &str) -> Result<usize, Rcode> {
    let answer = cluster::ask(&watched.cluster, name, "A", watched.clock).unwrap();
    if answer.rcode == Rcode::NOERROR {
        Ok(answer.answer.iter().map(|aged| aged.set.rdatas.iter().count()).sum())
    } else {
        Err(answer.rcode)
    }
}

#[test]
fn what_the_api_has_is_answered_and_what_changes_follows() {
    let api = small();
    let watched = Watched::begin(plan(&api.url()));
    watched.settles_to(&api);
    assert_eq!((addresses(&watched, WEB), addresses(&watched, DB)), (Ok(1), Ok(2)));

    api.put(
        "endpointslices",
        slice("shop", "db-2", "db", &json!([{"addresses": ["192.0.2.2"], "conditions": {"ready": false}}])),
    );
    api.put("services", service("bank", "web", "198.51.100.2"));
    api.put("pods", pod("shop", "db-1", "192.0.2.1", "Succeeded"));
    watched.settles_to(&api);
    assert_eq!(addresses(&watched, DB), Ok(1));

    api.delete("endpointslices", "shop", "db-1");
    api.delete("services", "shop", "web");
    api.delete("namespaces", "", "bank");
    watched.settles_to(&api);
    assert_eq!((addresses(&watched, WEB), addresses(&watched, DB)), (Err(Rcode::NXDOMAIN), Err(Rcode::NXDOMAIN)));
    // Each kind was listed once; all else was watched.
    assert_eq!(watched.meter.happened(Happening::Listed), cluster::kinds() as u64);
}

#[test]
fn nothing_is_denied_before_everything_is_known() {
    let api = small();
    api.set_down(true);
    let watched = Watched::begin(plan(&api.url()));
    wait_for(|| watched.meter.happened(Happening::Failed) > 5, "the API is tried");
    assert_eq!((addresses(&watched, WEB), watched.cluster.standing()), (Err(Rcode::SERVFAIL), Standing::Unsynced));
    assert!(watched.watch.report().kinds.iter().any(|kind| kind.failure.is_some()));
    api.set_down(false);
    watched.settles_to(&api);
}

#[test]
fn half_a_list_is_no_table() {
    let api = small();
    // Namespaces, services … come in any order: whichever comes first is refused, and with it everything.
    api.install("endpointslices", false);
    let watched = Watched::begin(plan(&api.url()));
    wait_for(|| watched.meter.happened(Happening::Listed) >= 3, "the others are listed");
    assert_eq!(addresses(&watched, DB), Err(Rcode::SERVFAIL));
    api.install("endpointslices", true);
    watched.settles_to(&api);
}

#[test]
fn lists_come_page_by_page() {
    let api = small();
    (0..60).for_each(|number| api.put("pods", pod("bank", &format!("p-{number}"), "203.0.113.9", "Running")));
    let watched = Watched::begin(plan(&api.url()));
    watched.settles_to(&api);
    let (lists, pages, _) = api.asked();
    assert_eq!(lists, cluster::kinds() as u64);
    assert_eq!(pages - lists, (69 - 1) / u64::from(tempo().page), "pages beyond each list's first");
}

#[test]
fn a_silent_api_takes_no_name_away() {
    let api = small();
    let watched = Watched::begin(plan(&api.url()));
    watched.settles_to(&api);
    api.set_down(true);
    wait_for(|| matches!(watched.cluster.standing(), Standing::Silent { .. }), "the silence is noticed");
    assert_eq!((addresses(&watched, WEB), addresses(&watched, DB)), (Ok(1), Ok(2)));
    // What changes meanwhile is told when it comes again: no new list is needed.
    api.delete("endpointslices", "shop", "db-1");
    api.set_down(false);
    watched.settles_to(&api);
    assert_eq!(watched.meter.happened(Happening::Listed), cluster::kinds() as u64);
}

#[test]
fn a_version_that_is_gone_makes_a_new_list() {
    let api = small();
    let watched = Watched::begin(plan(&api.url()));
    watched.settles_to(&api);
    api.set_down(true);
    api.delete("services", "shop", "web");
    api.put("services", service("bank", "mail", "198.51.100.3"));
    api.compact();
    api.set_down(false);
    watched.settles_to(&api);
    assert!(watched.meter.happened(Happening::Listed) > cluster::kinds() as u64);
}

#[test]
fn a_restart_with_a_jump_of_the_version_is_survived() {
    for jump in [100_000, -500] {
        let api = small();
        (0..600).for_each(|number| api.put("namespaces", namespace(&format!("n-{}", number % 10))));
        let mut plan = plan(&api.url());
        plan.tempo.check_every = Duration::from_secs(1);
        let watched = Watched::begin(plan);
        watched.settles_to(&api);
        api.set_down(true);
        api.restart(jump);
        api.delete("endpointslices", "shop", "db-1");
        api.put("services", service("bank", "mail", "198.51.100.3"));
        api.set_down(false);
        watched.settles_to(&api);
    }
}

#[test]
fn a_past_that_is_another_after_a_restart_is_found() {
    let api = small();
    (0..600).for_each(|number| api.put("namespaces", namespace(&format!("n-{}", number % 10))));
    let mut plan = plan(&api.url());
    plan.tempo.check_every = Duration::from_secs(1);
    let watched = Watched::begin(plan);
    watched.settles_to(&api);
    api.set_down(true);
    api.restart(-500);
    api.delete("endpointslices", "shop", "db-1");
    // By the time that we are back, the version is beyond ours again: nothing shows that the deletion was never told.
    (0..600).for_each(|number| api.put("namespaces", namespace(&format!("n-{}", number % 10))));
    api.set_down(false);
    watched.settles_to(&api);
    assert!(watched.meter.happened(Happening::Diverged) > 0);
}

#[test]
fn a_crowded_or_failing_api_is_asked_again_when_it_allows() {
    let api = small();
    for (status, retry_after) in
        [(429, Some(0)), (500, None), (503, None), (429, Some(1)), (504, None), (401, None), (403, None)]
    {
        api.refuse(status, retry_after);
    }
    let watched = Watched::begin(plan(&api.url()));
    watched.settles_to(&api);
    assert!(api.has_refused());
    let requests = watched.meter.requests();
    assert_eq!((requests[&429], requests[&500], requests[&403]), (2, 1, 1));
}

#[test]
fn a_list_that_is_forgotten_between_its_pages_is_asked_for_whole() {
    let api = small();
    api.refuse(410, None); // of whichever page comes first, as its token would be
    let watched = Watched::begin(plan(&api.url()));
    watched.settles_to(&api);
    let (lists, pages, _) = api.asked();
    assert!(pages >= lists);
}

#[test]
fn a_watch_that_falls_silent_is_begun_anew() {
    let api = small();
    let mut plan = plan(&api.url());
    plan.tempo.silence_max = Duration::from_millis(300);
    plan.tempo.watch = Duration::from_secs(60);
    let watched = Watched::begin(plan);
    watched.settles_to(&api);
    api.mute("services");
    let (.., before) = api.asked();
    api.put("services", service("bank", "mail", "198.51.100.3"));
    wait_for(|| api.asked().2 > before, "the watch is begun anew");
    api.unmute();
    watched.settles_to(&api);
    assert_eq!(watched.meter.happened(Happening::Listed), cluster::kinds() as u64);
}

#[test]
fn an_event_that_was_lost_without_a_trace_is_found() {
    let api = small();
    let mut plan = plan(&api.url());
    plan.tempo.check_every = Duration::from_millis(200);
    let watched = Watched::begin(plan);
    watched.settles_to(&api);
    wait_for(|| watched.meter.happened(Happening::Agreed) >= 2 * cluster::kinds() as u64, "comparisons are made");
    assert_eq!(watched.meter.happened(Happening::Diverged), 0);
    api.put_untold("services", service("bank", "mail", "198.51.100.3"));
    api.delete_untold("endpointslices", "shop", "db-1");
    watched.settles_to(&api);
    assert!(watched.meter.happened(Happening::Diverged) >= 2);
    // Changes that are told while comparisons go on are not taken for lost.
    let diverged = watched.meter.happened(Happening::Diverged);
    let agreed = watched.meter.happened(Happening::Agreed);
    let mut number = 0;
    wait_for(
        || {
            number += 1;
            api.put("services", service("bank", "db", &format!("198.51.100.{}", number % 250)));
            watched.meter.happened(Happening::Agreed) > agreed + 10
        },
        "comparisons are made while much changes",
    );
    watched.settles_to(&api);
    assert_eq!(watched.meter.happened(Happening::Diverged), diverged);
}

#[test]
fn a_service_changes_its_type_in_one_step() {
    let api = small();
    let watched = Watched::begin(plan(&api.url()));
    watched.settles_to(&api);
    for _ in 0..20 {
        for kind in ["None", "198.51.100.7", "external"] {
            let mut changed = service("shop", "db", kind);
            if kind == "external" {
                changed["spec"] = json!({"type": "ExternalName", "externalName": "db.example.com"});
            }
            api.put("services", changed);
            // At no moment is there neither the old nor the new.
            wait_for(
                || {
                    let answer = cluster::ask(&watched.cluster, DB, "A", watched.clock).unwrap();
                    assert_eq!((answer.rcode, answer.answer.is_empty()), (Rcode::NOERROR, false));
                    let told = format!("{:?}", answer.answer);
                    told.contains("CNAME") == (kind == "external")
                },
                "the change is answered",
            );
        }
    }
    watched.settles_to(&api);
}

#[test]
fn only_what_is_in_scope_is_watched() {
    let api = small();
    let mut labelled = namespace("bank");
    labelled["metadata"]["labels"]["team"] = json!("payments");
    api.put("namespaces", labelled);
    api.put("services", service("bank", "web", "198.51.100.2"));
    api.put("services", service("bank", "mail", "198.51.100.3"));
    let mut plan = plan(&api.url());
    plan.scope.namespace_labels = "team=payments".into();
    plan.scope.labels = "app!=mail".into();
    let listed = Settings { namespaces: Exposed::Listed, ..(*cluster::settings()).clone() };
    let watched = Watched::begin_with(plan.clone(), listed.into());
    wait_for(|| watched.is_current(), "the watch is current");
    assert_eq!(addresses(&watched, "web.bank.svc.cluster.local."), Ok(1));
    assert_eq!(addresses(&watched, "mail.bank.svc.cluster.local."), Err(Rcode::NXDOMAIN));
    assert_eq!(addresses(&watched, WEB), Err(Rcode::NXDOMAIN));
    // What enters or leaves the selection is as if it came or went.
    let mut changed = service("bank", "web", "198.51.100.2");
    changed["metadata"]["labels"]["app"] = json!("mail");
    api.put("services", changed);
    wait_for(|| addresses(&watched, "web.bank.svc.cluster.local.") == Err(Rcode::NXDOMAIN), "it has left");
    drop(watched);

    plan.scope = scope();
    plan.scope.namespaces = Some(["bank".into()].into());
    let watched = Watched::begin(plan);
    wait_for(|| watched.is_current(), "the watch is current");
    assert_eq!(addresses(&watched, "mail.bank.svc.cluster.local."), Ok(1));
    assert_eq!(addresses(&watched, WEB), Err(Rcode::NXDOMAIN));
}

#[test]
fn imports_that_are_not_installed_hold_nothing_up_and_take_nothing_away() {
    let api = small();
    api.install("serviceimports", false);
    let watched = Watched::begin(plan(&api.url()));
    watched.settles_to(&api);
    drop(watched);
    api.install("serviceimports", true);
    let import = json!({"metadata": {"namespace": "shop", "name": "web"}, "spec": {"type": "ClusterSetIP", "ips": ["198.51.100.99"],
        "ports": [{"name": "http", "protocol": "TCP", "port": 80}]}});
    api.put("serviceimports", import);
    let watched = Watched::begin(plan(&api.url()));
    watched.settles_to(&api);
    assert_eq!(addresses(&watched, "web.shop.svc.clusterset.local."), Ok(1));
    api.install("serviceimports", false);
    api.break_all();
    wait_for(|| matches!(watched.cluster.standing(), Standing::Silent { .. }), "it is missed");
    assert_eq!(addresses(&watched, "web.shop.svc.clusterset.local."), Ok(1));
}

#[test]
fn a_snapshot_answers_while_the_api_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let api = small();
    let mut plan = plan(&api.url());
    plan.snapshot = Some(folder.path().join("cluster"));
    let watched = Watched::begin(plan.clone());
    watched.settles_to(&api);
    drop(watched.stop());

    api.set_down(true);
    let watched = Watched::begin(plan.clone());
    wait_for(|| matches!(watched.cluster.standing(), Standing::Snapshot { .. }), "the snapshot is read");
    wait_for(|| addresses(&watched, WEB) == Ok(1), "it answers");
    assert_eq!(addresses(&watched, DB), Ok(2));
    // What is gone since then goes with the list.
    api.delete("services", "shop", "web");
    api.delete("pods", "shop", "db-1");
    api.set_down(false);
    watched.settles_to(&api);
    drop(watched.stop());

    // Another part of the cluster is another cluster; a damaged file is none.
    api.set_down(true);
    let mut other = plan.clone();
    other.scope.labels = "app".into();
    let watched = Watched::begin(other);
    wait_for(|| watched.meter.happened(Happening::Failed) > 5, "the API is tried");
    assert_eq!(watched.cluster.standing(), Standing::Unsynced);
    drop(watched.stop());
    let path = folder.path().join("cluster");
    let mut octets = std::fs::read(&path).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
    std::fs::write(&path, octets).unwrap();
    let watched = Watched::begin(plan);
    wait_for(|| watched.meter.happened(Happening::Failed) > 5, "the API is tried");
    assert_eq!(addresses(&watched, DB), Err(Rcode::SERVFAIL));
}

#[test]
fn the_time_from_a_change_to_its_answer_is_measured() {
    let api = small();
    let watched = Watched::begin(plan(&api.url()));
    watched.settles_to(&api);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let stamp = jiff::Timestamp::from_millisecond(now.as_millis() as i64 - 300).unwrap().to_string();
    let mut changed = slice("shop", "db-2", "db", &json!([{"addresses": ["192.0.2.4"]}]));
    changed["metadata"]["annotations"] = json!({"endpoints.kubernetes.io/last-change-trigger-time": stamp});
    api.put("endpointslices", changed);
    wait_for(|| watched.meter.programming(ServiceKind::Headless).count() == 1, "it is measured");
    assert!(watched.meter.programming(ServiceKind::Headless).seconds() >= 0.3);
    assert_eq!(watched.meter.programming(ServiceKind::ClusterIp).count(), 0);
    assert!(watched.meter.delay().count() > 0);
}

/// With `MERIDIAN_TEST_KUBECONFIG=FILE`, which names a real API server whose cluster changes little.
#[test]
fn a_real_api_server_is_watched_and_agrees_with_what_is_held() {
    let Some(file) = std::env::var_os("MERIDIAN_TEST_KUBECONFIG") else {
        return println!("skipped: MERIDIAN_TEST_KUBECONFIG names no API server");
    };
    let api = Api::Kubeconfig { file: file.into(), context: None };
    let mut plan = Plan { api, tempo: Tempo { check_every: Duration::from_secs(1), ..Tempo::default() }, ..plan("") };
    plan.scope.has_imports = false;
    let kinds = plan.scope.kinds().len() as u64;
    let watched = Watched::begin(plan);
    wait_for(|| watched.is_current(), "the watch is current");
    assert!(addresses(&watched, "kubernetes.default.svc.cluster.local.").is_ok_and(|count| count > 0));
    // A bookmark a minute is what the API promises.
    let limit = Duration::from_secs(180);
    within(limit, "every kind is compared", || (watched.meter.happened(Happening::Agreed) >= kinds).then_some(()));
    assert_eq!((watched.meter.happened(Happening::Diverged), watched.meter.happened(Happening::Unreadable)), (0, 0));
}

/// One thing that happens in a cluster.
fn change(api: &ApiServer, dice: &mut Dice) {
    let pick = |dice: &mut Dice, of: &[&'static str]| of[dice.index(of.len())];
    let (space, name) = (pick(dice, &cluster::NAMESPACES[..2]), pick(dice, &cluster::SERVICES));
    let some = |dice: &mut Dice| address(dice.below(u64::from(cluster::ADDRESSES)) as u8).to_string();
    match dice.below(12) {
        0 => api.put("namespaces", namespace(space)),
        1 if dice.chance(200) => api.delete("namespaces", "", space),
        2 | 3 => {
            let target = match dice.below(4) {
                0 => "None".to_owned(),
                1 => String::new(),
                _ => format!("198.51.100.{}", dice.below(20)),
            };
            let mut new = service(space, name, &target);
            if dice.chance(150) {
                new["spec"] = json!({"type": "ExternalName", "externalName": "host.example.com"});
            } else if dice.chance(200) {
                new["status"]["loadBalancer"]["ingress"] = json!([{"ip": format!("203.0.113.{}", dice.below(5))}]);
            }
            api.put("services", new);
        }
        4 => api.delete("services", space, name),
        5..=7 => {
            let endpoints: Vec<_> = (0..dice.below(4))
                .map(|_| {
                    let mut one = json!({"addresses": [some(dice)], "zone": "zone-a"});
                    if dice.chance(300) {
                        one["hostname"] = json!(pick(dice, &["host-0", "host-1"]));
                    }
                    if dice.chance(500) {
                        one["conditions"] = json!({"ready": dice.chance(600)});
                    }
                    one
                })
                .collect();
            let piece = format!("piece-{}", dice.below(3));
            api.put("endpointslices", slice(space, &piece, name, &json!(endpoints)));
        }
        8 => api.delete("endpointslices", space, &format!("piece-{}", dice.below(3))),
        9 | 10 => {
            let phase = pick(dice, &["Running", "Running", "Running", "Succeeded"]);
            let (name, address) = (format!("p-{}", dice.below(9)), some(dice));
            api.put("pods", pod(space, &name, &address, phase));
        }
        _ => api.delete("pods", space, &format!("p-{}", dice.below(9))),
    }
}

/// One thing that happens to an API server.
fn mishap(api: &ApiServer, dice: &mut Dice) {
    match dice.below(12) {
        0 => api.break_all(),
        1 => api.compact(),
        2 => api.restart(dice.below(10_000).cast_signed()),
        3 => {
            api.set_down(true);
            (0..dice.below(5)).for_each(|_| change(api, dice));
            if dice.chance(500) {
                api.compact();
            }
            api.set_down(false);
        }
        4 | 5 => {
            let weather = Weather {
                crowded: dice.below(300) as u32,
                failing: dice.below(300) as u32,
                breaking: dice.below(400) as u32,
                dribbling: dice.below(500) as u32,
                forgetting: dice.below(200) as u32,
            };
            api.set_weather(weather, dice.bits());
        }
        _ => api.set_weather(Weather::default(), 0),
    }
}

#[test]
fn whatever_happens_every_name_is_answered_as_the_api_says_in_the_end() {
    let given = std::env::var("CLUSTER_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    let count = std::env::var("CLUSTER_SEEDS").ok().map_or(12, |count| count.parse().unwrap());
    let seeds: Vec<u64> = given.map_or_else(|| (0..count).collect(), |seed| vec![seed]);
    for seed in seeds {
        println!("CLUSTER_SEED={seed}");
        let mut dice = Dice::from_number(seed);
        let api = ApiServer::start();
        (0..dice.below(60)).for_each(|_| change(&api, &mut dice));
        let mut plan = plan(&api.url());
        if dice.chance(500) {
            plan.tempo.check_every = Duration::from_millis(50);
        }
        let watched = Watched::begin(plan);
        for _ in 0..3 {
            for _ in 0..dice.below(150) {
                change(&api, &mut dice);
                if dice.chance(100) {
                    mishap(&api, &mut dice);
                }
                if dice.chance(100) {
                    // Let it be heard of, or not.
                    std::thread::yield_now();
                }
            }
            api.set_weather(Weather::default(), 0);
            watched.settles_to(&api);
        }
        assert_eq!(watched.meter.happened(Happening::Unreadable), 0);
    }
}
