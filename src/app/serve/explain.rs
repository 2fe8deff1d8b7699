//! `explain`: one query, answered as a client's would be, with everything that was done for it.
//!
//! It runs at a station of its own, with the house and the cache of the running server but without listeners,
//! so that an explanation costs the others nothing and sees what they would see.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mio::Events;
use serde_json::{Value, json};

use super::station::{Station, Surroundings};
use crate::app::worker::Next;
use crate::base::tally::Tally;
use crate::base::{Clock, Instant, bounds};
use crate::chain::{Asker, Carrier, Choice, ChoiceStep, Memory, Query};
use crate::dns::{ClientSubnet, Flags, Message, Name, Question, RecordType};
use crate::edge::mailbox::Reply;
use crate::edge::seed;
use crate::handlers::authority::master_file::write_rdata;
use crate::handlers::resolve::trace::Step;
use crate::steer::subject::is_global_unicast;

/// Answers `name` and `rtype` for `client` (loopback if none is named) and says how.
///
/// # Errors
/// The machine's, where it gives no sockets.
pub fn explain(
    surroundings: &Surroundings,
    name: &Name,
    rtype: RecordType,
    client: Option<IpAddr>,
) -> io::Result<Value> {
    let mut dice = seed::dice()?;
    let client = client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let address = SocketAddr::new(client, 53_000);
    let question = Question::new(name.clone(), rtype);
    let (_, house, _) = surroundings.current.snapshot();
    let asker = Asker { address, local: None, carrier: Carrier::Tcp, may_recurse: house.may_recurse(client), group: 0 };
    let flags = Flags { recursion_desired: true, ..Flags::default() };
    let query = Query {
        id: dice.bits16(),
        flags,
        question: question.clone(),
        edns: Some(crate::dns::Edns { udp_size: 1232, options: subnet_of(client), ..Default::default() }),
        asker,
    };
    let tally = Arc::new(Tally::default());
    let begun = surroundings.clock.now();

    let known = known(&*house.memory, name, rtype, begun);
    let cluster = house.cluster.as_ref().filter(|cluster| cluster.owns(name));
    let cluster = cluster.map(|cluster| super::cluster::standing_text(cluster.standing(), begun));
    let mut station = Station::new(surroundings.clone(), (0, 1), Vec::new(), dice, tally)?;
    station.worker().explain();
    let message = Message {
        id: query.id,
        flags,
        questions: smallvec::smallvec![question],
        edns: query.edns.clone(),
        ..Message::default()
    };
    let mut bytes = Vec::new();
    message.compose(&mut bytes, bounds::MESSAGE_MAX).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut reply = Some(Reply::Udp { door: usize::MAX, peer: address, local: None });
    let mut out = Vec::new();
    let next = station.worker().turn_handed_over(&bytes, asker, &mut reply, begun, &mut out);
    let mut events = Events::with_capacity(64);
    if next == Next::Wait {
        let end = begun + bounds::WORK_DEADLINE;
        station.step(&mut events, Duration::ZERO); // the first queries leave at once
        while surroundings.clock.now() < end {
            station.step(&mut events, Duration::from_millis(100));
            if let Some(late) = station.worker().poll_late() {
                out = late.bytes;
                break;
            }
        }
    }
    let links: Vec<Value> = station
        .worker()
        .said()
        .iter()
        .map(|(link, verdict)| json!({ "link": link, "verdict": describe(verdict) }))
        .collect();
    let choices: Vec<Value> = station.worker().choices().iter().map(choice_json).collect();
    let steps: Vec<Value> =
        station.worker().resolver().trace().steps().iter().map(|step| step_json(step, begun)).collect();
    let response = Message::parse(&out).ok();
    Ok(json!({
        "question": { "name": name.to_string(), "type": rtype.to_string(), "client": client.to_string() },
        "links": links,
        "choices": choices,
        "known": known,
        "cluster": cluster,
        "steps": steps,
        "response": response.as_ref().map(response_json),
        "milliseconds": surroundings.clock.now().since(begun).as_secs_f64() * 1000.0,
    }))
}

/// The client subnet option that a resolver of `client` would send; none of an address that no database knows.
fn subnet_of(client: IpAddr) -> Vec<(u16, Vec<u8>)> {
    if is_global_unicast(client) { vec![ClientSubnet::of_address(client).echo(0)] } else { Vec::new() }
}

fn choice_json(choice: &Choice) -> Value {
    let step = |step: &ChoiceStep| {
        let facts = step.facts.iter().map(|(member, fact)| json!({ "member": member, "fact": fact }));
        json!({
            "stage": step.stage,
            "before": step.before,
            "after": step.after,
            "scope": step.scope,
            "facts": facts.collect::<Vec<_>>(),
        })
    };
    json!({
        "name": choice.owner,
        "pool": choice.pool,
        "subject": choice.subject,
        "place": choice.place,
        "health": choice.health.iter().map(|(member, word)| json!({ "member": member, "state": word })).collect::<Vec<_>>(),
        "stages": choice.steps.iter().map(step).collect::<Vec<_>>(),
        "chosen": choice.chosen,
        "outcome": choice.outcome,
        "scope": choice.scope,
        "ttl": choice.ttl,
    })
}

/// A choice as lines for people.
fn choice_text(choice: &Value, lines: &mut Vec<String>) {
    let string = |value: &Value, at: &str| value.get(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |value: &Value, at: &str| value.get(at).and_then(Value::as_u64).unwrap_or(0);
    let items = |value: &Value, at: &str| value.get(at).and_then(Value::as_array).cloned().unwrap_or_default();
    let words = |value: &Value, at: &str| {
        let words: Vec<String> = items(value, at).iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect();
        if words.is_empty() { "nobody".to_owned() } else { words.join(" ") }
    };
    lines.push(format!(
        "  {} is steered to {} of the pool {}",
        string(choice, "name"),
        string(choice, "outcome"),
        string(choice, "pool")
    ));
    lines.push(format!("    {:<12} {}: {}", "client", string(choice, "subject"), string(choice, "place")));
    for stage in items(choice, "stages") {
        let scope = match number(&stage, "scope") {
            0 => String::new(),
            bits => format!(" (by /{bits})"),
        };
        let (before, after) = (words(&stage, "before"), words(&stage, "after"));
        let change = if before == after { after } else { format!("{before} -> {after}") };
        lines.push(format!("    {:<12} {change}{scope}", string(&stage, "stage")));
        for fact in items(&stage, "facts") {
            let member =
                fact.get("member").and_then(Value::as_str).map_or(String::new(), |member| format!("{member}: "));
            lines.push(format!("    {:<12}   {member}{}", "", string(&fact, "fact")));
        }
    }
    let (scope, ttl) = (number(choice, "scope"), number(choice, "ttl"));
    lines.push(format!("    {:<12} {}, scope /{scope}, for {ttl} s", "answer", words(choice, "chosen")));
}

/// What memory held of the question before it was asked, with rank and seconds left.
fn known(memory: &dyn Memory, name: &Name, rtype: RecordType, now: Instant) -> Vec<String> {
    let rrset = |rtype| {
        let found = memory.rrset(name, rtype, now)?;
        Some(format!("{name} {rtype}: {} records, rank {:?}, {} s left", found.set.rdatas.len(), found.rank, found.ttl))
    };
    let denial = memory.denial(name, rtype, now).map(|denial| {
        let what = if denial.is_nxdomain { "does not exist".to_owned() } else { format!("has no {rtype}") };
        format!("{name} {what}, {} s left", denial.ttl)
    });
    let failure = memory.failure(name, rtype, now).map(|ede| format!("{name} {rtype} failed: {}", ede.text));
    let cut = memory
        .delegation(name, now)
        .map(|cut| format!("zone cut {}: {} servers, {} s left", cut.zone, cut.servers.len(), cut.ttl));
    let alias = (rtype != RecordType::CNAME).then(|| rrset(RecordType::CNAME)).flatten();
    [rrset(rtype), alias, denial, failure, cut].into_iter().flatten().collect()
}

fn describe(verdict: &crate::chain::Verdict) -> String {
    use crate::chain::Verdict;
    match verdict {
        Verdict::Pass => "passes".into(),
        Verdict::Answer(answer) => {
            let why = answer.ede.as_ref().map_or(String::new(), |ede| format!(", {}", ede.text));
            format!("answers {} with {} RRsets{why}", answer.rcode, answer.answer.len())
        }
        Verdict::Silence(event) => format!("stays silent: {}", event.name()),
        Verdict::Resolve(goal) if goal.stale.is_some() => "asks upstream, with a stale answer at hand".into(),
        Verdict::Resolve(_) => "asks upstream".into(),
        Verdict::Search(path) => {
            let names: Vec<String> = path.steps.iter().map(|step| step.name.to_string()).collect();
            format!("tries {}", names.join(", "))
        }
    }
}

fn step_json(step: &Step, begun: Instant) -> Value {
    json!({ "milliseconds": step.at.since(begun).as_secs_f64() * 1000.0, "what": step.what.to_string() })
}

fn response_json(message: &Message) -> Value {
    let section = |records: &[crate::dns::Record]| -> Vec<Value> {
        let record = |record: &crate::dns::Record| {
            let mut rdata = String::new();
            write_rdata(record.rtype, &record.rdata, &mut rdata);
            json!({ "owner": record.owner.to_string(), "type": record.rtype.to_string(), "ttl": record.ttl, "rdata": rdata })
        };
        records.iter().map(record).collect()
    };
    json!({
        "rcode": message.rcode.to_string(),
        "answer": section(&message.answer),
        "authority": section(&message.authority),
    })
}

/// An explanation as text for people.
#[must_use]
pub fn text(explained: &Value) -> String {
    let mut lines = Vec::new();
    let string = |value: &Value, at: &str| value.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |at: &str| explained.pointer(at).and_then(Value::as_array).cloned().unwrap_or_default();
    let milliseconds = |value: &Value| value.get("milliseconds").and_then(Value::as_f64).unwrap_or(0.0);
    lines.push(format!(
        "{} {} for {}",
        string(explained, "/question/name"),
        string(explained, "/question/type"),
        string(explained, "/question/client")
    ));
    for link in list("/links") {
        lines.push(format!("  {:<8} {}", string(&link, "/link"), string(&link, "/verdict")));
    }
    for choice in list("/choices") {
        choice_text(&choice, &mut lines);
    }
    for known in list("/known") {
        lines.push(format!("  known    {}", string(&known, "")));
    }
    if let Some(standing) = explained.get("cluster").and_then(Value::as_str) {
        lines.push(format!("  cluster  {standing}"));
    }
    for step in list("/steps") {
        lines.push(format!("  {:>8.1} ms  {}", milliseconds(&step), string(&step, "/what")));
    }
    lines.push(format!("{} after {:.1} ms", string(explained, "/response/rcode"), milliseconds(explained)));
    for section in ["/response/answer", "/response/authority"] {
        for record in list(section) {
            let ttl = record.get("ttl").and_then(Value::as_u64).unwrap_or(0);
            lines.push(format!(
                "  {} {ttl} {} {}",
                string(&record, "/owner"),
                string(&record, "/type"),
                string(&record, "/rdata")
            ));
        }
    }
    lines.join("\n") + "\n"
}
