use super::*;
use crate::app::build::{self, Files, Kept};
use crate::app::config::{self, Machine};
use crate::base::Dice;
use crate::base::collections::keyed;
use crate::handlers::authority;
use crate::handlers::authority::master_file;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn zone(apex: &str, serial: u32) -> Arc<Zone> {
    let text = format!("$TTL 60\n@ SOA ns hostmaster {serial} 60 60 60 60\n NS ns\nns A 192.0.2.53\n");
    let keyed = keyed(&mut Dice::from_number(2));
    authority::load(&name(apex), text.as_bytes(), "test", &mut master_file::no_include, keyed).0.unwrap().into()
}

struct World {
    keeper: Keeper,
    current: Arc<Current>,
}

fn settings(apexes: &[&str]) -> Vec<Arc<ZoneSettings>> {
    apexes.iter().map(|apex| Arc::new(ZoneSettings::new(name(apex)))).collect()
}

fn world() -> World {
    let mut dice = Dice::from_number(1);
    let machine = Machine { cores: std::num::NonZeroUsize::MIN, memory: None };
    let config = config::load(std::path::Path::new("x"), b"recursion: off", &machine).unwrap().config;
    let mut kept = Kept::nothing(&mut dice);
    let built = build::build(&config, Files::default(), &mut kept, |_, _| {}, &mut dice);
    let current = Arc::new(Current::new(built.house, built.forwarders));
    World { keeper: Keeper::new(kept.authority, Arc::clone(&current)), current }
}

#[test]
fn a_zone_without_data_is_ours_and_unavailable() {
    let World { keeper, .. } = world();
    keeper.configure(&settings(&["a.example.", "b.example."]), &[], vec![zone("a.example.", 1)]);
    assert_eq!(keeper.zone(&name("a.example.")).unwrap().serial(), 1);
    assert!(keeper.zone(&name("b.example.")).is_none());
    assert!(matches!(keeper.zones().exact(&name("b.example.")), Some(Hosted::Unavailable)));
    keeper.withdraw(&name("a.example."));
    assert!(matches!(keeper.zones().exact(&name("a.example.")), Some(Hosted::Unavailable)));
}

#[test]
fn every_change_makes_the_workers_forget_and_is_told() {
    let World { keeper, current } = world();
    keeper.configure(&settings(&["a.example."]), &[], vec![zone("a.example.", 1)]);
    let (mut news, before) = (keeper.subscribe(), current.generation());
    keeper.replace(zone("a.example.", 2), Cause::Transfer);
    assert!(current.generation() > before);
    let expected = Changed { apex: name("a.example."), serial: Some(2), cause: Cause::Transfer };
    assert_eq!(news.try_recv().unwrap(), expected);
    keeper.replace(zone("foreign.example.", 1), Cause::Transfer);
    assert!(news.try_recv().is_err() && keeper.zone(&name("foreign.example.")).is_none());
}

#[test]
fn a_change_made_from_an_old_version_is_refused() {
    let World { keeper, .. } = world();
    keeper.configure(&settings(&["a.example."]), &[], vec![zone("a.example.", 1)]);
    let old = keeper.zone(&name("a.example.")).unwrap();
    assert_eq!(keeper.replace_version(&old, zone("a.example.", 2), Cause::Update), Ok(()));
    assert_eq!(keeper.replace_version(&old, zone("a.example.", 3), Cause::Update), Err(Overtaken));
    assert_eq!(keeper.zone(&name("a.example.")).unwrap().serial(), 2);
}

#[test]
fn members_of_a_catalog_live_as_long_as_it_lists_them() {
    let World { keeper, .. } = world();
    keeper.configure(&settings(&["catalog.example.", "own.example."]), &[], Vec::new());
    let member = |apex: &str| {
        Arc::new(ZoneSettings { member_of: Some(name("catalog.example.")), ..ZoneSettings::new(name(apex)) })
    };
    keeper.adopt(member("a.example."));
    keeper.adopt(member("own.example."));
    assert_eq!(keeper.settings(&name("own.example.")).unwrap().member_of, None, "the configuration goes first");
    keeper.replace(zone("a.example.", 7), Cause::Transfer);
    keeper.configure(&settings(&["catalog.example."]), &[], Vec::new());
    assert_eq!(keeper.zone(&name("a.example.")).unwrap().serial(), 7, "a reload leaves members alone");
    assert!(keeper.zones().exact(&name("own.example.")).is_none());
    keeper.forsake(&name("a.example."));
    assert!(keeper.zones().exact(&name("a.example.")).is_none());
    keeper.adopt(member("b.example."));
    keeper.configure(&[], &[], Vec::new());
    assert!(keeper.zones().exact(&name("b.example.")).is_none() && keeper.all_settings().is_empty());
}

#[test]
fn a_witness_sees_the_old_beside_the_new() {
    #[derive(Default)]
    struct Notes(Mutex<Vec<String>>);
    impl Witness for Notes {
        fn replaced(&self, old: Option<&Arc<Zone>>, new: &Arc<Zone>, _: Cause) {
            let old = old.map(|zone| zone.serial());
            self.0.lock().unwrap().push(format!("{old:?} {}", new.serial()));
        }
        fn removed(&self, apex: &Name) {
            self.0.lock().unwrap().push(format!("{apex} gone"));
        }
    }
    let World { keeper, .. } = world();
    let notes = Arc::new(Notes::default());
    keeper.show(Arc::clone(&notes) as Arc<dyn Witness>);
    keeper.configure(&settings(&["a.example."]), &[], vec![zone("a.example.", 1)]);
    keeper.replace(zone("a.example.", 2), Cause::Update);
    keeper.configure(&[], &[], Vec::new());
    assert_eq!(*notes.0.lock().unwrap(), ["None 1", "Some(1) 2", "a.example. gone"]);
}
