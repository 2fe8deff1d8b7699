use std::sync::Mutex;

use super::super::pools::{MemberView, PoolView};
use super::super::{AdminHouse, LogView, Metrics, Task, router};
use super::*;
use crate::dns::{Name, RecordType};
use crate::edge::admin::trust;

/// Notes what it is asked for.
#[derive(Default)]
struct House {
    asked: Mutex<Vec<String>>,
}

impl House {
    fn note(&self, text: String) {
        self.asked.lock().unwrap().push(text);
    }
}

impl PoolHouse for House {
    fn pools(&self) -> Vec<PoolView> {
        let member = |name: &str| MemberView {
            member: name.into(),
            addresses: vec!["192.0.2.1".parse().unwrap()],
            cname: None,
            weight: 1.0,
            tier: 1,
            at: None,
            place: None,
            state: "HEALTHY",
            real_state: "HEALTHY",
            is_usable: true,
            since: 7,
            checks: vec![],
            overridden: None,
            eta: None,
            feeds: vec![],
        };
        vec![PoolView { pool: "www".into(), members: vec![member("fra"), member("iad")] }]
    }

    fn drain(&self, glob: &str, order: &Order) -> Result<u64, Refused> {
        self.note(format!("drain {glob} by {} for {:?}: {}", order.actor, order.lasts, order.reason));
        Ok(1_700_000_045)
    }

    fn force(&self, glob: &str, is_up: bool, order: &Order) -> Result<usize, Refused> {
        self.note(format!("force {glob} {is_up} {}", order.breaks_glass));
        if order.breaks_glass {
            return Ok(2);
        }
        Err(Refused::Override(Refusal::LeavesWithoutMember(vec!["www.example.".into()])))
    }

    fn unforce(&self, glob: &str) -> usize {
        self.note(format!("unforce {glob}"));
        1
    }

    fn push_feed(&self, _: &str, member: &str, metric: &str, value: f64) -> Result<(), Refused> {
        self.note(format!("feed {member} {metric} {value}"));
        if metric == "load" { Ok(()) } else { Err(Refused::NoFeed) }
    }

    fn push_outcomes(&self, _: &str, member: &str, successes: f64, failures: f64) -> Result<(), Refused> {
        self.note(format!("outcomes {member} {successes} {failures}"));
        Ok(())
    }

    fn push_result(&self, _: &str, member: &str, check: Option<&str>, is_good: bool) -> Result<(), Refused> {
        self.note(format!("result {member} {check:?} {is_good}"));
        Ok(())
    }

    fn confirm_return(&self, glob: &str) -> Result<usize, Refused> {
        self.note(format!("return {glob}"));
        Ok(1)
    }
}

impl AdminHouse for House {
    fn trust(&self) -> Value {
        json!({})
    }

    fn except(&self, _: trust::Exempt) -> Task<'_, Result<Value, trust::NotExempt>> {
        Box::pin(async { Err(trust::NotExempt::Idle) })
    }

    fn lift_exception(&self, _: Name) -> Task<'_, bool> {
        Box::pin(async { false })
    }

    fn is_ready(&self) -> bool {
        true
    }
    fn flush(&self, _: Name, _: bool, _: Option<RecordType>) -> Task<'_, usize> {
        unreachable!()
    }
    fn digest(&self) -> Task<'_, Value> {
        unreachable!()
    }
    fn status(&self) -> Task<'_, Value> {
        unreachable!()
    }
    fn reload(&self, _: bool) -> Task<'_, Result<Value, Value>> {
        unreachable!()
    }
    fn explain(&self, _: Name, _: RecordType, _: Option<std::net::IpAddr>) -> Task<'_, Result<Value, String>> {
        unreachable!()
    }
    fn log(&self) -> LogView {
        unreachable!()
    }
    fn pools(&self) -> Option<&dyn PoolHouse> {
        Some(self)
    }
}

/// The status, the body, and what the house was asked for.
async fn ask(method: &str, path: &str, body: &str) -> (u16, Value, Vec<String>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let house = Arc::new(House::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let desk = Desk::new(Arc::clone(&house) as Arc<dyn AdminHouse>, Metrics::still());
    let routes = router(desk, true, None);
    let server = tokio::spawn(async move { axum::serve(listener, routes).await });
    let mut stream = tokio::net::TcpStream::connect(at).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    server.abort();
    let status = response.split(' ').nth(1).unwrap().parse().unwrap();
    let body = serde_json::from_str(response.split_once("\r\n\r\n").unwrap().1).unwrap();
    let asked = house.asked.lock().unwrap().clone();
    (status, body, asked)
}

const FRA: &str = "/v1/pools/www/members/fra";

#[tokio::test]
async fn pools_are_listed() {
    let (status, body, _) = ask("GET", "/v1/pools", "").await;
    assert_eq!((status, &body["pools"][0]["members"][1]["member"]), (200, &json!("iad")));
}

#[tokio::test]
async fn a_member_is_drained_forced_and_let_go() {
    let drain = r#"{"action": "drain", "for": "30m", "reason": "disk", "actor": "ann"}"#;
    let (status, body, asked) = ask("PUT", &format!("{FRA}/override"), drain).await;
    assert_eq!((status, &body["eta"]), (200, &json!(1_700_000_045)));
    assert_eq!(asked, ["drain www/fra by ann for Some(1800s): disk"]);
    for (method, path, body) in [
        ("DELETE", format!("{FRA}/override"), ""),
        ("PUT", format!("{FRA}/override"), r#"{"action": "none"}"#),
        ("DELETE", "/v1/overrides?glob=www/fra".to_owned(), ""),
        ("PUT", "/v1/overrides".to_owned(), r#"{"action": "none", "glob": "www/fra"}"#),
    ] {
        let (status, answer, asked) = ask(method, &path, body).await;
        assert_eq!((status, &answer["lifted"], asked), (200, &json!(1), vec!["unforce www/fra".to_owned()]), "{path}");
    }
    let (status, answer, _) = ask("PUT", &format!("{FRA}/return"), "{}").await;
    assert_eq!((status, &answer["members"]), (200, &json!(1)));
}

#[tokio::test]
async fn what_would_leave_a_name_empty_takes_a_broken_glass() {
    let down = r#"{"action": "down", "glob": "www/*", "reason": "power"}"#;
    let (status, body, _) = ask("PUT", "/v1/overrides", down).await;
    assert_eq!(status, 409);
    assert!(body["error"].as_str().unwrap().contains("www.example."), "{body}");
    let down = r#"{"action": "down", "glob": "www/*", "reason": "power", "break_glass": true}"#;
    let (status, body, asked) = ask("PUT", "/v1/overrides", down).await;
    assert_eq!((status, &body["members"], asked), (200, &json!(2), vec!["force www/* false true".to_owned()]));
}

#[tokio::test]
async fn numbers_outcomes_and_results_are_taken_in() {
    let (status, _, asked) = ask("PUT", &format!("{FRA}/feed"), r#"{"metric": "load", "value": 0.5}"#).await;
    assert_eq!((status, asked), (200, vec!["feed fra load 0.5".to_owned()]));
    let several = r#"[{"metric": "load", "value": 1}, {"metric": "colour", "value": 2}]"#;
    let (status, body, _) = ask("PUT", &format!("{FRA}/feed"), several).await;
    assert_eq!(status, 404);
    assert!(body["error"].as_str().unwrap().starts_with("colour: "), "{body}");
    let (status, _, asked) = ask("PUT", &format!("{FRA}/outcomes"), r#"{"successes": 98, "failures": 2}"#).await;
    assert_eq!((status, asked), (200, vec!["outcomes fra 98 2".to_owned()]));
    let (status, _, asked) = ask("PUT", &format!("{FRA}/check"), r#"{"good": false}"#).await;
    assert_eq!((status, asked), (200, vec!["result fra None false".to_owned()]));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_nobody_is_bothered() {
    for (method, path, body, expected) in [
        ("PUT", format!("{FRA}/override"), r#"{"action": "sideways"}"#, 422),
        ("PUT", format!("{FRA}/override"), r#"{"action": "up", "glob": "*"}"#, 400),
        ("PUT", format!("{FRA}/override"), r#"{"action": "up", "for": "soon", "reason": "x"}"#, 400),
        ("PUT", format!("{FRA}/override"), r#"{"action": "up", "for": "0s", "reason": "x"}"#, 400),
        ("PUT", "/v1/pools/www/members/*/override".to_owned(), r#"{"action": "down", "reason": "x"}"#, 404),
        ("PUT", "/v1/pools/api/members/fra/override".to_owned(), r#"{"action": "down", "reason": "x"}"#, 404),
        ("PUT", "/v1/overrides".to_owned(), r#"{"action": "down", "reason": "x"}"#, 400),
        ("DELETE", "/v1/overrides".to_owned(), "", 400),
        ("PUT", format!("{FRA}/check"), "{}", 422),
        ("GET", format!("{FRA}/check"), "", 405),
    ] {
        let (status, answer, asked) = ask(method, &path, body).await;
        assert_eq!((status, asked.as_slice()), (expected, &[] as &[String]), "{method} {path} {body}: {answer}");
        assert!(answer["error"].is_string());
    }
}
