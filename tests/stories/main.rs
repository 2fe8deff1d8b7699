//! Stories: servers say, an asker asks, time passes, and something is expected. They run the production worker
//! with its chain, without sockets and without real time. `README.md` beside them describes the lines.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_sign_loss,
    clippy::assigning_clones,
    reason = "a test may stop where it stands"
)]

mod bounds;
mod cluster;
mod generated;
mod replay;
mod script;
mod server;
#[path = "../support/signing.rs"]
mod signing;
mod steering;
mod text;
mod world;

use std::path::Path;

use script::Story;

fn stories() -> Vec<Story> {
    script::read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories"))
}

/// `STORY=words` tells only the stories whose file or claim has these words.
#[test]
fn every_story_holds() {
    let wanted = std::env::var("STORY").unwrap_or_default();
    let chosen: Vec<Story> =
        stories().into_iter().filter(|s| s.claim.contains(&wanted) || s.file.contains(&wanted)).collect();
    let failures: Vec<String> = chosen.iter().filter_map(|story| replay::tell(story).err()).collect();
    println!("{} stories, {} fail", chosen.len(), failures.len());
    assert!(failures.is_empty(), "\n{}\n{} of {} stories fail", failures.join("\n"), failures.len(), chosen.len());
}

#[test]
fn there_are_more_than_120_stories_and_no_claim_stands_twice() {
    let mut claims: Vec<String> = stories().into_iter().map(|story| story.claim).collect();
    let count = claims.len();
    claims.sort();
    claims.dedup();
    assert!(count >= 120, "{count} stories");
    assert_eq!(claims.len(), count, "a claim stands twice");
}
