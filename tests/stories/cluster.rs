//! The cluster of a story: its pods and services, and what its pods may do.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use meridian::base::Instant;
use meridian::base::collections::Keyed;
use meridian::dns::Name;
use meridian::handlers::cluster::objects::{Key, Kind, Namespace, Object, Pod, Service, Target};
use meridian::handlers::cluster::{
    Autopath, Cluster, Exposed, ForPods, KnownTlds, Namespaces, PodPolicy, Pods, Policy, Search, Settings, Standing,
    Store,
};
use meridian::steer::Scene;

use crate::text;

/// The calendar when a story begins, seconds.
const WALL: u64 = 1_800_000_000;

/// What a story says of its cluster.
#[derive(Clone, Default)]
pub(crate) struct Told {
    objects: Vec<Object>,
    search: Option<Vec<Name>>,
    tlds: Vec<Name>,
    policies: Vec<PodPolicy>,
}

/// The links that are there for it, and what changes them.
pub(crate) struct Links {
    pub(crate) cluster: Cluster,
    pub(crate) for_pods: ForPods,
    pub(crate) policy: Option<Arc<Policy>>,
    pub(crate) tlds: KnownTlds,
    store: Store,
}

fn key(text: &str) -> Result<Key, String> {
    let (namespace, name) = text.split_once('/').ok_or("NAMESPACE/NAME")?;
    Ok(Key { namespace: namespace.into(), name: name.into() })
}

/// The object that the line `words` tells of, if it does.
pub(crate) fn object(words: &[&str]) -> Option<Result<Object, String>> {
    Some(match words {
        ["namespace", name, labels @ ..] => {
            let labels = labels.iter().filter_map(|label| label.split_once('='));
            let labels = labels.map(|(key, value)| (key.into(), value.into())).collect();
            Ok(Object::Namespace(Namespace { name: (*name).into(), labels }))
        }
        ["pod", address, namespace, words @ ..] => {
            address.parse::<IpAddr>().map_err(|fault| fault.to_string()).map(|address| {
                let age = if words.contains(&"young") { 1 } else { 3_600 };
                Object::Pod(Pod {
                    key: Key { namespace: (*namespace).into(), name: format!("{namespace}-{address}").into() },
                    addresses: [address].into_iter().collect(),
                    is_on_host: words.contains(&"host"),
                    started: (!words.contains(&"new")).then_some(WALL - age),
                })
            })
        }
        ["service", of, target] => key(of).map(|key| {
            let target = match target.parse::<IpAddr>() {
                Ok(address) => Target::Addresses([address].into_iter().collect()),
                Err(_) => Target::External((*target).into()),
            };
            Object::Service(Service { key, target, ports: Box::default(), external: <_>::default() })
        }),
        _ => return None,
    })
}

impl Told {
    pub(crate) fn add(&mut self, object: Object) {
        self.objects.push(object);
    }

    /// `search DOMAIN…`, `known_tlds DOMAIN…`, `policy NAMESPACE|LABEL=VALUE allow|deny DOMAIN…`
    pub(crate) fn configure(&mut self, words: &[&str]) -> Result<(), String> {
        let names = |words: &[&str]| words.iter().map(|word| text::name(word)).collect::<Result<Vec<Name>, _>>();
        match words {
            ["search", domains @ ..] => self.search = Some(names(domains)?),
            ["known_tlds", domains @ ..] => self.tlds = names(domains)?,
            ["policy", whose, how @ ("allow" | "deny"), domains @ ..] => {
                let namespaces = if whose.contains('=') {
                    Namespaces::Labelled(whose.parse().map_err(|_| "no selector")?)
                } else {
                    Namespaces::Named([(*whose).into()].into_iter().collect())
                };
                let (allow, deny) = match *how {
                    "allow" => (Some(names(domains)?), Vec::new()),
                    _ => (None, names(domains)?),
                };
                self.policies.push(PodPolicy { namespaces, allow, deny });
            }
            _ => return Err("search, known_tlds or policy".into()),
        }
        Ok(())
    }
}

impl Links {
    pub(crate) fn new(told: &Told, now: Instant) -> Self {
        let settings = Arc::new(Settings {
            zones: vec!["cluster.local.".parse().unwrap()],
            multicluster: Vec::new(),
            reverse: ["0.0.0.0/0", "::/0"].iter().map(|all| all.parse().unwrap()).collect(),
            fallthrough: Vec::new(),
            namespaces: Exposed::All,
            ttl: Duration::from_secs(5),
            pods: Pods::Verified,
            names_endpoints_by_pod: false,
            has_endpoints: true,
            ignores_empty: false,
            external: None,
            stale_after: Duration::from_secs(3_600),
        });
        let cluster = Cluster::new(Arc::clone(&settings));
        let scene = Arc::new(Scene::default());
        scene.set_calendar(WALL, now);
        let search = told.search.as_ref().map(|domains| {
            let autopath = Autopath { search: domains.clone(), age_min: Duration::from_secs(5) };
            Search::new(cluster.clone(), &autopath, Arc::clone(&scene))
        });
        let policies = told.policies.clone();
        let policy = (!policies.is_empty()).then(|| Arc::new(Policy::new(cluster.clone(), policies)));
        let for_pods = ForPods { cluster: cluster.clone(), search, policy: policy.clone() };
        let tlds = KnownTlds::new(told.tlds.clone());
        let mut links =
            Self { cluster, for_pods, policy, tlds, store: Store::new(settings, Keyed::with_seeds(1, 2, 3, 4)) };
        for object in &told.objects {
            links.store.put(object.clone());
        }
        links.publish();
        links.cluster.stand(Standing::Current);
        links
    }

    fn publish(&mut self) {
        if let Some(table) = self.store.publish(WALL) {
            self.cluster.swap(table);
        }
    }

    /// There is `object` now.
    pub(crate) fn put(&mut self, object: Object) {
        self.store.put(object);
        self.publish();
    }

    /// The service or pod is gone.
    pub(crate) fn remove(&mut self, words: &[&str]) -> Result<(), String> {
        match words {
            ["service", of] => {
                self.store.remove(Kind::Service, &key(of)?);
            }
            ["pod", address, namespace] => {
                let key = Key { namespace: (*namespace).into(), name: format!("{namespace}-{address}").into() };
                self.store.remove(Kind::Pod, &key);
            }
            _ => return Err("gone service NAMESPACE/NAME, gone pod ADDRESS NAMESPACE".into()),
        }
        self.publish();
        Ok(())
    }
}
