//! A server for the views of luci-app-mqttguard: what uhttpd, rpcd and LuCI's dispatcher do for
//! them, on loopback, with the daemon behind it on its bus.
//!
//! The views are served as they are installed. What they run on is the stand-in in `tests/luci`, or
//! LuCI's own runtime where [`LUCI_VARIABLE`] names a checkout of it.

mod uci;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use mqttguard::ubus::{CallError, call};
use mqttguard_lab::tools;
use serde_json::{Map, Value, json};

use self::uci::Uci;

/// Names a checkout of LuCI, to run the views on that instead of the stand-in.
pub const LUCI_VARIABLE: &str = "MQTTGUARD_LUCI";

/// The session of the owner, who has all rights of the package's ACL.
pub const OWNER: &str = "00000000000000000000000000000001";
/// The session of somebody who has the rights to read alone.
pub const GUEST: &str = "00000000000000000000000000000002";

/// Names a directory for pictures of the pages.
const PICTURES_VARIABLE: &str = "MQTTGUARD_PICTURES";

/// How long a call on the bus may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long a browser may take over a request.
const PATIENCE: Duration = Duration::from_secs(10);
/// libubus's status for a call that the session's rights do not cover.
const PERMISSION_DENIED: u32 = 6;
/// libubus's status for what fails for another reason.
const UNKNOWN_ERROR: u32 = 9;
/// Longest body of a request, in bytes.
const BODY: usize = 64 * 1024;

/// The server. It ends when dropped.
#[derive(Debug)]
pub struct Luci {
    site: Arc<Site>,
    address: SocketAddr,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Luci {
    /// Serves the views of the object that is on the bus at `socket`, and the configuration file
    /// that it reads.
    pub fn start(socket: &Path, config: &Path) -> Result<Self> {
        let site = Arc::new(Site::new(socket, config)?);
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let (address, ends) = (listener.local_addr()?, Arc::new(AtomicBool::new(false)));
        let ending = Arc::clone(&ends);
        let served = Arc::clone(&site);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if ending.load(Ordering::Relaxed) {
                    return;
                }
                let site = Arc::clone(&served);
                if let Ok(stream) = stream {
                    // A browser that goes away in the middle is its own affair.
                    thread::spawn(move || site.serve(stream));
                }
            }
        });
        Ok(Self {
            site,
            address,
            ends,
            thread: Some(thread),
        })
    }

    /// Where the pages of LuCI begin.
    pub fn url(&self) -> String {
        format!("http://{}/cgi-bin/luci", self.address)
    }
}

/// Runs these modules of `tests/luci/checks` in a browser, in this order, and says on stdout how each
/// check went. An error, if any of them failed.
pub fn check(luci: &Luci, modules: &[&str]) -> Result<()> {
    check_with(luci, modules, |order| bail!("nobody does {order} here"))
}

/// As [`check`]; `house` does what the checks want done in the house: `t.house(order)`.
pub fn check_with(
    luci: &Luci,
    modules: &[&str],
    mut house: impl FnMut(&Value) -> Result<()>,
) -> Result<()> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/luci/check.mjs");
    let mut browser = Command::new(tools::system("node")?)
        .args([script, &luci.url()])
        .arg(tools::tools_dir()?.join("browser"))
        .arg(std::env::var_os(PICTURES_VARIABLE).unwrap_or_default())
        .args(modules)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut failed = Ok(());
    let stdout = browser.stdout.take().context("no stdout")?;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        let Some(order) = line.strip_prefix("HOUSE ") else {
            println!("{line}");
            continue;
        };
        // The check that waits for it fails too; the reason is told in the end.
        let done = serde_json::from_str(order).map_err(Into::into);
        failed = failed.and(done.and_then(|order| house(&order)));
    }
    let status = browser.wait()?;
    failed?;
    ensure!(status.success(), "{modules:?}: {status}");
    // A router would take it back.
    ensure!(
        !luci.site.staged().is_awaiting(),
        "{modules:?}: a change of the configuration was not confirmed"
    );
    Ok(())
}

impl Drop for Luci {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // Wakes the thread up.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What is served.
#[derive(Debug)]
struct Site {
    socket: PathBuf,
    uci: Mutex<Uci>,
    /// Directories that hold `luci-static`, the first that has a file wins.
    roots: Vec<PathBuf>,
    page: String,
    /// `menu.d` and `acl.d` of the package.
    menu: Map<String, Value>,
    acl: Value,
}

struct Request {
    path: String,
    query: String,
    body: Vec<u8>,
}

struct Answer {
    status: &'static str,
    kind: &'static str,
    body: Vec<u8>,
}

impl Site {
    fn new(socket: &Path, config: &Path) -> Result<Self> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let package = tests.join("../openwrt/luci-app-mqttguard");
        let share = package.join("root/usr/share");
        let read = |path: PathBuf| -> Result<Value> {
            let text = fs::read(&path).with_context(|| path.display().to_string())?;
            serde_json::from_slice(&text).with_context(|| path.display().to_string())
        };
        let menu = read(share.join("luci/menu.d/luci-app-mqttguard.json"))?;
        let acl = read(share.join("rpcd/acl.d/luci-app-mqttguard.json"))?;
        let mut roots = vec![package.join("htdocs/luci-static")];
        match std::env::var_os(LUCI_VARIABLE).map(PathBuf::from) {
            None => roots.push(tests.join("luci")),
            Some(luci) => {
                for part in [
                    "modules/luci-base",
                    "modules/luci-mod-status",
                    "themes/luci-theme-bootstrap",
                ] {
                    let root = luci.join(part).join("htdocs/luci-static");
                    ensure!(root.is_dir(), "{LUCI_VARIABLE}: no {}", root.display());
                    roots.push(root);
                }
            }
        }
        Ok(Self {
            socket: socket.to_owned(),
            uci: Mutex::new(Uci::new(config)),
            roots,
            page: fs::read_to_string(tests.join("luci/page.html"))?,
            menu: menu.as_object().context("menu.d: no object")?.clone(),
            acl: acl
                .get("luci-app-mqttguard")
                .context("acl.d: no group luci-app-mqttguard")?
                .clone(),
        })
    }

    fn serve(&self, stream: TcpStream) -> Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let request = Request::read(&mut reader)?;
        let answer = self.answer(&request);
        let mut stream = stream;
        write!(
            stream,
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nConnection: close\r\n\r\n",
            answer.status,
            answer.kind,
            answer.body.len()
        )?;
        Ok(stream.write_all(&answer.body)?)
    }

    fn answer(&self, request: &Request) -> Answer {
        let path = request.path.as_str();
        if path.trim_end_matches('/') == "/ubus" {
            return self.ubus(&request.body);
        }
        // What LuCI runs to find out from where the browser comes: nobody knows.
        if path == "/cgi-bin/cgi-exec" {
            return Answer::good("application/json", b"{}".to_vec());
        }
        if let Some(step) = path.strip_prefix("/cgi-bin/luci/admin/uci/") {
            return self.apply(step).unwrap_or_else(missing);
        }
        if let Some(page) = path.strip_prefix("/cgi-bin/luci/") {
            return self.page(page, &request.query).unwrap_or_else(missing);
        }
        let file = path.strip_prefix("/luci-static/");
        file.and_then(|file| self.file(file))
            .unwrap_or_else(missing)
    }

    fn file(&self, file: &str) -> Option<Answer> {
        if file.split('/').any(|part| part == "..") {
            return None;
        }
        let kind = match file.rsplit_once('.')?.1 {
            "js" => "text/javascript",
            "css" => "text/css",
            "svg" => "image/svg+xml",
            "png" => "image/png",
            _ => return None,
        };
        let body = self
            .roots
            .iter()
            .find_map(|root| fs::read(root.join(file)).ok())?;
        Some(Answer::good(kind, body))
    }

    /// The page of a node of the menu; `?dark` is in the dark theme, `?guest` is without rights to
    /// change anything, `?foreign` is in a language in which all that the views translate is in capitals.
    fn page(&self, node: &str, query: &str) -> Option<Answer> {
        let view = match node {
            "admin/status/overview" => "status/index",
            node => self.menu.get(node)?.pointer("/action/path")?.as_str()?,
        };
        let has = |flag| query.split('&').any(|part| part == flag);
        let env = json!({
            "resource": "/luci-static/resources",
            "media": "/luci-static/bootstrap",
            "scriptname": "/cgi-bin/luci",
            "documentroot": "/www",
            "ubuspath": "/ubus/",
            "pollinterval": 5,
            "requestpath": node.split('/').collect::<Vec<_>>(),
            "dispatchpath": node.split('/').collect::<Vec<_>>(),
            "nodespec": { "satisfied": true, "readonly": has("guest") },
            // How LuCI puts a configuration into force, in seconds.
            "apply_rollback": 10,
            "apply_holdoff": 0,
            "apply_timeout": 5,
            "apply_display": 0,
            "sessionid": if has("guest") { GUEST } else { OWNER },
        });
        let mut menu: Vec<_> = self.menu.iter().collect();
        menu.retain(|(_, entry)| entry.pointer("/action/type") == Some(&json!("view")));
        menu.sort_by_key(|(_, entry)| entry.get("order").and_then(Value::as_u64));
        let menu: String = menu
            .iter()
            .map(|(path, entry)| {
                let title = entry.get("title").and_then(Value::as_str).unwrap_or(path);
                format!("<li><a href=\"/cgi-bin/luci/{path}\">{title}</a></li>")
            })
            .collect();
        let html = self
            .page
            .replace("{{dark}}", if has("dark") { "true" } else { "false" })
            .replace("{{foreign}}", if has("foreign") { "true" } else { "false" })
            .replace("{{page}}", &node.replace('/', "-"))
            .replace("{{menu}}", &menu)
            .replace("{{env}}", &env.to_string())
            .replace("{{view}}", view);
        Some(Answer::good("text/html; charset=utf-8", html.into_bytes()))
    }

    /// JSON-RPC as uhttpd-mod-ubus has it: one call or a list of them.
    fn ubus(&self, body: &[u8]) -> Answer {
        let replies = match serde_json::from_slice::<Value>(body) {
            Ok(Value::Array(calls)) => calls.iter().map(|call| self.call(call)).collect(),
            Ok(call) => self.call(&call),
            Err(_) => failure(&Value::Null, -32700, "Parse error"),
        };
        Answer::good("application/json", replies.to_string().into_bytes())
    }

    fn call(&self, request: &Value) -> Value {
        let id = request.get("id").unwrap_or(&Value::Null);
        let result = |result: Value| json!({ "jsonrpc": "2.0", "id": id, "result": result });
        let text = |at| {
            request
                .pointer(at)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        if text("/method") == "list" {
            return result(json!({}));
        }
        let (session, object, method) = (text("/params/0"), text("/params/1"), text("/params/2"));
        match (object, method) {
            ("mqttguard", _) => {}
            // What the status page of LuCI asks for to find its parts.
            ("file", "list") => {
                return result(json!([0, { "entries": self.list(text("/params/3/path")) }]));
            }
            ("session", "access") => {
                let may = match text("/params/3/scope") {
                    "uci" => self.may_uci(session, text("/params/3/function")),
                    _ => true,
                };
                return result(json!([0, { "access": may }]));
            }
            ("uci", _) => {
                return match self.uci(session, method, request.pointer("/params/3")) {
                    Ok(Value::Null) => result(json!([0])),
                    Ok(answer) => result(json!([0, answer])),
                    Err(status) => result(json!([status])),
                };
            }
            // What LuCI's own runtime asks about the rest of the router is not here.
            _ => return result(json!([0, {}])),
        }
        if !self.may(session, object, method) {
            return failure(id, -32002, "Access denied");
        }
        let mut arguments = request
            .pointer("/params/3")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        arguments.insert("ubus_rpc_session".to_owned(), json!(session));
        match call(&self.socket, object, method, arguments.into(), DEADLINE) {
            Ok(answer) => result(json!([0, answer])),
            Err(CallError::NoObject(_)) => failure(id, -32000, "Object not found"),
            Err(CallError::Refused { status, data, .. }) if data.is_empty() => {
                result(json!([status.code()]))
            }
            Err(CallError::Refused { status, data, .. }) => result(json!([status.code(), data])),
            Err(error) => failure(id, -32603, &error.to_string()),
        }
    }

    /// A method of the object `uci`, held to the package's ACL as rpcd does it.
    fn uci(&self, session: &str, method: &str, arguments: Option<&Value>) -> Result<Value, u32> {
        let function = match method {
            "get" | "changes" => "read",
            _ => "write",
        };
        if !self.may_uci(session, function) {
            return Err(PERMISSION_DENIED);
        }
        match method {
            "apply" => {
                self.staged().may_apply()?;
                self.commit();
                let rollback = arguments.and_then(|given| given.get("rollback"));
                if rollback.and_then(Value::as_bool) == Some(true) {
                    self.staged().await_confirmation();
                }
                Ok(Value::Null)
            }
            // Writes, and tells nobody.
            "commit" => match self.staged().commit() {
                Ok(_) => Ok(Value::Null),
                Err(_) => Err(UNKNOWN_ERROR),
            },
            "confirm" => self.staged().confirm().map(|()| Value::Null),
            _ => self
                .staged()
                .call(method, arguments.unwrap_or(&Value::Null)),
        }
    }

    /// What LuCI's dispatcher does for the buttons below a form.
    fn apply(&self, step: &str) -> Option<Answer> {
        match step {
            "apply_rollback" | "apply_unchecked" => self.commit(),
            "confirm" => {}
            "revert" => self.staged().revert(),
            _ => return None,
        }
        let token = json!({ "token": "" }).to_string();
        Some(Answer::good("application/json", token.into_bytes()))
    }

    /// Writes the configuration and has the daemon read it, as the init script's reload trigger
    /// does on a router.
    fn commit(&self) {
        let changed = self.staged().commit();
        if changed.is_ok_and(|changed| changed) {
            // A daemon that is not running reads the file when it starts.
            let _ = call(&self.socket, "mqttguard", "reload", json!({}), DEADLINE);
        }
    }

    fn staged(&self) -> std::sync::MutexGuard<'_, Uci> {
        self.uci.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the package's ACL lets the session call the method.
    fn may(&self, session: &str, object: &str, method: &str) -> bool {
        groups(session)
            .iter()
            .any(|group| self.grants(&format!("/{group}/ubus/{object}"), method))
    }

    /// Whether the package's ACL lets the session `read` or `write` the configuration.
    fn may_uci(&self, session: &str, function: &str) -> bool {
        let package = self.staged().package();
        groups(session).contains(&function) && self.grants(&format!("/{function}/uci"), &package)
    }

    fn grants(&self, place: &str, wanted: &str) -> bool {
        let granted = self.acl.pointer(place).and_then(Value::as_array);
        granted.is_some_and(|granted| granted.iter().any(|one| one == wanted))
    }

    /// The package's files in a directory of the router.
    fn list(&self, path: &str) -> Vec<Value> {
        let below = path.strip_prefix("/www/luci-static/");
        let directory = self.roots.first().zip(below);
        let entries = directory.and_then(|(root, below)| fs::read_dir(root.join(below)).ok());
        let names = entries.into_iter().flatten().flatten();
        names
            .map(|entry| json!({ "type": "file", "name": entry.file_name().to_string_lossy() }))
            .collect()
    }
}

impl Request {
    fn read(reader: &mut impl BufRead) -> Result<Self> {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let target = line.split(' ').nth(1).context("no request line")?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (path, query) = (path.to_owned(), query.to_owned());
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                bail!("a head without an end");
            }
            match line.trim_end().split_once(':') {
                None => break,
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse()?;
                }
                Some(_) => {}
            }
        }
        ensure!(length <= BODY, "a body of {length} bytes");
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        Ok(Self { path, query, body })
    }
}

impl Answer {
    fn good(kind: &'static str, body: Vec<u8>) -> Self {
        Self {
            status: "200 OK",
            kind,
            body,
        }
    }
}

/// The groups of the ACL that a session is in.
fn groups(session: &str) -> &'static [&'static str] {
    match session {
        OWNER => &["read", "write"],
        GUEST => &["read"],
        _ => &[],
    }
}

fn missing() -> Answer {
    Answer {
        status: "404 Not Found",
        kind: "text/plain",
        body: b"not here\n".to_vec(),
    }
}

fn failure(id: &Value, code: i32, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}
