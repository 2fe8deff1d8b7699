//! A headless Chromium, driven by the `DevTools` protocol over its pipe, and one page in it.
//!
//! Everything that the browser complains of is noted: exceptions, console messages, what the page's policy forbids,
//! failed requests. And everything that it asks for.
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::namespace;

/// The browser that the tests run.
pub const PROGRAM: &str = "chromium";
/// What a browser does by then, it will not do.
const LIMIT: Duration = Duration::from_secs(60);

/// A browser with one page open.
pub struct Browser {
    child: Child,
    pipe: ChildStdin,
    told: Receiver<Value>,
    session: Option<String>,
    next: u64,
    answers: HashMap<u64, Value>,
    /// What it complained of.
    pub complaints: Vec<String>,
    /// The addresses that the page asked for.
    pub asked: Vec<String>,
}

impl Browser {
    /// Starts it with its files in `directory`.
    pub fn start(directory: &Path) -> Self {
        let program = namespace::find(PROGRAM).expect("looked for before");
        let log = std::fs::File::create(directory.join("chromium.out")).expect("the directory is writable");
        // The protocol's pipe is descriptors 3 and 4; a shell can make them of standard input and output.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh"])
            .arg(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--hide-scrollbars"])
            .args(["--remote-debugging-pipe", &format!("--user-data-dir={}", directory.join("profile").display())])
            .env("HOME", directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("sh starts");
        let (pipe, out) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let (sender, told) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(out).split(0) {
                let Ok(message) = message else { return };
                let message = serde_json::from_slice(&message).expect("the protocol speaks JSON");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            pipe,
            told,
            session: None,
            next: 0,
            answers: HashMap::new(),
            complaints: Vec::new(),
            asked: Vec::new(),
        };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", &attach);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// Has the browser do something; what it answers.
    pub fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.next += 1;
        let id = self.next;
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut octets = message.to_string().into_bytes();
        octets.push(0);
        self.pipe.write_all(&octets).expect("the browser listens");
        let end = Instant::now() + LIMIT;
        while !self.answers.contains_key(&id) {
            self.hear(end).unwrap_or_else(|| panic!("{method} was not answered"));
        }
        let answer = self.answers.remove(&id).unwrap();
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Takes in one message that comes before `end`.
    fn hear(&mut self, end: Instant) -> Option<()> {
        let message = self.told.recv_timeout(end.saturating_duration_since(Instant::now())).ok()?;
        let parameters = &message["params"];
        match message["method"].as_str() {
            None => drop(self.answers.insert(message["id"].as_u64().unwrap_or(0), message.clone())),
            Some(
                "Runtime.exceptionThrown" | "Log.entryAdded" | "Runtime.consoleAPICalled" | "Network.loadingFailed",
            ) => {
                self.complaints.push(parameters.to_string());
            }
            Some("Network.requestWillBeSent") => {
                self.asked.extend(parameters["request"]["url"].as_str().map(str::to_owned));
            }
            Some(_) => {}
        }
        Some(())
    }

    /// Opens `url`, as if on a screen of so many pixels, for somebody who likes it `light` or `dark`.
    pub fn open(&mut self, url: &str, (width, height): (u32, u32), scheme: &str) {
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", &screen);
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", &features);
        // Another document, even where only the fragment differs.
        self.call("Page.navigate", &json!({ "url": "about:blank" }));
        self.call("Page.navigate", &json!({ "url": url }));
        self.wait_for("location.href !== 'about:blank' && document.readyState === 'complete'");
    }

    /// What a JavaScript expression is in the page; promises are waited for.
    pub fn value(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", &parameters);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"].get("value").cloned().unwrap_or(Value::Null)
    }

    /// Waits until a JavaScript expression is something that JavaScript holds for true; that value.
    pub fn wait_for(&mut self, expression: &str) -> Value {
        let end = Instant::now() + LIMIT;
        loop {
            let value = self.value(expression);
            if !matches!(value, Value::Null | Value::Bool(false)) && value != json!(0) && value != json!("") {
                return value;
            }
            let complaints = self.complaints.join("\n");
            assert!(
                Instant::now() < end,
                "never: {expression}\n{complaints}\n{}",
                self.value("document.body.innerText")
            );
            // What it tells meanwhile is heard; then it is asked again.
            self.hear(Instant::now() + Duration::from_millis(50));
        }
    }

    /// The page as the screen shows it, as a PNG file's octets.
    pub fn picture(&mut self) -> Vec<u8> {
        use base64::Engine as _;
        let answer = self.call("Page.captureScreenshot", &json!({ "format": "png" }));
        let text = answer["data"].as_str().expect("octets");
        base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
