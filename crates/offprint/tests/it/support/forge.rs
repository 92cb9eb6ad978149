//! A forge that is told how deployments are. It knows the calls that GitHub, GitLab, Forgejo and Gitea document,
//! with their members and values, and takes every other call for a mistake, which fails the test.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The token that every call must show.
pub(crate) const FORGE_TOKEN: &str = "forge-token-that-nobody-may-see";
/// How long a call is waited for; generous, for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// Which forge's API is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Github,
    Gitlab,
    Forgejo,
}

impl Dialect {
    pub(crate) const ALL: [Self; 3] = [Self::Github, Self::Gitlab, Self::Forgejo];

    /// The `type` of a source.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Forgejo => "forgejo",
        }
    }

    /// Where the API is below the host.
    const fn root(self) -> &'static str {
        match self {
            Self::Github => "/api/v3",
            Self::Gitlab => "/api/v4",
            Self::Forgejo => "/api/v1",
        }
    }
}

/// One commit status that was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) commit: String,
    pub(crate) state: String,
    pub(crate) context: String,
    pub(crate) description: String,
    pub(crate) target: String,
}

/// The comments of the one pull request, with their ids, and what was done with them.
#[derive(Clone, Debug, Default)]
struct Memory {
    statuses: Vec<Status>,
    comments: Vec<(u64, String)>,
    created: usize,
    edited: usize,
    calls: Vec<String>,
    mistakes: Vec<String>,
    /// Answers to give instead, first come first served: status and headers.
    troubles: VecDeque<(u16, Vec<(&'static str, String)>)>,
    last_id: u64,
}

/// The forge; it ends with the test, which fails if a call was not as documented.
pub(crate) struct FakeForge {
    address: SocketAddr,
    dialect: Dialect,
    memory: Arc<Mutex<Memory>>,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Desk {
    dialect: Dialect,
    memory: Arc<Mutex<Memory>>,
}

impl FakeForge {
    /// A forge whose one repository is `octo/site` with the pull request 7.
    pub(crate) async fn start(dialect: Dialect) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let memory = Arc::new(Mutex::new(Memory { last_id: 100, ..Memory::default() }));
        let desk = Desk { dialect, memory: Arc::clone(&memory) };
        let router = Router::new().fallback(answer).with_state(desk);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, dialect, memory, task }
    }

    /// Which API is spoken.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The address of the API, as a source's `api_url` says it.
    pub(crate) fn api_url(&self) -> String {
        format!("http://{}{}", self.address, self.dialect.root())
    }

    /// Host and port, for the operator's allow-list.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// The next call gets this answer instead.
    pub(crate) fn trouble(&self, status: u16, headers: &[(&'static str, &str)]) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.lock().troubles.push_back((status, headers));
    }

    /// Somebody writes a comment; its id.
    pub(crate) fn comment_by_somebody(&self, text: &str) -> u64 {
        self.lock().add_comment(text)
    }

    /// Somebody deletes all comments.
    pub(crate) fn delete_comments(&self) {
        self.lock().comments.clear();
    }

    /// All comments, oldest first.
    pub(crate) fn comments(&self) -> Vec<(u64, String)> {
        self.lock().comments.clone()
    }

    /// How many comments were made and how often one was edited.
    pub(crate) fn created_and_edited(&self) -> (usize, usize) {
        let memory = self.lock();
        (memory.created, memory.edited)
    }

    /// Method and path of all calls.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    /// The states of a commit, in order, repetitions left out.
    pub(crate) fn states_of(&self, commit: &str) -> Vec<String> {
        let mut states: Vec<_> = self.statuses_of(commit).into_iter().map(|status| status.state).collect();
        states.dedup();
        states
    }

    /// The statuses of a commit, in order.
    pub(crate) fn statuses_of(&self, commit: &str) -> Vec<Status> {
        let all = self.lock().statuses.clone();
        all.into_iter().filter(|status| status.commit == commit).collect()
    }

    /// Waits until the last status of a commit is this one.
    pub(crate) async fn comes_to(&self, commit: &str, state: &str) -> Status {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            let last = self.statuses_of(commit).pop();
            if let Some(status) = last.filter(|status| status.state == state) {
                return status;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("{commit} does not come to {state}: {:?}; calls {:?}", self.states_of(commit), self.calls());
    }

    /// Waits until a comment has this text in it; the comment.
    pub(crate) async fn has_comment_with(&self, text: &str) -> String {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            if let Some((_, found)) = self.comments().into_iter().find(|(_, comment)| comment.contains(text))
            {
                return found;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("no comment has {text:?} in it: {:?}", self.comments());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap()
    }
}

impl Drop for FakeForge {
    fn drop(&mut self) {
        self.task.abort();
        if !std::thread::panicking() {
            let mistakes = self.memory.lock().unwrap().mistakes.clone();
            assert!(mistakes.is_empty(), "calls are not as documented:\n{}", mistakes.join("\n"));
        }
    }
}

impl Memory {
    fn add_comment(&mut self, text: &str) -> u64 {
        self.last_id += 1;
        self.comments.push((self.last_id, text.to_owned()));
        self.last_id
    }
}

async fn answer(State(desk): State<Desk>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let path = parts.uri.path().to_owned();
    let call = format!("{} {path}", parts.method);
    let mut memory = desk.memory.lock().unwrap();
    memory.calls.push(call.clone());
    if let Some((status, headers)) = memory.troubles.pop_front() {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(name, value);
        }
        return response.body(Body::from("{\"message\":\"not now\"}")).unwrap();
    }
    let call_of = Asked {
        method: parts.method,
        path: path.strip_prefix(desk.dialect.root()).unwrap_or("outside the API").to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    };
    let (status, answer) = match desk.dialect.serve(&call_of, &mut memory) {
        Ok(done) => done,
        Err(mistake) => {
            memory.mistakes.push(format!("{call}: {mistake}: {}", call_of.body));
            (422, json!({ "message": mistake }))
        }
    };
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Body::from(answer.to_string())).unwrap()
}

struct Asked {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Value,
}

type Served = Result<(u16, Value), String>;

impl Asked {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body's members, which must be these and no others, all of them text.
    fn texts<const N: usize>(&self, names: [&str; N]) -> Result<[String; N], String> {
        let object = self.body.as_object().ok_or("the body is no JSON object")?;
        if let Some(other) = object.keys().find(|key| !names.contains(&key.as_str())) {
            return Err(format!("{other} is not documented"));
        }
        let mut texts = [const { String::new() }; N];
        for (text, name) in texts.iter_mut().zip(names) {
            *text = object.get(name).and_then(Value::as_str).ok_or(format!("{name} is missing"))?.to_owned();
        }
        Ok(texts)
    }
}

impl Dialect {
    fn serve(self, asked: &Asked, memory: &mut Memory) -> Served {
        self.check_headers(asked)?;
        let segments: Vec<&str> = asked.path.trim_start_matches('/').split('/').collect();
        match self {
            Self::Github | Self::Forgejo => match segments.as_slice() {
                ["repos", "octo", "site", "statuses", commit] => self.status(asked, memory, commit),
                ["repos", "octo", "site", "issues", "7", "comments"] => self.comments(asked, memory),
                ["repos", "octo", "site", "issues", "comments", id] => {
                    edit(asked, memory, &Method::PATCH, id)
                }
                _ => Err("no such endpoint".into()),
            },
            Self::Gitlab => match segments.as_slice() {
                ["projects", "octo%2Fsite" | "4711", "statuses", commit] => {
                    self.status(asked, memory, commit)
                }
                ["projects", "octo%2Fsite" | "4711", "merge_requests", "7", "notes"] => {
                    self.comments(asked, memory)
                }
                ["projects", "octo%2Fsite" | "4711", "merge_requests", "7", "notes", id] => {
                    edit(asked, memory, &Method::PUT, id)
                }
                _ => Err("no such endpoint".into()),
            },
        }
    }

    fn check_headers(self, asked: &Asked) -> Result<(), String> {
        let shown = match self {
            Self::Github => asked.header("authorization").strip_prefix("Bearer "),
            Self::Gitlab => Some(asked.header("private-token")),
            Self::Forgejo => asked.header("authorization").strip_prefix("token "),
        };
        if shown != Some(FORGE_TOKEN) {
            return Err("the token is not shown as documented".into());
        }
        if asked.header("user-agent").is_empty() {
            return Err("GitHub refuses calls without a user agent".into());
        }
        if asked.method != Method::GET && !asked.header("content-type").starts_with("application/json") {
            return Err("the body does not say that it is JSON".into());
        }
        if self == Self::Github
            && (asked.header("accept"), asked.header("x-github-api-version"))
                != ("application/vnd.github+json", "2022-11-28")
        {
            return Err("GitHub recommends its media type and wants the version named".into());
        }
        Ok(())
    }

    fn status(self, asked: &Asked, memory: &mut Memory, commit: &str) -> Served {
        if asked.method != Method::POST || commit.len() != 40 {
            return Err("a status is posted to a full hash".into());
        }
        let (states, [state, target, description, context]): (&[&str], _) = match self {
            Self::Github => (
                &["error", "failure", "pending", "success"],
                asked.texts(["state", "target_url", "description", "context"])?,
            ),
            Self::Forgejo => (
                &["pending", "success", "error", "failure", "warning"],
                asked.texts(["state", "target_url", "description", "context"])?,
            ),
            Self::Gitlab => {
                let [state, target, description, name, branch] =
                    asked.texts(["state", "target_url", "description", "name", "ref"])?;
                if branch.is_empty() {
                    return Err("the ref is empty".into());
                }
                (&["pending", "running", "success", "failed", "canceled"], [state, target, description, name])
            }
        };
        if !states.contains(&state.as_str()) {
            return Err(format!("there is no state {state}"));
        }
        let limit = if self == Self::Gitlab { 255 } else { 140 };
        if description.chars().count() > limit || !target.starts_with("http") {
            return Err("the description is too long, or the target is no URL".into());
        }
        let before =
            memory.statuses.iter().rfind(|status| status.commit == commit && status.context == context);
        if self == Self::Gitlab && before.is_some_and(|before| before.state == state) {
            return Ok((
                400,
                json!({ "message": format!("Cannot transition status via :run from :{state}") }),
            ));
        }
        memory.statuses.push(Status { commit: commit.to_owned(), state, context, description, target });
        Ok((201, json!({ "id": memory.statuses.len() })))
    }

    fn comments(self, asked: &Asked, memory: &mut Memory) -> Served {
        if asked.method == Method::POST {
            let [text] = asked.texts(["body"])?;
            memory.created += 1;
            let id = memory.add_comment(&text);
            return Ok((201, json!({ "id": id, "body": text })));
        }
        if asked.method != Method::GET {
            return Err("comments are listed and posted".into());
        }
        let query: Vec<(&str, &str)> =
            asked.query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let value = |name: &str| query.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        let known: &[&str] = match self {
            Self::Github => &["per_page", "page", "since"],
            Self::Gitlab => &["sort", "order_by", "per_page", "page"],
            Self::Forgejo => &["since", "before"],
        };
        if let Some((name, _)) = query.iter().find(|(name, _)| !known.contains(name)) {
            return Err(format!("the query {name} is not documented"));
        }
        let page: usize = value("page").unwrap_or("1").parse().map_err(|_| "page is no number")?;
        let per_page: usize =
            value("per_page").unwrap_or("1000").parse().map_err(|_| "per_page is no number")?;
        if self != Self::Forgejo && per_page > 100 {
            return Err("pages hold 100 at the most".into());
        }
        let listed = memory.comments.iter().skip((page - 1) * per_page).take(per_page);
        Ok((200, listed.map(|(id, text)| json!({ "id": id, "body": text })).collect()))
    }
}

fn edit(asked: &Asked, memory: &mut Memory, method: &Method, id: &str) -> Served {
    if asked.method != method {
        return Err(format!("comments are edited with {method}"));
    }
    let [text] = asked.texts(["body"])?;
    let id: u64 = id.parse().map_err(|_| "the id is no number")?;
    let Some((_, comment)) = memory.comments.iter_mut().find(|(known, _)| *known == id) else {
        return Ok((404, json!({ "message": "Not Found" })));
    };
    *comment = text;
    memory.edited += 1;
    Ok((200, json!({ "id": id })))
}
