//! The status page as an operator sees it: in a browser, with a running server behind it.
//!
//! The browser is Debian's Chromium. Test and browser live in a network namespace of their own, in which the addresses
//! of the pool's members are real: some answer their health checks and one does not.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;
use support::browser::{self, Browser};
use support::namespace;
use support::process::Server;
use support::wire;

const A: u16 = 1;
const AAAA: u16 = 28;
const ADMIN: &str = "http://127.0.0.1:9153/";
const DNS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5300);
/// A wide screen, and a narrow phone.
const SCREEN: (u32, u32) = (1280, 1000);
const PHONE: (u32, u32) = (360, 740);

const CONFIGURATION: &str = r#"
listen: ["127.0.0.1:5300"]
workers: 2
recursion: {hosts: off, dnssec: off}
checks:
  web: {http: /healthz, expect: 200, every: 1s, timeout: 900ms, fall: 2, rise: 1}
pools:
  www:
    check: web
    members:
      fra: {a: 192.0.2.10, at: FRA, weight: 2}
      iad: {a: 198.51.100.10, at: IAD}
      sin: {a: 203.0.113.10, at: SIN}
      gru: {a: 192.0.2.20, at: GRU}
      syd: {a: 198.51.100.20, at: SYD}
  spares:
    members:
      fra: {a: 192.0.2.10, tier: 1}
      iad: {a: 198.51.100.10, tier: 2}
zones:
  geo.example:
    records: ["@ SOA ns h 1 3600 600 86400 60", "@ NS ns.example.net.", "ns A 192.0.2.53", "@ MX 10 mail"]
    steer:
      www: {pool: www, policy: [nearest]}
      weighted: {pool: www, policy: [weighted]}
      failover: {pool: spares, policy: [tier]}
"#;

/// Answers health checks at `address`, well or ill.
fn serve_checks(address: &str, status: &'static str) {
    let add = Command::new("ip").args(["address", "add", &format!("{address}/32"), "dev", "lo"]).status();
    assert!(add.expect("ip starts").success());
    let listener = TcpListener::bind((address, 80)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _read = stream.read(&mut [0; 2048]);
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok();
        }
    });
}

fn start(directory: &Path, admin: &str) -> Server {
    for (address, status) in [
        ("192.0.2.10", "200 OK"),
        ("198.51.100.10", "200 OK"),
        ("203.0.113.10", "200 OK"),
        ("192.0.2.20", "503 Service Unavailable"),
        ("198.51.100.20", "200 OK"),
    ] {
        serve_checks(address, status);
    }
    start_again(directory, admin)
}

fn start_again(directory: &Path, admin: &str) -> Server {
    std::fs::write(directory.join("meridian.yaml"), format!("{CONFIGURATION}admin: {admin}\n")).unwrap();
    let command = [env!("CARGO_BIN_EXE_meridian"), "serve", "--config", "meridian.yaml"];
    let mut server = Server::start("meridian", directory, &command);
    server.wait_until_it_answers_at(DNS, ("geo.example.", A));
    server
}

/// Clients all over the world, by the networks that their resolvers tell.
const NETWORKS: [[u8; 3]; 20] = [
    [8, 8, 8],
    [81, 2, 69],
    [90, 0, 1],
    [1, 36, 10],
    [200, 1, 2],
    [41, 0, 1],
    [133, 11, 0],
    [139, 130, 4],
    [24, 48, 0],
    [95, 24, 0],
    [117, 196, 0],
    [62, 210, 0],
    [2, 3, 4],
    [197, 210, 0],
    [189, 1, 2],
    [121, 7, 3],
    [12, 1, 1],
    [73, 2, 2],
    [98, 3, 3],
    [5, 5, 5],
];

/// Asks a hundred to two hundred questions a second until told to stop, and waits for the last answers.
fn ask_all_the_time(stop: Arc<AtomicBool>) -> JoinHandle<u64> {
    std::thread::spawn(move || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.connect(DNS).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut asked = 0_u64;
        let mut state = 7_u64;
        let mut draw = move |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        let begun = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let name = ["www", "www", "www", "weighted", "failover", "", "nope"][draw(7) as usize];
            let name = if name.is_empty() { "geo.example.".to_owned() } else { format!("{name}.geo.example.") };
            // Some networks ask more than others.
            let [a, b, c] = NETWORKS[draw(20).min(draw(20)) as usize];
            let rtype = if draw(5) == 0 { AAAA } else { A };
            let network = Ipv4Addr::new(a, b, c, 0).into();
            socket.send(&wire::compose_for(asked as u16, &name, rtype, network, 24)).unwrap();
            socket.recv(&mut [0; 4096]).expect("an answer");
            asked += 1;
            let wave = (begun.elapsed().as_secs_f64() / 17.0).sin();
            std::thread::sleep(Duration::from_secs_f64(1.0 / (150.0 + 50.0 * wave)));
        }
        asked
    })
}

/// The sum of the samples of `/metrics` whose names and labels hold all of `words`.
fn metric(words: &[&str]) -> f64 {
    let text = ureq::get(format!("{ADMIN}metrics")).call().unwrap().body_mut().read_to_string().unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && words.iter().all(|word| line.contains(word)));
    let values: Vec<f64> = lines.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    assert!(!values.is_empty(), "nothing is called {words:?}");
    values.iter().sum()
}

/// Every text that stands on a ground too like itself: less than 4.5 to 1 (WCAG 2.2, 1.4.3).
const FAINT: &str = r"(() => {
    const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
        .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
    const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = parts(getComputedStyle(at).backgroundColor);
            if (colour.length < 4 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const faint = [];
    for (const element of document.body.querySelectorAll('*')) {
        const says = [...element.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
        if (!says || !element.checkVisibility() || element.closest('svg, script, style, noscript')) continue;
        const [one, two] = [light(parts(getComputedStyle(element).color)), light(ground(element))];
        const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
        if (contrast < 4.5) faint.push(`${element.tagName} ${element.className} ${element.textContent.slice(0, 30)}: ${contrast}`);
    }
    return faint;
})()";

/// Where the page can be moved sideways: what hangs over its edge.
const WIDE: &str = r"(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width && innerWidth <= screen.width) return [];
    return [...document.body.querySelectorAll('*')].filter((one) => one.getBoundingClientRect().right > width)
        .map((one) => `${one.tagName} ${one.id} ${one.className} ${one.textContent.slice(0, 30)}`);
})()";

/// What would keep somebody out who hears the page, or moves in it by keys.
const UNLABELLED: &str = r"[
    ...[...document.querySelectorAll('input')].filter((input) => !input.labels.length).map((input) => input.outerHTML),
    ...[...document.querySelectorAll('table')].filter((table) => !table.caption || !table.querySelector('thead th[scope=col]')).map((table) => table.outerHTML.slice(0, 200)),
    ...[...document.querySelectorAll('tbody tr')].filter((row) => !row.querySelector('th[scope=row]')).map((row) => row.outerHTML.slice(0, 200)),
    ...[...document.querySelectorAll('[role=img]')].filter((image) => !image.getAttribute('aria-label')).map((image) => image.outerHTML.slice(0, 200)),
    ...[...document.querySelectorAll('section')].filter((section) => !document.getElementById(section.getAttribute('aria-labelledby'))).map((section) => section.id),
]";

/// The share that the page tells of a member.
fn share(member: &str) -> String {
    format!(
        "[...document.querySelectorAll('#pools .pool')].find((pool) => pool.querySelector('caption b').textContent === 'www')\
         .querySelectorAll('tbody tr').values().find((row) => row.cells[0].textContent.startsWith('{member}')).querySelector('.share')?.textContent"
    )
}

fn explain(browser: &mut Browser, name: &str, client: &str) {
    browser.value(&format!(
        "document.getElementById('name').value = '{name}'; document.getElementById('client').value = '{client}'; \
         document.querySelector('#question button').click(); true"
    ));
}

#[test]
fn the_page_shows_what_the_server_does() {
    namespace::inside("the_page_shows_what_the_server_does", &[browser::PROGRAM], || {
        let directory = tempfile::tempdir().unwrap();
        let server = start(directory.path(), "127.0.0.1:9153");
        let stop = Arc::new(AtomicBool::new(false));
        let asking = ask_all_the_time(Arc::clone(&stop));
        let mut browser = Browser::start(directory.path());
        browser.open(ADMIN, SCREEN, "light");
        // It lives by itself: a chart has begun, and a member that is down is told as such.
        browser.wait_for("document.getElementById('live').textContent === 'live'");
        browser.wait_for("document.querySelector('.chart .line').getAttribute('d').includes('L')");
        browser.wait_for("document.getElementById('pools').innerText.includes('down')");
        browser.wait_for("document.querySelectorAll('#map .heat-4, #map .heat-3').length > 0");
        assert_eq!(browser.value("document.querySelectorAll('#map .member').length"), json!(5));
        assert_eq!(browser.value("document.querySelectorAll('#map .member.bad').length"), json!(1));

        // With nobody asking, its numbers are those of the metrics.
        stop.store(true, Ordering::Relaxed);
        let asked = asking.join().unwrap();
        let queries = metric(&["meridian_queries_total{"]);
        assert!(queries >= asked as f64);
        browser.wait_for(&format!("Number(document.getElementById('total-queries').dataset.value) === {queries}"));
        let answers =
            |member: &str| metric(&["meridian_member_answers_total{", "pool=\"www\"", &format!("member=\"{member}\"")]);
        let all: f64 = ["fra", "iad", "sin", "gru", "syd"].into_iter().map(answers).sum();
        for member in ["fra", "iad", "sin", "gru", "syd"] {
            let part = answers(member) / all;
            // To the tenth that is shown.
            browser.wait_for(&format!("Math.abs(parseFloat({}) - {}) < 0.0501", share(member), part * 100.0));
        }
        assert!(answers("fra") > 0.0);

        look_into_an_answer(&mut browser);
        for scheme in ["light", "dark"] {
            for screen in [SCREEN, PHONE] {
                browser.open(&format!("{ADMIN}#explain?name=www.geo.example&client=8.8.8.8"), screen, scheme);
                browser.wait_for("document.querySelectorAll('#explanation table').length > 1");
                browser.wait_for("document.querySelectorAll('#pools tbody tr').length === 7");
                browser.value("document.getElementById('minutes').open = true");
                browser.wait_for("document.querySelectorAll('#minutes tbody tr').length > 0");
                assert_eq!(browser.value(WIDE), json!([]), "{scheme}, {screen:?}");
                assert_eq!(browser.value(FAINT), json!([]), "{scheme}, {screen:?}");
                assert_eq!(browser.value(UNLABELLED), json!([]), "{scheme}, {screen:?}");
            }
        }
        let ground = "getComputedStyle(document.body).backgroundColor";
        let dark = browser.value(ground);
        browser.open(ADMIN, SCREEN, "light");
        assert_ne!(browser.value(ground), dark);

        // What the log warns of comes by itself.
        let text = std::fs::read_to_string(directory.path().join("meridian.yaml")).unwrap();
        std::fs::write(directory.path().join("meridian.yaml"), text + "colour: blue\n").unwrap();
        server.signal("HUP");
        browser.wait_for("document.getElementById('log').innerText.includes('the configuration is not changed')");

        assert!(browser.complaints.is_empty(), "{}", browser.complaints.join("\n"));
        let is_own = |url: &&String| url.starts_with(ADMIN) || url.starts_with("data:") || *url == "about:blank";
        let foreign: Vec<_> = browser.asked.iter().filter(|url| !is_own(url)).collect();
        assert!(foreign.is_empty(), "{foreign:?}");

        // It says so when the server is gone, and goes on when there is one again, whose numbers begin anew.
        drop(server);
        browser.wait_for("document.getElementById('live').textContent.startsWith('no figures since')");
        let _server = start_again(directory.path(), "127.0.0.1:9153");
        browser.wait_for("document.getElementById('live').textContent === 'live'");
        browser.wait_for("Number(document.getElementById('total-queries').dataset.value) < 100");
    });
}

/// The explain box, and the charts by keys.
fn look_into_an_answer(browser: &mut Browser) {
    explain(browser, "www.geo.example", "8.8.8.8");
    let text = browser.wait_for("document.getElementById('explanation').innerText.includes('Handlers') && document.getElementById('explanation').innerText");
    let text = text.as_str().unwrap();
    for words in ["NOERROR", "198.51.100.10", "nearest", "7494 km", "from the pool www", "authority"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let stages = "[...document.querySelectorAll('#explanation table')].at(-1).querySelectorAll('tbody tr')";
    // The member that is down falls to the first stage, and the nearest is left at the last.
    assert_eq!(browser.value(&format!("{stages}[0].cells[2].querySelector('del').textContent")), json!("gru"));
    assert_eq!(browser.value(&format!("[...{stages}].at(-1).querySelector('.first').textContent")), json!("iad"));
    explain(browser, "a..b", "");
    browser.wait_for("document.getElementById('explanation').innerText.startsWith('✕ name')");
    // What could not be asked is a fault of the question, not of the page.
    browser.complaints.retain(|complaint| !complaint.contains("status of 400"));

    let key = json!({ "type": "keyDown", "key": "ArrowLeft", "code": "ArrowLeft" });
    browser.value("document.querySelector('.chart svg').focus(); true");
    browser.call("Input.dispatchKeyEvent", &key);
    let told = browser.value("document.querySelector('.chart .span').textContent");
    let is_time_and_rate = |text: &str| text.ends_with("/s") && text.contains(": ");
    assert!(told.as_str().is_some_and(is_time_and_rate), "{told}");
}

#[test]
fn where_a_token_is_wanted_the_page_asks_for_it() {
    namespace::inside("where_a_token_is_wanted_the_page_asks_for_it", &[browser::PROGRAM], || {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("token"), "0123456789abcdef\n").unwrap();
        let _server = start(directory.path(), "{address: \"0.0.0.0:9153\", token_file: token}");
        let mut browser = Browser::start(directory.path());
        browser.open("http://192.0.2.10:9153/", PHONE, "dark");
        browser.wait_for("document.getElementById('ask-token').checkVisibility()");
        assert_eq!(browser.value("document.getElementById('about').textContent"), json!(""));
        let fill = |token: &str| {
            format!(
                "document.getElementById('token').value = '{token}'; \
                 document.querySelector('#ask-token button').click(); true"
            )
        };
        browser.value(&fill("not the token at all"));
        browser.wait_for("document.getElementById('ask-token').checkVisibility()");
        browser.value(&fill("0123456789abcdef"));
        browser.wait_for("document.getElementById('live').textContent === 'live'");
        browser.wait_for("!document.getElementById('ask-token').checkVisibility()");
        browser.wait_for("document.getElementById('about').textContent !== ''");
    });
}

/// Takes a picture of the page after some minutes of traffic where `MERIDIAN_PICTURE` names a file for it (as
/// `docs/images/make-status.py` does); and looks whether the README's is there.
#[test]
fn the_readmes_picture_is_small_and_can_be_taken() {
    const TRAFFIC: Duration = Duration::from_secs(120);
    const FRAME: (u32, u32) = (1200, 1180);
    if let Some(file) = std::env::var_os("MERIDIAN_PICTURE") {
        return namespace::inside("the_readmes_picture_is_small_and_can_be_taken", &[browser::PROGRAM], || {
            let directory = tempfile::tempdir().unwrap();
            let _server = start(directory.path(), "127.0.0.1:9153");
            let stop = Arc::new(AtomicBool::new(false));
            let asking = ask_all_the_time(Arc::clone(&stop));
            let mut browser = Browser::start(directory.path());
            std::thread::sleep(TRAFFIC);
            browser.open(ADMIN, FRAME, "light");
            browser.wait_for("document.querySelectorAll('#log li').length > 0");
            browser.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
            std::fs::write(&file, browser.picture()).unwrap();
            stop.store(true, Ordering::Relaxed);
            asking.join().unwrap();
        });
    }
    let picture = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/images/status.png")).unwrap();
    assert!(picture.starts_with(b"\x89PNG") && picture.len() <= 200 * 1024, "{} octets", picture.len());
}
