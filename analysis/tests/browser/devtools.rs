//! A Chromium of our own, spoken to by the DevTools protocol: a browser that ends with its test, and one page of it.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

/// How long the browser may take for one answer, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// `CHROMIUM`, or the first of [`NAMES`] on the path.
fn executable() -> PathBuf {
    if let Some(path) = std::env::var_os("CHROMIUM") {
        return PathBuf::from(path);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .flat_map(|dir| NAMES.map(|name| dir.join(name)))
        .find(|file| file.is_file())
        .unwrap_or_else(|| {
            panic!(
                "no browser: neither CHROMIUM=PATH is set nor is any of {} on the path; install one, on Debian with \
                 `apt-get install chromium`",
                NAMES.join(", ")
            )
        })
}

/// Killed when dropped.
struct Browser {
    process: Child,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing else to do about either.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One page, and everything that it has reported.
pub(crate) struct Page {
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    session: String,
    calls: u64,
    events: VecDeque<Value>,
    _browser: Browser,
}

impl Page {
    /// Opens `file` in a fresh browser that downloads to `downloads`, and waits until it is loaded.
    pub(crate) fn open(file: &Path, downloads: &Path) -> Page {
        let profile = tempfile::tempdir().unwrap();
        let mut process = Command::new(executable())
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"])
            .args(["--disable-background-networking", "--window-size=1280,900"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("DevTools listening on ").map(str::to_owned))
            .unwrap();
        // A full pipe would stop the browser.
        std::thread::spawn(move || lines.for_each(drop));
        let (socket, _) = tungstenite::connect(address.as_str()).unwrap();
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        let browser = Browser { process, _profile: profile };
        let mut page = Page { socket, session: String::new(), calls: 0, events: VecDeque::new(), _browser: browser };
        let allow = json!({"behavior": "allow", "downloadPath": downloads, "eventsEnabled": true});
        page.call("Browser.setDownloadBehavior", allow);
        let target = page.call("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = page.call("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        page.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Runtime", "Log", "Network", "Page"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        page.call("Page.navigate", json!({"url": format!("file://{}", file.display())}));
        page.wait_until(|page| !page.reported("Page.loadEventFired").is_empty());
        page
    }

    /// Calls a method of the protocol; what the page reports meanwhile is kept.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut request = json!({"id": self.calls, "method": method, "params": params});
        if !self.session.is_empty() {
            request["sessionId"] = json!(self.session);
        }
        self.socket.send(Message::text(request.to_string())).unwrap();
        loop {
            let mut message = self.read();
            if message["id"] == self.calls {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].take();
            }
            self.events.push_back(message);
        }
    }

    fn read(&mut self) -> Value {
        loop {
            let message = self.socket.read().unwrap();
            if let Ok(text) = message.to_text()
                && !text.is_empty()
            {
                return serde_json::from_str(text).unwrap();
            }
        }
    }

    /// Reads on until what was reported is enough.
    pub(crate) fn wait_until(&mut self, enough: impl Fn(&Page) -> bool) {
        while !enough(self) {
            let message = self.read();
            self.events.push_back(message);
        }
    }

    /// Loads the page once more, and waits until it is loaded.
    pub(crate) fn reload(&mut self) {
        let loads = |page: &Page| page.reported("Page.loadEventFired").len();
        let before = loads(self);
        self.call("Page.reload", json!({}));
        self.wait_until(|page| loads(page) > before);
    }

    /// The parameters of all events called `method` so far.
    pub(crate) fn reported(&self, method: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["method"] == method).map(|event| &event["params"]).collect()
    }

    /// The value of a JavaScript expression, a promise's when it is one. What it throws fails the test.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let params =
            json!({"expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true});
        let mut result = self.call("Runtime.evaluate", params);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {}", result["exceptionDetails"]);
        result["result"]["value"].take()
    }

    /// Presses and releases a key, such as `Tab`.
    pub(crate) fn press(&mut self, key: &str, code: u32) {
        for kind in ["rawKeyDown", "keyUp"] {
            let params = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            self.call("Input.dispatchKeyEvent", params);
        }
    }

    pub(crate) fn narrow(&mut self, width: u32) {
        let params = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", params);
    }

    /// Emulates a medium (`screen`, `print`) whose user prefers `scheme`.
    pub(crate) fn emulate(&mut self, media: &str, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"media": media, "features": features}));
        // The page hears of it with the next frame.
        self.value("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))");
    }
}
