//! Files: folders of chats, the classic chain with the trap of its UUID, the single call, and what
//! readers get (b24: messenger §4.2, §6.4, §9; Q22).

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use super::MIRA;
use super::OLAF;
use super::Talk;
use super::keys;
use super::try_http;
use crate::base::crypto::hex;
use crate::base::crypto::sha256;
use crate::sim::Fault;
use crate::sim::ShownFile;
use crate::sim::User;
use crate::sim::UserKind;
use crate::sim::When;

const UUID: &str = "7d1f0a52-55a7-4c0b-9a0e-2f6f4b8a1c33";
const OTHER_UUID: &str = "8e2a0a52-55a7-4c0b-9a0e-2f6f4b8a1c33";
/// "hello".
const HELLO: &str = "aGVsbG8=";

impl Talk {
    fn refused(&self, user: u64, method: &str, params: Value) -> (u16, String) {
        let answer = self.call(user, method, params);
        (answer.status, answer.error())
    }

    fn folder_id(&self, chat: u64) -> u64 {
        let told = self.call(MIRA, "im.disk.folder.get", json!({ "CHAT_ID": chat })).result();
        told["ID"].as_u64().expect("a number")
    }

    /// Mira puts a file into a chat's folder; its id.
    fn put(&self, chat: u64, name: &str) -> u64 {
        let params = json!({
            "id": self.folder_id(chat), "data": { "NAME": name }, "fileContent": [name, HELLO],
            "generateUniqueName": true,
        });
        let told = self.call(MIRA, "disk.folder.uploadfile", params).result();
        told["ID"].as_str().and_then(|id| id.parse().ok()).expect("a number as text")
    }

    fn commit(&self, params: Value) -> super::Answer {
        self.call(MIRA, "im.disk.file.commit", params)
    }

    fn upload(&self, dialog: &str, name: &str, content: &str) -> super::Answer {
        let fields = json!({ "name": name, "content": content, "message": "see" });
        self.call(MIRA, "im.v2.File.upload", json!({ "dialogId": dialog, "fields": fields }))
    }

    /// Names of the files that a message of a chat shows, oldest message first.
    fn shown_names(&self, chat: u64) -> Vec<Vec<String>> {
        let shown = self.portal().shown(chat).into_iter();
        let shown = shown.filter(|message| message.author != 0);
        shown.map(|message| names(message.files)).collect()
    }
}

fn names(files: Vec<ShownFile>) -> Vec<String> {
    files.into_iter().map(|file| file.name).collect()
}

fn error(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn folder_is_told_to_whoever_may_read_the_chat() {
    let talk = Talk::open();
    let group = talk.group();
    let private = talk.portal().private_chat(MIRA, OLAF);
    let foreign = talk.portal().add_chat("Others", OLAF, &[]);
    let open = talk.portal().add_chat_of('O', "open", "Everybody", OLAF, &[]);
    let folder = |params: Value| talk.call(MIRA, "im.disk.folder.get", params).result();
    let of_group = json!({ "ID": talk.folder_id(group) });
    assert_eq!(folder(json!({ "DIALOG_ID": format!("chat{group}") })), of_group);
    assert_eq!(folder(json!({ "dialog_id": format!("CHAT{group}"), "CHAT_ID": 1 })), of_group);
    let of_private = json!({ "ID": talk.folder_id(private) });
    assert_eq!(folder(json!({ "DIALOG_ID": OLAF })), of_private);
    assert_ne!(of_private, of_group);
    assert!(folder(json!({ "CHAT_ID": open }))["ID"].is_u64(), "a colleague reads an open chat");
    let refused = |params: Value| talk.refused(MIRA, "im.disk.folder.get", params);
    assert_eq!(refused(json!({})), error(400, "CHAT_ID_EMPTY"));
    assert_eq!(refused(json!({ "CHAT_ID": "x" })), error(400, "CHAT_ID_EMPTY"));
    assert_eq!(refused(json!({ "DIALOG_ID": "x12" })), error(400, "DIALOG_ID_EMPTY"));
    assert_eq!(refused(json!({ "DIALOG_ID": "chat" })), error(400, "DIALOG_ID_EMPTY"));
    for params in [json!({ "CHAT_ID": foreign }), json!({ "DIALOG_ID": "sg17" })] {
        assert_eq!(refused(params), error(403, "ACCESS_ERROR"));
    }
    assert_eq!(refused(json!({ "DIALOG_ID": "4711" })), error(403, "ACCESS_ERROR"));
}

#[test]
fn uploaded_file_is_told_in_capitals_and_texts() {
    let talk = Talk::open();
    let group = talk.group();
    let folder = talk.folder_id(group);
    let params = json!({
        "id": folder.to_string(), "data": { "NAME": "plan.pdf" }, "fileContent": ["x", HELLO],
    });
    let told = talk.call(MIRA, "disk.folder.uploadfile", params).result();
    let files = talk.portal().folder(group);
    assert_eq!(told["ID"], json!(files[0].id.to_string()));
    assert_eq!((&told["NAME"], &told["SIZE"]), (&json!("plan.pdf"), &json!("5")));
    assert_eq!(told["PARENT_ID"], json!(folder.to_string()));
    assert_eq!(told["CREATED_BY"], json!(MIRA.to_string()));
    assert!(keys(&told).iter().all(|key| key.chars().all(|c| c.is_ascii_uppercase() || c == '_')));
    assert_eq!(files[0].sha256, hex(&sha256(b"hello")));
    assert_eq!(files[0].bytes.as_deref(), Some(&b"hello"[..]));
    assert_eq!(files[0].message, None, "nobody has been told");
    assert_eq!(talk.portal().file_counts(), (1, 1));
    // Without a content there is an address to send it to, whatever the folder.
    let address = talk.call(MIRA, "disk.folder.uploadfile", json!({ "id": 1 })).result();
    assert_eq!((keys(&address), &address["field"]), (vec!["field", "uploadUrl"], &json!("file")));
    assert!(address["uploadUrl"].as_str().is_some_and(|url| url.starts_with("http://")));
}

#[test]
fn name_clash_is_refused_unless_a_unique_name_is_wished() {
    let talk = Talk::open();
    let (group, other) = (talk.group(), talk.portal().private_chat(MIRA, OLAF));
    let upload = |chat: u64, name: &str, unique: Value| {
        let params = json!({
            "id": talk.folder_id(chat), "data": { "NAME": name }, "fileContent": [name, HELLO],
            "generateUniqueName": unique,
        });
        talk.call(MIRA, "disk.folder.uploadfile", params)
    };
    let named = |chat, name: &str| upload(chat, name, json!(true)).result()["NAME"].clone();
    assert_eq!(upload(group, "plan.pdf", json!(false)).status, 200);
    for name in ["plan.pdf", "PLAN.pdf"] {
        let clash = upload(group, name, json!(false));
        assert_eq!((clash.status, clash.error().as_str()), (400, "DISK_OBJ_22000"), "{name}");
    }
    assert_eq!(upload(group, "plan.pdf", Value::Null).error(), "DISK_OBJ_22000", "the default");
    assert_eq!(named(group, "plan.pdf"), json!("plan (1).pdf"));
    assert_eq!(named(group, "plan.pdf"), json!("plan (2).pdf"));
    assert_eq!(named(group, "plan (1).pdf"), json!("plan (1) (1).pdf"));
    assert_eq!(named(group, "README"), json!("README"));
    assert_eq!(named(group, "README"), json!("README (1)"));
    assert_eq!(named(other, "plan.pdf"), json!("plan.pdf"), "another folder");
}

#[test]
fn upload_into_a_folder_is_refused_with_the_codes_of_the_drive() {
    let talk = Talk::open();
    let group = talk.group();
    let foreign = talk.portal().add_chat("Others", OLAF, &[]);
    let open = talk.portal().add_chat_of('O', "open", "Everybody", OLAF, &[]);
    let folder = talk.folder_id(group);
    let upload = |folder: u64, name: &str, content: Value| {
        let data = json!({ "NAME": name });
        let params = json!({ "id": folder, "data": data, "fileContent": content });
        talk.refused(MIRA, "disk.folder.uploadfile", params)
    };
    let hello = json!(["a", HELLO]);
    assert_eq!(upload(1, "a", hello.clone()), error(400, "ERROR_NOT_FOUND"));
    assert_eq!(upload(9_999_999, "a", hello.clone()), error(400, "ERROR_NOT_FOUND"));
    let ahead = |chat: u64| folder + chat - group;
    assert_eq!(upload(ahead(foreign), "a", hello.clone()), error(403, "ACCESS_DENIED"));
    assert_eq!(upload(talk.folder_id(open), "a", hello.clone()), error(403, "ACCESS_DENIED"));
    assert_eq!(upload(folder, "", hello.clone()).0, 400);
    // An exception without a code.
    assert_eq!(upload(folder, "a", json!(["a", ""])), error(400, ""));
    let missing = talk.call(MIRA, "disk.folder.uploadfile", json!({ "ID": folder }));
    assert_eq!((missing.status, missing.error().as_str()), (400, "ERROR_ARGUMENT"));
    assert_eq!(missing.json()["argument"], json!("id"));
    assert_eq!(talk.portal().file_counts(), (0, 0));
    // The one method that `im` is not enough for.
    if let Some(app) = talk.portal().world().apps.get_mut(&talk.office.client_id) {
        app.scopes.remove("disk");
    }
    assert_eq!(upload(folder, "a", hello), error(401, "insufficient_scope"));
    assert_eq!(talk.upload(&format!("chat{group}"), "a", HELLO).status, 200);
}

#[test]
fn commit_shows_several_files_in_one_message() {
    let talk = Talk::open();
    let group = talk.group();
    let (plan, photo) = (talk.put(group, "plan.pdf"), talk.put(group, "photo.png"));
    let params = json!({
        "DIALOG_ID": format!("chat{group}"), "UPLOAD_ID": [plan, photo.to_string(), 999_999],
        "MESSAGE": " see [br]this ", "TEMPLATE_ID": UUID,
    });
    let told = talk.commit(params).result();
    assert_eq!(keys(&told), ["DISK_ID", "FILES", "FILE_MODELS", "MESSAGE_ID"]);
    assert_eq!(told["DISK_ID"], json!([plan.to_string(), photo.to_string()]));
    let [first, second] = [format!("upload{plan}"), format!("upload{photo}")];
    assert_eq!(keys(&told["FILES"]), [first.as_str(), second.as_str(), "upload999999"]);
    assert_eq!(told["FILES"]["upload999999"], json!({ "id": 0 }));
    assert_eq!(told["FILES"][&first]["name"], json!("plan.pdf"));
    assert_eq!(told["FILES"][&first]["date"], json!({}), "a date object of PHP");
    assert_eq!(keys(&told["FILE_MODELS"]), [first.as_str(), second.as_str()]);
    assert_eq!(told["FILE_MODELS"][&first]["createTime"], json!({}));
    let shown = talk.portal().shown(group).pop().expect("a message");
    assert_eq!(told["MESSAGE_ID"], json!(shown.id));
    assert_eq!((shown.author, shown.text.as_str()), (MIRA, "see \nthis"));
    assert_eq!(shown.uuid.as_deref(), Some(UUID));
    let kinds: Vec<&str> = shown.files.iter().map(|file| file.kind).collect();
    assert_eq!(kinds, ["file", "image"]);
    assert!(shown.files.iter().all(|file| file.message == Some(shown.id)));
    assert_eq!(talk.portal().file_counts(), (2, 0));
    // One file, without a text, shown as a plain file.
    let photo = talk.put(group, "other.png");
    talk.commit(json!({ "CHAT_ID": group, "UPLOAD_ID": photo, "AS_FILE": "Y" })).result();
    let shown = talk.portal().shown(group).pop().expect("a message");
    assert_eq!((shown.text.as_str(), shown.files[0].kind), ("", "file"));
}

#[test]
fn commit_copies_files_of_other_chats_and_prefers_them() {
    let talk = Talk::open();
    let (group, private) = (talk.group(), talk.portal().private_chat(MIRA, OLAF));
    let (one, two) = (talk.put(private, "one.txt"), talk.put(private, "two.txt"));
    let uploaded = talk.put(group, "one.txt");
    let all = json!({
        "CHAT_ID": group, "UPLOAD_ID": uploaded, "DISK_ID": one, "FILE_ID": [two],
    });
    let told = talk.commit(all).result();
    assert_eq!(keys(&told["FILES"]), [format!("disk{two}")]);
    assert_ne!(told["DISK_ID"], json!([two.to_string()]), "the copy's id");
    let told = talk.commit(json!({ "CHAT_ID": group, "DISK_ID": one })).result();
    assert_eq!(told["FILES"][format!("disk{one}")]["name"], json!("one (1).txt"));
    assert_eq!(talk.shown_names(group), [["two.txt"], ["one (1).txt"]]);
    assert_eq!(names(talk.portal().folder(private)), ["one.txt", "two.txt"], "still there");
}

#[test]
fn commit_refusals_have_the_codes_of_the_table() {
    let talk = Talk::open();
    let group = talk.group();
    let foreign = talk.portal().add_chat("Others", OLAF, &[]);
    let silent = talk.portal().add_chat("Silent", OLAF, &[MIRA]);
    talk.portal().world().messenger.chats.get_mut(&silent).expect("there").silent = true;
    talk.portal().send_files(OLAF, foreign, &[("secret.txt", b"x")], "").expect("sends");
    let hidden = talk.portal().folder(foreign)[0].id;
    let (mine, lost) = (talk.put(group, "plan.pdf"), talk.put(silent, "lost.pdf"));
    let rows = [
        (json!({ "UPLOAD_ID": mine }), 400, "CHAT_ID_EMPTY"),
        (json!({ "DIALOG_ID": "x", "UPLOAD_ID": mine }), 400, "DIALOG_ID_EMPTY"),
        (json!({ "DIALOG_ID": "sg17", "UPLOAD_ID": mine }), 400, "CHAT_ID_EMPTY"),
        (json!({ "DIALOG_ID": "4711", "UPLOAD_ID": mine }), 400, "CHAT_ID_EMPTY"),
        (json!({ "CHAT_ID": foreign, "UPLOAD_ID": mine }), 400, "ACCESS_ERROR"),
        (json!({ "CHAT_ID": 99_999, "UPLOAD_ID": mine }), 400, "ACCESS_ERROR"),
        (json!({ "CHAT_ID": group }), 400, "FILES_ERROR"),
        (json!({ "CHAT_ID": group, "UPLOAD_ID": [] }), 400, "FILES_ERROR"),
        (json!({ "CHAT_ID": group, "UPLOAD_ID": 999_999 }), 400, "SAVE_ERROR"),
        (json!({ "CHAT_ID": group, "DISK_ID": hidden }), 400, "SAVE_ERROR"),
        (json!({ "CHAT_ID": silent, "UPLOAD_ID": lost }), 400, "SAVE_ERROR"),
    ];
    for (params, status, code) in rows {
        let told = talk.refused(MIRA, "im.disk.file.commit", params.clone());
        assert_eq!(told, error(status, code), "{params}");
    }
    assert!(talk.shown_names(group).is_empty());
    assert_eq!(names(talk.portal().folder(group)), ["plan.pdf"]);
    assert!(talk.portal().folder(silent).is_empty(), "what could not be sent is deleted");
}

#[test]
fn repeated_commit_gives_the_same_message_once_it_is_linked() {
    let talk = Talk::open();
    let group = talk.group();
    let file = talk.put(group, "plan.pdf");
    let params = json!({ "CHAT_ID": group, "UPLOAD_ID": file, "TEMPLATE_ID": UUID });
    let first = talk.commit(params.clone()).result();
    assert_eq!(talk.commit(params).result(), first);
    // Who uploads again before committing again leaves an orphan.
    let again = talk.put(group, "plan.pdf");
    let params = json!({ "CHAT_ID": group, "UPLOAD_ID": again, "TEMPLATE_ID": UUID });
    let second = talk.commit(params).result();
    assert_eq!(second["MESSAGE_ID"], first["MESSAGE_ID"]);
    assert_eq!(talk.shown_names(group), [["plan.pdf"]]);
    assert_eq!(names(talk.portal().folder(group)), ["plan.pdf", "plan (1).pdf"]);
    assert_eq!(talk.portal().file_counts(), (2, 1));
}

#[test]
fn commit_in_flight_deletes_the_file_of_the_first_message() {
    let talk = Talk::open();
    talk.switch(|switches| switches.background = Duration::from_secs(30));
    let group = talk.group();
    let file = talk.put(group, "plan.pdf");
    let params = json!({ "CHAT_ID": group, "UPLOAD_ID": file, "TEMPLATE_ID": UUID });
    let first = talk.commit(params.clone()).result();
    assert_eq!(talk.refused(MIRA, "im.disk.file.commit", params), error(400, "SAVE_ERROR"));
    assert_eq!(talk.portal().shown(group).len(), 2, "notice and message are there");
    assert_eq!(talk.shown_names(group), [Vec::<String>::new()], "the file is gone");
    assert!(talk.portal().folder(group).is_empty());
    let page = talk.call(MIRA, "im.dialog.messages.get", json!({ "CHAT_ID": group, "LAST_ID": 0 }));
    let page = page.result();
    assert_eq!(page["messages"][0]["params"], json!({ "FILE_ID": [file] }), "but still named");
    assert_eq!(page["files"], json!([]));
    // Once it is linked, nothing is deleted any more.
    talk.advance(30);
    let again = talk.put(group, "plan.pdf");
    let params = json!({ "CHAT_ID": group, "UPLOAD_ID": again, "TEMPLATE_ID": UUID });
    assert_eq!(talk.commit(params).result()["MESSAGE_ID"], first["MESSAGE_ID"]);
    assert_eq!(names(talk.portal().folder(group)), ["plan.pdf"]);
}

#[test]
fn commit_that_failed_deletes_files_for_an_hour() {
    let talk = Talk::open();
    let group = talk.group();
    let commit = |uuid: &str| {
        let file = talk.put(group, "plan.pdf");
        talk.commit(json!({ "CHAT_ID": group, "UPLOAD_ID": file, "TEMPLATE_ID": uuid }))
    };
    talk.switch(|switches| switches.veto = Some("no".to_owned()));
    assert_eq!(commit(UUID).error(), "SAVE_ERROR");
    talk.switch(|switches| switches.commit_tells_inner = true);
    assert_eq!(commit(OTHER_UUID).error(), "ERROR_FROM_OTHER_MODULE");
    talk.switch(|switches| switches.veto = None);
    let stuck = commit(OTHER_UUID);
    assert_eq!((stuck.status, stuck.error().as_str()), (400, "MESSAGE_DUPLICATED_BY_UUID"));
    talk.switch(|switches| switches.commit_tells_inner = false);
    talk.advance(3500);
    assert_eq!(commit(UUID).error(), "SAVE_ERROR");
    assert!(talk.portal().folder(group).is_empty());
    talk.advance(100);
    assert_eq!(commit(UUID).status, 200);
    assert_eq!(talk.shown_names(group), [["plan.pdf"]]);
}

#[test]
fn upload_answers_after_its_event_is_written() {
    let talk = Talk::open();
    talk.switch(|switches| switches.background = Duration::from_secs(30));
    let group = talk.group();
    talk.advance(30);
    talk.subscribe(MIRA);
    talk.portal().say(OLAF, group, "still in its background job").expect("says");
    let told = talk.upload(&format!("chat{group}"), "plan.pdf", HELLO).result();
    assert_eq!(keys(&told), ["chatId", "dialogId", "file", "messageId"]);
    assert_eq!(told["chatId"], json!(group));
    assert_eq!(told["dialogId"], json!(format!("chat{group}")));
    let shown = talk.portal().shown(group).pop().expect("a message");
    assert_eq!(told["messageId"], json!(shown.id));
    assert_eq!((shown.text.as_str(), shown.uuid), ("see", None));
    assert_eq!(told["file"]["id"], json!(shown.files[0].id));
    assert_eq!(told["file"]["name"], json!("plan.pdf"));
    let events = talk.events(json!({}));
    assert_eq!(events["events"].as_array().map(Vec::len), Some(1), "the other comes later");
    let message = &events["events"][0]["data"]["message"];
    assert_eq!(message["id"], json!(shown.id));
    assert_eq!(message["params"], json!({ "FILE_ID": [shown.files[0].id.to_string()] }));
    let private = talk.upload("12", "plan.pdf", HELLO).result();
    assert_eq!(private["dialogId"], json!("12"), "the companion, as text");
}

#[test]
fn upload_refuses_with_400_and_the_codes_of_the_table() {
    let talk = Talk::open();
    let group = talk.group();
    let foreign = talk.portal().add_chat_of('O', "open", "Everybody", OLAF, &[]);
    let guest = talk.portal().add_user(User::of_kind(UserKind::Extranet, "Gus", "Guest"));
    let (here, there) = (format!("chat{group}"), format!("chat{foreign}"));
    let rows = [
        (here.as_str(), "", HELLO, "FILE_EMPTY"),
        (&here, "0", HELLO, "FILE_EMPTY"),
        (&here, "a.txt", "", "FILE_EMPTY"),
        (&here, "a.txt", "  \n", "FILE_EMPTY"),
        (&here, "a.txt", "data:text/plain;base64,aGVsbG8=", "FILE_INVALID_CONTENT"),
        (&here, "a.txt", "_-_-", "FILE_INVALID_CONTENT"),
        (&there, "a.txt", HELLO, "ACCESS_DENIED"),
        (&guest.to_string(), "a.txt", HELLO, "ACCESS_DENIED"),
        ("chat99999", "a.txt", HELLO, "CHAT_NOT_FOUND"),
        ("4711", "a.txt", HELLO, "CHAT_NOT_FOUND"),
        ("abc", "", "", "CHAT_NOT_FOUND"),
    ];
    for (dialog, name, content, code) in rows {
        let told = talk.upload(dialog, name, content);
        assert_eq!((told.status, told.error().as_str()), (400, code), "{dialog} {name} {content}");
    }
    // Letters' case matters here.
    for params in [json!({ "DIALOGID": here }), json!({ "dialogId": here, "FIELDS": {} })] {
        assert_eq!(talk.refused(MIRA, "im.v2.File.upload", params), error(400, "100"));
    }
    assert_eq!(talk.portal().file_counts(), (0, 0));
    assert!(talk.shown_names(group).is_empty());
    talk.switch(|switches| switches.no_event_log = true);
    let older = talk.upload(&here, "a.txt", HELLO);
    assert_eq!((older.status, older.error().as_str()), (404, "ERROR_METHOD_NOT_FOUND"));
}

#[test]
fn repeated_upload_doubles_file_and_message() {
    let talk = Talk::open();
    talk.office.network.plan(When::first("im.v2.file.upload"), Fault::ActAndDropAnswer);
    let params = json!({
        "dialogId": "12", "fields": { "name": "plan.pdf", "content": " aGVs\nbG8= " },
        "auth": talk.office.token_of(MIRA),
    });
    let url = format!("{}/rest/im.v2.file.upload", talk.portal().url());
    let header = ["Content-Type: application/json"];
    let send = || try_http("POST", &url, &header, params.to_string().as_bytes());
    assert!(send().is_none(), "the answer was lost");
    let private = talk.portal().private_chat(MIRA, OLAF);
    assert_eq!(talk.shown_names(private), [["plan.pdf"]], "but it was carried out");
    assert_eq!(send().map(|answer| answer.status), Some(200));
    assert_eq!(talk.shown_names(private), [["plan.pdf"], ["plan (1).pdf"]]);
    let files = talk.portal().folder(private);
    assert!(files.iter().all(|file| file.sha256 == hex(&sha256(b"hello"))));
}

#[test]
fn upload_that_is_not_sent_leaves_an_orphan() {
    let talk = Talk::open();
    let group = talk.group();
    let dialog = format!("chat{group}");
    talk.switch(|switches| switches.veto = Some("no".to_owned()));
    assert_eq!(talk.upload(&dialog, "plan.pdf", HELLO).error(), "FILE_SEND_FAILED");
    talk.switch(|switches| switches.documented_shapes = true);
    assert_eq!(talk.upload(&dialog, "plan.pdf", HELLO).error(), "SEND_FAILED");
    talk.switch(|switches| switches.veto = None);
    assert!(talk.shown_names(group).is_empty());
    assert_eq!(names(talk.portal().folder(group)), ["plan.pdf", "plan (1).pdf"]);
    assert_eq!(talk.portal().file_counts(), (2, 2));
}

#[test]
fn disk_tag_attaches_a_copy_of_what_the_sender_may_read() {
    let talk = Talk::open();
    let (group, private) = (talk.group(), talk.portal().private_chat(MIRA, OLAF));
    let foreign = talk.portal().add_chat("Others", OLAF, &[]);
    talk.portal().send_files(OLAF, foreign, &[("secret.txt", b"x")], "").expect("sends");
    let (mine, hidden) = (talk.put(group, "plan.pdf"), talk.portal().folder(foreign)[0].id);
    let text = format!("see [DISK={mine}][disk={hidden}][DISK=999999] this");
    let add =
        |text: &str| talk.call(MIRA, "im.message.add", json!({ "DIALOG_ID": 12, "MESSAGE": text }));
    assert_eq!(add(&text).status, 200);
    let shown = talk.portal().shown(private).pop().expect("a message");
    assert_eq!(shown.text, "see  this");
    assert_ne!(shown.files[0].id, mine, "a copy");
    assert_eq!(names(shown.files), ["plan.pdf"]);
    assert_eq!(names(talk.portal().folder(private)), ["plan.pdf"]);
    assert_eq!(add(&format!("[DISK={mine}]")).status, 200, "a file is a message");
    let nothing_left = add(&format!("[DISK={hidden}]"));
    assert_eq!((nothing_left.status, nothing_left.error().as_str()), (400, "EMPTY_MESSAGE"));
}

#[test]
fn history_describes_files_in_camel_case() {
    let talk = Talk::open();
    let group = talk.group();
    let files: [(&str, &[u8]); 2] = [("inv-7.PDF", b"%PDF"), ("me.jpg", b"jpg")];
    talk.portal().send_files(OLAF, group, &files, "two").expect("sends");
    talk.portal().send_files(OLAF, group, &[("a.mp3", b"a")], "").expect("sends");
    let read = |last: u64, limit: u64| {
        let params = json!({ "CHAT_ID": group, "LAST_ID": last, "LIMIT": limit });
        talk.call(MIRA, "im.dialog.messages.get", params).result()
    };
    let page = read(0, 20);
    let described = page["files"].as_array().expect("a list");
    assert_eq!(described.len(), 3);
    let names = [
        "authorId",
        "authorName",
        "chatId",
        "date",
        "extension",
        "id",
        "image",
        "isTranscribable",
        "isVideoNote",
        "isVoiceNote",
        "mediaUrl",
        "name",
        "progress",
        "size",
        "status",
        "type",
        "urlDownload",
        "urlPreview",
        "urlShow",
        "viewerAttrs",
    ];
    assert_eq!(keys(&described[0]), names);
    let invoice = &described[0];
    assert_eq!((&invoice["name"], &invoice["extension"]), (&json!("inv-7.PDF"), &json!("pdf")));
    assert_eq!((&invoice["type"], &invoice["image"]), (&json!("file"), &json!(false)));
    assert_eq!((&invoice["size"], &invoice["status"]), (&json!(4), &json!("done")));
    assert_eq!(invoice["authorName"], json!("Olaf Brandt"));
    assert_eq!((&described[1]["type"], &described[2]["type"]), (&json!("image"), &json!("audio")));
    assert!(described[1]["image"]["width"].is_u64());
    let [newest, older] = [&page["messages"][0], &page["messages"][1]];
    assert_eq!(
        (&newest["text"], &newest["params"]),
        (&json!(""), &json!({ "FILE_ID": [described[2]["id"]] }))
    );
    let both = json!({ "FILE_ID": [described[0]["id"], described[1]["id"]] });
    assert_eq!(older["params"], both);
    // Only the files of the page's messages.
    assert_eq!(read(0, 1)["files"].as_array().map(Vec::len), Some(1));
}
