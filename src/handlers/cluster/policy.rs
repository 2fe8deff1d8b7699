//! Which names outside the cluster its pods may resolve, by their namespace and its labels.
//!
//! The house asks once a query which policy holds for its sender ([`Policy::group_of`]) and keeps what one group is told
//! from all others. The link stands behind the cluster's own names and before the memory, and refuses what the policy of
//! the asker's group does not allow: NXDOMAIN, so that stub resolvers do not try elsewhere, with an EDE that says why.
//!
//! The name that is asked for counts, and the one that an ExternalName service stands for, as pods' owners may make
//! such services; not the aliases of others behind it.

use std::net::IpAddr;

use super::objects::Pod;
use super::settings::{Namespaces, PodPolicy};
use super::{Cluster, Standing, Table};
use crate::chain::{Answer, Handler, Query, Turn, Verdict};
use crate::dns::{Class, Ede, EdeCode, Name, Rcode};

/// The group of those of whom it is not known which policy is theirs.
const UNKNOWN: u8 = u8::MAX;

/// The policies, and who is asked where pods are.
#[derive(Debug)]
pub struct Policy {
    cluster: Cluster,
    /// At most [`crate::base::bounds::POD_POLICIES`]; a group is the place of its policy, from 1.
    policies: Vec<PodPolicy>,
}

impl Policy {
    /// `policies` for the pods of `cluster`; of those that are for a namespace the first holds.
    #[must_use]
    pub const fn new(cluster: Cluster, policies: Vec<PodPolicy>) -> Self {
        Self { cluster, policies }
    }

    /// Which policy holds for those at `address`: 0 for who is no pod, or shares its host's address, and where none is
    /// for its namespace. Where it cannot be told which, nothing outside is resolved: the API has not been read yet, or
    /// several pods have the address and policies of their own.
    #[must_use]
    pub fn group_of(&self, address: IpAddr) -> u8 {
        if self.cluster.standing() == Standing::Unsynced {
            return UNKNOWN;
        }
        let table = self.cluster.table();
        let mut pods = table.pods_at(address.to_canonical());
        let Some(first) = pods.next() else { return 0 };
        let group = self.group_of_pod(&table, first);
        let is_alike = table.pods_at(address.to_canonical()).all(|pod| self.group_of_pod(&table, pod) == group);
        if is_alike { group } else { UNKNOWN }
    }

    fn group_of_pod(&self, table: &Table, pod: &Pod) -> u8 {
        if pod.is_on_host {
            return 0;
        }
        let namespace = &*pod.key.namespace;
        let labels = || table.namespace(namespace).map_or(&[][..], |known| &known.labels);
        let is_for = |policy: &PodPolicy| match &policy.namespaces {
            Namespaces::Named(names) => names.contains(namespace),
            Namespaces::Labelled(selector) => selector.matches(labels()),
        };
        let place = self.policies.iter().position(is_for).and_then(|place| u8::try_from(place).ok());
        place.map_or(0, |place| place.saturating_add(1))
    }

    /// Whether those of `group` may resolve `name`.
    fn allows(&self, group: u8, name: &Name) -> bool {
        let policy = usize::from(group).checked_sub(1).and_then(|place| self.policies.get(place));
        policy.is_none_or(|policy| policy.allows(name))
    }

    /// What the asker of `query` is told instead of what stands at `name`, if its policy does not allow that.
    pub(super) fn refusal(&self, query: &Query, name: &Name) -> Option<Answer> {
        if query.asker.group == UNKNOWN {
            let ede = Ede::new(EdeCode::NotReady, "it is not known yet which policy is for the asker");
            return Some(Answer::refusal(Rcode::SERVFAIL, ede));
        }
        let is_refused = query.question.class == Class::IN && !self.allows(query.asker.group, name);
        is_refused.then(|| {
            let ede = Ede::new(EdeCode::Blocked, "the policy for the pod's namespace does not allow this name");
            // A name that the cluster passed on may be its own a moment later.
            let recallable_until = (!self.cluster.may_own(name)).then_some(super::FOREVER);
            Answer { recallable_until, is_ageless: true, ..Answer::refusal(Rcode::NXDOMAIN, ede) }
        })
    }
}

impl PodPolicy {
    /// Whether `name` may be resolved: the nearest of the domains that it lies in decides, and of one that is both
    /// allowed and denied it is the denial.
    #[must_use]
    pub fn allows(&self, name: &Name) -> bool {
        let nearest =
            |domains: &[Name]| domains.iter().filter(|domain| name.is_within(domain)).map(Name::label_count).max();
        match (&self.allow, nearest(&self.deny)) {
            (None, denied) => denied.is_none(),
            (Some(allow), denied) => nearest(allow).is_some_and(|allowed| denied.is_none_or(|denied| allowed > denied)),
        }
    }
}

impl Handler for Policy {
    fn name(&self) -> &'static str {
        "policy"
    }

    fn handle(&self, query: &Query, _: &mut Turn<'_>) -> Verdict {
        self.refusal(query, &query.question.name).map_or(Verdict::Pass, Verdict::Answer)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::base::collections::Keyed;
    use crate::handlers::cluster::objects::{Key, Namespace, Object, Pod};
    use crate::handlers::cluster::{Store, tests};
    use crate::handlers::testing::{Ask, answer};

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn policy(allow: Option<&[&str]>, deny: &[&str]) -> PodPolicy {
        let names = |texts: &[&str]| texts.iter().map(|text| name(text)).collect();
        let namespaces = Namespaces::Labelled("team=web".parse().unwrap());
        PodPolicy { namespaces, allow: allow.map(names), deny: names(deny) }
    }

    #[test]
    fn the_nearest_domain_decides() {
        type Row<'t> = (Option<&'t [&'t str]>, &'t [&'t str], &'t str, bool);
        let table: [Row<'_>; 12] = [
            (None, &["evil.example."], "www.evil.example.", false),
            (None, &["evil.example."], "EVIL.example.", false),
            (None, &["evil.example."], "notevil.example.", true),
            (None, &["."], "example.", false),
            (Some(&["bank.example."]), &[], "www.bank.example.", true),
            (Some(&["bank.example."]), &[], "www.example.", false),
            (Some(&["bank.example."]), &["old.bank.example."], "www.old.bank.example.", false),
            (Some(&["bank.example."]), &["old.bank.example."], "www.bank.example.", true),
            (Some(&["bank.example."]), &["."], "www.bank.example.", true),
            (Some(&["www.bank.example."]), &["bank.example."], "www.bank.example.", true),
            (Some(&["bank.example."]), &["bank.example."], "bank.example.", false),
            (Some(&[]), &[], "bank.example.", false),
        ];
        for (allow, deny, asked, is_allowed) in table {
            assert_eq!(policy(allow, deny).allows(&name(asked)), is_allowed, "{allow:?} {deny:?} {asked}");
        }
    }

    proptest! {
        #[test]
        fn a_longer_denial_never_allows_more(
            allow in prop::option::of(prop::collection::vec("[ab](\\.[ab]){0,3}\\.", 0..4)),
            deny in prop::collection::vec("[ab](\\.[ab]){0,3}\\.", 0..4), more in "[ab](\\.[ab]){0,3}\\.",
            asked in "[ab](\\.[ab]){0,4}\\.",
        ) {
            let names = |texts: &[String]| texts.iter().map(|text| name(text)).collect::<Vec<_>>();
            let namespaces = Namespaces::Named(std::collections::BTreeSet::default());
            let short = PodPolicy { namespaces, allow: allow.as_deref().map(names), deny: names(&deny) };
            let mut long = short.clone();
            long.deny.push(name(&more));
            prop_assert!(!long.allows(&name(&asked)) || short.allows(&name(&asked)));
        }
    }

    fn pod(namespace: &str, address: &str, is_on_host: bool) -> Object {
        let key = Key { namespace: namespace.into(), name: format!("p-{address}").into() };
        Object::Pod(Pod { key, addresses: [address.parse().unwrap()].into_iter().collect(), is_on_host, started: None })
    }

    #[test]
    fn who_asks_has_the_policy_of_its_namespace() {
        let space = |name: &str, labels: &[(&str, &str)]| {
            let labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
            Object::Namespace(Namespace { name: name.into(), labels })
        };
        let cluster = Cluster::new(Arc::new(tests::settings()));
        let mut store = Store::new(Arc::clone(cluster.settings()), Keyed::with_seeds(1, 2, 3, 4));
        for object in [
            space("shop", &[("team", "web")]),
            space("build", &[]),
            pod("shop", "10.0.0.1", false),
            pod("build", "10.0.0.2", false),
            pod("shop", "192.0.2.1", true),
            pod("shop", "10.0.0.4", false),
            pod("build", "10.0.0.4", false),
        ] {
            store.put(object);
        }
        cluster.swap(store.publish(1).unwrap());
        let named = PodPolicy {
            namespaces: Namespaces::Named(["build".into()].into_iter().collect()),
            ..policy(Some(&["mirror.example."]), &[])
        };
        let policy = Policy::new(cluster.clone(), vec![policy(None, &["evil.example."]), named]);
        let group = |address: &str| policy.group_of(address.parse().unwrap());
        assert_eq!(group("10.0.0.3"), UNKNOWN, "nobody is known before the API has been read");
        cluster.stand(Standing::Current);
        assert_eq!(group("10.0.0.4"), UNKNOWN, "two who differ have the address");
        assert_eq!((group("10.0.0.1"), group("::ffff:10.0.0.1"), group("10.0.0.2")), (1, 1, 2));
        assert_eq!((group("192.0.2.1"), group("10.0.0.3")), (0, 0), "the host and strangers");
        let asked = |name: &str, group: u8| Ask::new(name, "A").group(group).of(&policy);
        assert_eq!(asked("www.evil.example.", 0), Verdict::Pass);
        assert_eq!(asked("www.good.example.", 1), Verdict::Pass);
        let refused = answer(asked("www.evil.example.", 1));
        assert_eq!((refused.rcode, refused.ede.map(|ede| ede.code)), (Rcode::NXDOMAIN, Some(EdeCode::Blocked)));
        assert_eq!(answer(asked("www.good.example.", 2)).rcode, Rcode::NXDOMAIN);
        assert_eq!(asked("deb.mirror.example.", 2), Verdict::Pass);
        let unsure = answer(asked("www.good.example.", UNKNOWN));
        assert_eq!((unsure.rcode, unsure.ede.map(|ede| ede.code)), (Rcode::SERVFAIL, Some(EdeCode::NotReady)));
        assert_eq!(unsure.recallable_until, None);
    }
}
