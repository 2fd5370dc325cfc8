//! A portal of one purpose: `im.v2.Event.*` with its destructive offsets (b24: messenger §3.2), and
//! calls that go wrong on request. It watches the invariant itself: nothing that is to be forwarded
//! may be deleted before it is in the outbox.

use std::collections::HashSet;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;

use serde_json::Value;
use serde_json::json;

use crate::base::threads::Exits;
use crate::base::threads::ThreadName;
use crate::domain::ids::RowId;
use crate::http::Answer;
use crate::http::Handler;
use crate::http::Listen;
use crate::http::Reply;
use crate::http::Request;
use crate::http::Server;
use crate::store::Store;

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Carried out, and the answer is lost.
    AnswerLost,
    /// Refused with this code.
    Code(u16, &'static str),
}

#[derive(Default)]
struct State {
    /// Event id, reader, message id, `data`.
    log: Vec<(i64, i64, i64, Value)>,
    subscribed: HashSet<i64>,
    last_event: i64,
    /// Methods called, in order, with the reader.
    calls: Vec<(String, i64)>,
    wrong: VecDeque<Wrong>,
    /// Readers whose every call is refused with this.
    outlawed: Option<(i64, u16, &'static str)>,
    /// Readers whose calls hang.
    hung: HashSet<i64>,
    /// Deleted although not in the outbox: a broken promise.
    lost: Vec<i64>,
}

struct Log {
    state: Mutex<State>,
    freed: Condvar,
    store: Store,
}

/// The running portal.
pub struct EventLog {
    _server: Server,
    addr: SocketAddr,
    log: Arc<Log>,
}

impl EventLog {
    /// Its promise is checked against the outbox of `store`.
    pub fn start(store: &Store) -> EventLog {
        let log =
            Arc::new(Log { state: Mutex::default(), freed: Condvar::new(), store: store.clone() });
        let listen = Listen {
            addr: "127.0.0.1:0".parse().expect("an address"),
            workers: 8,
            thread: ThreadName::HttpControl,
            body_bytes_max: 1 << 20,
            per_source_max: None,
        };
        let handler: Arc<dyn Handler> = log.clone();
        let server = Server::start(listen, &Exits::new().0, handler).expect("starts");
        EventLog { addr: server.addr(), _server: server, log }
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A colleague, user 12, writes to an agent's user.
    pub fn write(&self, reader: i64, message: i64) {
        self.write_as(reader, message, 12, &format!("text {message}"));
    }

    /// Somebody writes in the private dialog of an agent's user.
    pub fn write_as(&self, reader: i64, message: i64, author: i64, text: &str) {
        let data = json!({
            "message": {"id": message, "chatId": 900 + reader, "authorId": author, "text": text,
                "date": "2026-05-04T11:20:07+03:00", "isSystem": false, "params": []},
            "chat": {"id": 900 + reader, "dialogId": "12", "messageType": "P", "type": "private"},
            "user": {"id": author, "name": "Olaf Brandt", "type": "user", "bot": author == 13},
            "language": "en",
        });
        self.add(reader, message, data);
    }

    /// An event of which nothing can be read.
    pub fn write_garbage(&self, reader: i64) {
        self.add(reader, 0, json!({"message": "?"}));
    }

    fn add(&self, reader: i64, message: i64, data: Value) {
        let mut state = self.log.state();
        // Ids belong to the whole portal, so one reader sees gaps.
        state.last_event += 3;
        let id = state.last_event;
        if state.subscribed.contains(&reader) {
            state.log.push((id, reader, message, data));
        }
    }

    /// Makes the portal write events before any agent asked for it.
    pub fn subscribe(&self, reader: i64) {
        self.log.state().subscribed.insert(reader);
    }

    /// What goes wrong with the next calls.
    pub fn plan(&self, wrong: &[Wrong]) {
        self.log.state().wrong.extend(wrong);
    }

    /// Refuses every call of a reader with a code; `None` ends it.
    pub fn outlaw(&self, whom: Option<(i64, u16, &'static str)>) {
        self.log.state().outlawed = whom;
    }

    /// Makes the calls of a reader hang until it is set free.
    pub fn hang(&self, reader: i64) {
        self.log.state().hung.insert(reader);
    }

    pub fn free(&self) {
        self.log.state().hung.clear();
        self.log.freed.notify_all();
    }

    /// Methods that were called as a reader.
    pub fn calls(&self, reader: i64) -> Vec<String> {
        let state = self.log.state();
        let of_reader = state.calls.iter().filter(|(_, whose)| *whose == reader);
        of_reader.map(|(method, _)| method.clone()).collect()
    }

    /// Events still stored.
    pub fn stored(&self) -> usize {
        self.log.state().log.len()
    }

    /// Messages that were deleted without being in the outbox.
    pub fn lost(&self) -> Vec<i64> {
        self.log.state().lost.clone()
    }
}

impl Log {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic under the lock")
    }

    fn answer(&self, reader: i64, method: &str, params: &Value) -> Value {
        let mut state = self.state();
        if method.ends_with("subscribe") {
            state.subscribed.insert(reader);
            return json!(true);
        }
        let offset = params["offset"].as_i64().unwrap_or(0);
        let limit = params["limit"].as_u64().unwrap_or(100).clamp(1, 1000) as usize;
        if offset > 0 {
            let queued = self.store.outbox_after(RowId(0), 10_000).expect("reads");
            let queued: HashSet<i64> = queued.iter().map(|row| row.inbound.message.0).collect();
            let (gone, kept) = std::mem::take(&mut state.log)
                .into_iter()
                .partition::<Vec<_>, _>(|event| event.1 == reader && event.0 < offset);
            let forwarded = gone.iter().filter(|event| event.3["user"]["id"] == 12);
            let lost: Vec<i64> =
                forwarded.map(|event| event.2).filter(|id| !queued.contains(id)).collect();
            state.lost.extend(lost);
            state.log = kept;
        }
        let mine = state.log.iter().filter(|event| event.1 == reader && event.0 >= offset);
        let page: Vec<_> = mine.take(limit).collect();
        let next = page.last().map_or(offset, |event| event.0 + 1);
        let events: Vec<Value> = page
            .iter()
            .map(
                |(id, _, _, data)| json!({"eventId": id, "type": "ONIMV2MESSAGEADD", "data": data}),
            )
            .collect();
        json!({"events": events, "nextOffset": next, "hasMore": page.len() >= limit})
    }
}

impl Handler for Log {
    fn handle(&self, request: Request, answer: Answer) {
        let params: Value = serde_json::from_slice(&request.body).expect("JSON");
        let method = request.path.trim_start_matches("/rest/").to_ascii_lowercase();
        let token = params["auth"].as_str().and_then(|token| token.strip_prefix("t-"));
        let reader: i64 = token.and_then(|user| user.parse().ok()).expect("a token of ours");
        let mut state = self.state();
        state.calls.push((method.clone(), reader));
        while state.hung.contains(&reader) {
            state = self.freed.wait(state).expect("no panic under the lock");
        }
        let outlawed = state.outlawed.filter(|(whom, _, _)| *whom == reader);
        let wrong = match outlawed {
            Some((_, status, code)) => Some(Wrong::Code(status, code)),
            None => state.wrong.pop_front(),
        };
        drop(state);
        match wrong {
            Some(Wrong::Code(status, code)) => {
                let error = json!({"error": code, "error_description": "no"});
                answer.send(Reply::json(status, &error));
            }
            // An answer that is dropped unsent becomes an error page without a code.
            Some(Wrong::AnswerLost) => {
                let _ = self.answer(reader, &method, &params);
            }
            None => {
                let result = self.answer(reader, &method, &params);
                answer.send(Reply::json(200, &json!({ "result": result })));
            }
        }
    }
}
