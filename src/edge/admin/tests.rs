use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::*;

struct House {
    is_ready: bool,
    asked: Arc<Notify>,
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

    fn reload(&self, is_rehearsal: bool) -> Task<'_, Result<Value, Value>> {
        let fault = "meridian.yaml:1:1: workers: found 0, allowed: from 1";
        let faults = json!({ "error": fault, "faults": [{ "key": "workers" }] });
        Box::pin(async move {
            self.asked.notify_one();
            if !self.is_ready {
                tokio::time::sleep(bounds::RELOAD_DEADLINE / 2).await;
            }
            if is_rehearsal { Ok(json!({ "dry_run": true })) } else { Err(faults) }
        })
    }

    fn is_ready(&self) -> bool {
        self.is_ready
    }

    fn flush(&self, name: Name, subtree: bool, rtype: Option<RecordType>) -> Task<'_, usize> {
        assert_eq!((name.to_string().as_str(), subtree, rtype), ("example.com.", true, Some(RecordType::AAAA)));
        Box::pin(async { 3 })
    }

    fn status(&self) -> Task<'_, Value> {
        Box::pin(async {
            self.asked.notify_one();
            if !self.is_ready {
                std::future::pending::<()>().await;
            }
            json!({ "version": "test" })
        })
    }

    fn digest(&self) -> Task<'_, Value> {
        Box::pin(async { json!({ "digest": "00000000000000ff" }) })
    }

    fn explain(&self, name: Name, rtype: RecordType, client: Option<IpAddr>) -> Task<'_, Result<Value, String>> {
        Box::pin(async move { Ok(json!([name.to_string(), rtype.to_string(), client])) })
    }

    fn log(&self) -> LogView {
        LogView::default()
    }
}

async fn stage(is_ready: bool) -> (SocketAddr, watch::Sender<bool>, tokio::task::JoinHandle<()>) {
    stage_that_tells(is_ready, Arc::new(Notify::new())).await
}

async fn stage_that_tells(
    is_ready: bool,
    asked: Arc<Notify>,
) -> (SocketAddr, watch::Sender<bool>, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let house = Arc::new(House { is_ready, asked });
    let server = tokio::spawn(serve(listener, Part::Whole, house, Metrics::still(), None, stopped));
    (at, stop, server)
}

async fn request(at: SocketAddr, head: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(at).await.unwrap();
    let text =
        format!("{head}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let status = response.split(' ').nth(1).unwrap().parse().unwrap();
    (status, response.split_once("\r\n\r\n").unwrap().1.to_owned())
}

async fn ask(at: SocketAddr, path: &'static str) -> (u16, String) {
    request(at, &format!("GET {path} HTTP/1.1"), "").await
}

const FLUSH: &str = "POST /v1/cache/flush HTTP/1.1\r\nContent-Type: application/json";

#[tokio::test]
async fn every_route_answers() {
    let (at, _stop, _server) = stage(true).await;
    assert_eq!(ask(at, "/health").await, (200, "ok\n".into()));
    assert_eq!(ask(at, "/ready").await, (200, "ready\n".into()));
    let (status, text) = ask(at, "/metrics").await;
    assert!(status == 200 && text.contains("# TYPE meridian_queries_total counter\n"), "{text}");
    assert!(text.contains("\nmeridian_queries_total{transport=\"udp\"} 0\n"), "{text}");
    let open = "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
    assert!(request(at, open, "").await.1.ends_with("# EOF\n"));
    assert_eq!(ask(at, "/v1/status").await, (200, r#"{"version":"test"}"#.into()));
    assert_eq!(
        ask(at, "/v1/explain?name=www.example.com&type=aaaa&client=192.0.2.1").await,
        (200, r#"["www.example.com.","AAAA","192.0.2.1"]"#.into())
    );
    let body = r#"{"name": "example.com", "subtree": true, "type": "AAAA"}"#;
    assert_eq!(request(at, FLUSH, body).await, (200, r#"{"flushed":3}"#.into()));
}

#[tokio::test]
async fn faults_are_json_and_say_what_is_wrong() {
    let (at, _stop, _server) = stage(false).await;
    for (path, status, words) in [
        ("/ready", 503, "not ready"),
        ("/nothing", 404, "no such resource"),
        ("/v1/cache/flush", 405, "method"),
        ("/v1/explain", 400, "name"),
        ("/v1/explain?name=a..b", 400, "name"),
        ("/v1/explain?name=example&type=NOPE", 400, "NOPE"),
        ("/v1/explain?name=example&client=x", 400, "client"),
        ("/v1/explain?name=example&klient=x", 400, "klient"),
    ] {
        let (found, body) = ask(at, path).await;
        assert_eq!(found, status, "{path}: {body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert!(body["error"].as_str().unwrap().contains(words), "{path}: {body}");
    }
    // What a foreign web page could send without being asked is no JSON.
    let plain = "POST /v1/cache/flush HTTP/1.1\r\nContent-Type: text/plain";
    assert_eq!(request(at, plain, r#"{"name": "."}"#).await.0, 415);
    assert_eq!(request(at, FLUSH, "{").await.0, 400);
    let huge = format!(r#"{{"name": "{}"}}"#, "a".repeat(bounds::ADMIN_BODY_MAX));
    assert_eq!(request(at, FLUSH, &huge).await.0, 413);
}

#[tokio::test]
async fn what_takes_too_long_is_given_up() {
    let asked = Arc::new(Notify::new());
    let (at, _stop, _server) = stage_that_tells(false, asked.clone()).await;
    let answer = tokio::spawn(ask(at, "/v1/status"));
    asked.notified().await;
    // The clock may jump only while nothing is on its way.
    tokio::time::pause();
    tokio::time::advance(bounds::ADMIN_DEADLINE + std::time::Duration::from_secs(1)).await;
    tokio::time::resume();
    assert_eq!(answer.await.unwrap().0, 504);

    tokio::time::pause();
    let mut silent = TcpStream::connect(at).await.unwrap();
    silent.write_all(b"GET /health HT").await.unwrap();
    let begun = tokio::time::Instant::now();
    assert!(matches!(silent.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    assert!(begun.elapsed() <= bounds::ADMIN_IDLE + bounds::ADMIN_DEADLINE);
}

#[tokio::test]
async fn a_reload_is_waited_for() {
    let asked = Arc::new(Notify::new());
    let (at, _stop, _server) = stage_that_tells(false, asked.clone()).await;
    let order = "POST /v1/reload HTTP/1.1\r\nContent-Type: application/json";
    let answer = tokio::spawn(request(at, order, r#"{"dry_run": true}"#));
    asked.notified().await;
    tokio::time::pause();
    tokio::time::advance(bounds::RELOAD_DEADLINE / 2 + std::time::Duration::from_secs(1)).await;
    tokio::time::resume();
    assert_eq!(answer.await.unwrap().0, 200);
}

#[tokio::test]
async fn a_stop_ends_it() {
    let (_at, stop, server) = stage(true).await;
    stop.send(true).unwrap();
    server.await.unwrap();
}

#[tokio::test]
async fn an_address_that_others_reach_takes_no_commands() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let at = SocketAddr::from(([127, 0, 0, 1], listener.local_addr().unwrap().port()));
    let (_stop, stopped) = watch::channel(false);
    let house = Arc::new(House { is_ready: true, asked: Arc::new(Notify::new()) });
    tokio::spawn(serve(listener, Part::Whole, house, Metrics::still(), None, stopped));
    for path in ["/health", "/ready", "/metrics"] {
        assert_eq!(ask(at, path).await.0, 200, "{path}");
    }
    for path in ["/v1/status", "/v1/explain?name=www.example.com"] {
        assert_eq!(ask(at, path).await.0, 404, "{path}");
    }
    assert_eq!(request(at, FLUSH, r#"{"name": "example.com"}"#).await.0, 404);
}

#[tokio::test]
async fn where_others_reach_it_everything_but_monitoring_takes_the_token() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let at = SocketAddr::from(([127, 0, 0, 1], listener.local_addr().unwrap().port()));
    let (_stop, stopped) = watch::channel(false);
    let house = Arc::new(House { is_ready: true, asked: Arc::new(Notify::new()) });
    let token = Token::parse(b"0123456789abcdef");
    tokio::spawn(serve(listener, Part::Whole, house, Metrics::still(), token, stopped));
    assert_eq!(ask(at, "/metrics").await.0, 200);
    assert_eq!(ask(at, "/v1/status").await.0, 401);
    for (header, status) in [
        ("Authorization: Bearer 0123456789abcdef", 200),
        ("Authorization: bearer 0123456789abcdef", 200),
        ("Authorization: Bearer 0123456789abcdeg", 401),
        ("Authorization: Basic 0123456789abcdef", 401),
        ("X: y", 401),
    ] {
        assert_eq!(request(at, &format!("GET /v1/status HTTP/1.1\r\n{header}"), "").await.0, status, "{header}");
    }
    assert_eq!(request(at, FLUSH, r#"{"name": "example.com"}"#).await.0, 401);
    let body = r#"{"name": "example.com", "subtree": true, "type": "AAAA"}"#;
    let flush = format!("{FLUSH}\r\nAuthorization: Bearer 0123456789abcdef");
    assert_eq!(request(at, &flush, body).await, (200, r#"{"flushed":3}"#.into()));
}

#[tokio::test]
async fn on_loopback_a_token_guards_changes_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (_stop, stopped) = watch::channel(false);
    let house = Arc::new(House { is_ready: true, asked: Arc::new(Notify::new()) });
    let token = Token::parse(b"0123456789abcdef");
    tokio::spawn(serve(listener, Part::Whole, house, Metrics::still(), token, stopped));
    assert_eq!(ask(at, "/v1/digest").await, (200, r#"{"digest":"00000000000000ff"}"#.into()));
    assert_eq!(request(at, FLUSH, r#"{"name": "example.com"}"#).await.0, 401);
}

#[tokio::test]
async fn an_endless_body_is_cut_off_at_its_bound() {
    let (at, _stop, _server) = stage(true).await;
    let mut stream = TcpStream::connect(at).await.unwrap();
    let head = format!("{FLUSH}\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = [&b"4000\r\n"[..], &[b' '; 0x4000], b"\r\n"].concat();
    let (mut reader, mut writer) = stream.into_split();
    let pour = tokio::spawn(async move {
        let mut poured = 0;
        while poured < 64 * bounds::ADMIN_BODY_MAX && writer.write_all(&chunk).await.is_ok() {
            poured += 0x4000;
        }
        poured
    });
    let mut response = [0; 12];
    reader.read_exact(&mut response).await.unwrap();
    assert_eq!(&response, b"HTTP/1.1 413");
    drop(reader);
    // Beyond the bound the system's buffers take some more, and no one else.
    assert!(pour.await.unwrap() < 64 * bounds::ADMIN_BODY_MAX);
}

#[tokio::test]
async fn endless_headers_are_cut_off() {
    let (at, _stop, _server) = stage(true).await;
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\n").await.unwrap();
    let line = [b"X-Filler: ".to_vec(), vec![b'a'; 4_000], b"\r\n".to_vec()].concat();
    let mut poured = 0;
    while poured < 16 * bounds::ADMIN_BODY_MAX && stream.write_all(&line).await.is_ok() {
        poured += line.len();
    }
    assert!(poured < 16 * bounds::ADMIN_BODY_MAX, "{poured} octets of headers were taken");
}

#[tokio::test]
async fn past_the_bound_connections_wait_for_a_place() {
    let (at, _stop, _server) = stage(true).await;
    let mut idle = Vec::new();
    for _ in 0..bounds::ADMIN_CONNECTIONS {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap(); // served, and kept open
        assert_eq!(&first, b"HTTP/1.1 200");
        idle.push(stream);
    }
    let mut late = tokio::spawn(ask(at, "/health"));
    let while_full = tokio::time::timeout(std::time::Duration::from_millis(200), &mut late).await;
    assert!(while_full.is_err(), "it is not served while every place is taken");
    idle.pop();
    assert_eq!((&mut late).await.unwrap().0, 200);
}
