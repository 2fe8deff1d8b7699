//! The block `feeds`: where numbers about members come from.

use std::time::Duration;

use super::super::cursor::{Field, Section};
use super::checks::placeholders;
use super::types::Feed;
use super::words::{self, Named};

const FORM: &str = "a mapping such as {load: {http: \"http://{address}/load\", field: .cpu, every: 5s}}";
const FEED_FORM: &str = "a mapping such as {http: \"http://{address}/load\", field: .cpu, every: 5s}, or {push: true}";
const PERIOD: std::ops::RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(86_400);
const USUAL_PERIOD: Duration = Duration::from_secs(10);
/// Periods after which a number is not believed (R15 of the steering rules).
const BELIEVED: u32 = 3;

pub(super) fn read(top: &mut Section<'_>) -> Named<Feed> {
    let mut feeds = Named::new("feeds");
    for (name, _, field) in words::named(top, "feeds", FORM) {
        if let Some(feed) = feed(name, &field) {
            feeds.add(name, feed);
        }
    }
    feeds
}

fn feed(name: &str, field: &Field<'_>) -> Option<Feed> {
    let mut section = field.section(FEED_FORM)?;
    let is_pushed = section.flag("push", false);
    let url = section.take("http");
    if url.is_some() == is_pushed {
        field.fault_found(if is_pushed { "both http and push" } else { "neither http nor push" }, FEED_FORM);
    }
    let url = url.and_then(|field| {
        let is_url = |text: &str| {
            let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
            rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) && placeholders(text)
        };
        let allowed = "a URL such as \"http://{address}/load\", with {address}, {member} and {pool} to be replaced";
        field.scalar(allowed, |text| is_url(text).then(|| text.into()))
    });
    let keys = if is_pushed { None } else { section.take("field") };
    let keys = keys.and_then(|field| {
        let read = |text: &str| {
            let keys: Vec<Box<str>> = text.strip_prefix('.')?.split('.').map(Into::into).collect();
            (text == "." || keys.iter().all(|key| !key.is_empty())).then_some(keys)
        };
        field.scalar("the way to a number in JSON, such as .cpu or .system.load.0", read)
    });
    let every = if is_pushed { USUAL_PERIOD } else { section.duration("every", USUAL_PERIOD, PERIOD) };
    let age_max = section.duration("max_age", every * BELIEVED, PERIOD);
    if age_max < every
        && let Some(field) = section.take("max_age")
    {
        field.fault("at least `every`, or no number is ever believed until the next comes");
    }
    section.close();
    let keys = keys.unwrap_or_default().into_iter().filter(|key| !key.is_empty()).collect();
    Some(Feed { name: name.into(), url, field: keys, every, age_max })
}
