//! Tests of taking files out of a body: random JSON in every spelling comes back as it was, what is
//! no file stays where it is, and whatever goes wrong leaves nothing on the shelf.

use std::fs;
use std::io;
use std::io::Read;
use std::path::PathBuf;

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::InlineError;
use super::InlinedFiles;
use super::base64::Fault;
use super::read;
use crate::api::problem::Problem;
use crate::base::crypto;
use crate::limits;
use crate::outbound::shelf::Shelf;

/// A shelf of its own; removed with it.
struct Stand {
    state: PathBuf,
    shelf: Shelf,
}

impl Stand {
    fn new() -> Stand {
        let name = format!("inline-{}", crypto::hex(&crypto::random::<8>()));
        let state = std::env::temp_dir().join(name);
        let shelf = Shelf::open(&state).expect("opens");
        Stand { state, shelf }
    }

    fn read(&self, body: &str) -> Result<(Value, InlinedFiles), InlineError> {
        let (json, files) = read(&mut body.as_bytes(), &self.shelf)?;
        let value = serde_json::from_slice(&json);
        Ok((value.unwrap_or_else(|why| panic!("{body}: {why}")), files))
    }

    fn content(&self, files: &InlinedFiles, value: &Value) -> Option<Vec<u8>> {
        let kept = files.find(value.as_str()?)?;
        let content = fs::read(self.shelf.path(&kept.name)).expect("it is there");
        assert_eq!((kept.bytes, kept.sha256), (content.len() as u64, crypto::sha256(&content)));
        Some(content)
    }

    fn left(&self) -> usize {
        fs::read_dir(self.state.join("files")).expect("a directory").count()
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.state);
    }
}

/// Numbers that only look random, so that a failure comes back.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) as usize % sides
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = if self.below(20) == 0 { 100_000 } else { self.below(9) };
        (0..length).map(|_| self.below(256) as u8).collect()
    }

    /// A document below which files may be, or may not.
    fn value(&mut self, depth: usize, files: &mut usize) -> Value {
        match self.below(if depth == 0 { 4 } else { 7 }) {
            0 => json!(null),
            1 => json!(self.below(1000)),
            2 | 3 => json!(self.of(TEXTS)),
            4 => (0..self.below(4)).map(|_| self.value(depth - 1, files)).collect(),
            _ => {
                let mut object = Map::new();
                for _ in 0..self.below(4) {
                    let key = self.of(KEYS);
                    if object.contains_key(key) {
                        continue;
                    }
                    // Where files may be, a text under their name is always one.
                    let value = match key {
                        "data" if *files > 0 => {
                            *files -= 1;
                            json!(STANDARD.encode(self.bytes()))
                        }
                        "data" => json!(["no!", {"data": 5}]),
                        _ => self.value(depth - 1, files),
                    };
                    object.insert(key.into(), value);
                }
                Value::Object(object)
            }
        }
    }

    fn space(&mut self) -> &'static str {
        self.of(&["", "", "", " ", "\n", "\r\n\t "])
    }

    /// The document in one of its many spellings.
    fn spell(&mut self, value: &Value, in_files: bool) -> String {
        let spelt = match value {
            Value::Array(list) => {
                let items: Vec<_> = list.iter().map(|item| self.spell(item, in_files)).collect();
                format!("[{}{}]", self.space(), items.join(","))
            }
            Value::Object(object) => {
                let mut fields = Vec::new();
                for (key, value) in object {
                    let value = match value {
                        Value::String(text) if in_files && key == "data" => self.loosely(text),
                        value => self.spell(value, in_files),
                    };
                    fields.push(format!("{}{}:{value}", self.text(key), self.space()));
                }
                format!("{{{}{}}}", self.space(), fields.join(","))
            }
            Value::String(text) => self.text(text),
            other => other.to_string(),
        };
        format!("{}{spelt}{}", self.space(), self.space())
    }

    fn text(&mut self, text: &str) -> String {
        let mut spelt = String::from("\"");
        for c in text.chars() {
            match c {
                '/' if self.below(2) == 0 => spelt.push_str("\\/"),
                '"' | '\\' => spelt.extend(['\\', c]),
                c if (c as u32) < 0x20 || (c.is_ascii() && self.below(9) == 0) => {
                    spelt.push_str(&format!("\\u{:04x}", c as u32));
                }
                c => spelt.push(c),
            }
        }
        spelt + "\""
    }

    /// Base64 as somebody else may write it.
    fn loosely(&mut self, canonical: &str) -> String {
        let mut text = canonical.to_owned();
        if self.below(2) == 0 {
            text = text.trim_end_matches('=').to_owned();
        }
        if self.below(2) == 0 {
            text = text.replace('+', "-").replace('/', "_");
        }
        if self.below(3) == 0 {
            let lines: Vec<&str> =
                text.as_bytes().chunks(76).map(|line| str::from_utf8(line).unwrap_or("")).collect();
            text = lines.join(self.of(&["\r\n", "\n", " "]));
        }
        let plain = self.below(2) == 0;
        if plain { json!(text).to_string() } else { self.text(&text) }
    }
}

const TEXTS: &[&str] =
    &["", "data", "\"data\":\"QUJD\"", "\\", "a\\\"", "}{][:,", "media", "Привет 🙂", "\u{1}", "/"];
const KEYS: &[&str] = &["data", "data", "media", "name", "", "da\"ta", "Data", "данные"];

/// Gives little at a time.
struct Dripping<'a>(&'a [u8], Dice);

impl Read for Dripping<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = (self.1.below(3) + 1) * (self.1.below(4000) + 1);
        let most = most.min(buf.len());
        self.0.read(&mut buf[..most])
    }
}

/// Puts the files back where their references are.
fn restore(stand: &Stand, files: &mut InlinedFiles, value: &mut Value) -> usize {
    match value {
        Value::Array(list) => list.iter_mut().map(|item| restore(stand, files, item)).sum(),
        Value::Object(object) => object.values_mut().map(|item| restore(stand, files, item)).sum(),
        value => match stand.content(files, value) {
            None => 0,
            Some(content) => {
                let reference = value.as_str().unwrap_or_default();
                let kept = files.find(reference).expect("found before").clone();
                files.hand_over(&kept.name);
                stand.shelf.remove(&kept.name);
                *value = json!(STANDARD.encode(content));
                1
            }
        },
    }
}

#[test]
fn any_document_comes_back_as_it_was() {
    let stand = Stand::new();
    let mut restored = 0;
    for seed in 0..400 {
        let mut dice = Dice(seed);
        let mut most = limits::MEDIA_FILES_MAX;
        let media: Value = (0..6).map(|_| dice.value(4, &mut most)).collect();
        let files = limits::MEDIA_FILES_MAX - most;
        let other = dice.value(3, &mut 0);
        let document = json!({"a": other, "media": media, "z": other});
        let spelt = format!(
            "{{\"a\":{},{}:{},\"z\":{}}}",
            dice.spell(&document["a"], false),
            dice.text("media"),
            dice.spell(&document["media"], true),
            dice.spell(&document["z"], false)
        );
        let mut body = Dripping(spelt.as_bytes(), Dice(seed));
        let (json, mut kept) = match read(&mut body, &stand.shelf) {
            Ok(read) => read,
            Err(why) => panic!("seed {seed}: {why:?} in {spelt:.2000}"),
        };
        let mut value: Value = serde_json::from_slice(&json).expect("JSON");
        let back = restore(&stand, &mut kept, &mut value);
        assert!(value == document, "seed {seed}: {spelt:.2000}");
        assert_eq!(back, files, "seed {seed}");
        restored += back;
        drop(kept);
        assert_eq!(stand.left(), 0, "seed {seed}");
    }
    assert!(restored > 300, "{restored} files are too few to show anything");
}

#[test]
fn only_a_text_named_data_below_media_is_a_file() {
    let stand = Stand::new();
    let body = r#"{"data":"no!", "button":{"data":"no!"}, "media" :[{"data":"QUI="},
        {"d\u0061ta" : "QUM="}, {"x":[{"data":"QUQ="}]}, {"name":"data", "y":"data"},
        {"data":5}, {"data":["no!"]}, {"data":null}, ["data", "no!"]], "text":{"data":"no!"}}"#;
    let (value, files) = stand.read(body).expect("reads");
    let found = |at: &Value| stand.content(&files, at);
    assert_eq!(found(&value["media"][0]["data"]), Some(b"AB".to_vec()));
    // Escapes make no other name of it, as they make none for the JSON's reader.
    assert_eq!(found(&value["media"][1]["data"]), Some(b"AC".to_vec()));
    assert_eq!(found(&value["media"][2]["x"][0]["data"]), Some(b"AD".to_vec()));
    assert_eq!(files.files.len(), 3);
    assert_eq!(value["data"], "no!");
    assert_eq!(value["button"]["data"], "no!");
    assert_eq!(value["text"]["data"], "no!");
    assert_eq!(value["media"][3], json!({"name": "data", "y": "data"}));
    assert_eq!(value["media"][5], json!({"data": ["no!"]}));
    // Not the outermost object's.
    let (value, files) = stand.read(r#"[{"media":[{"data":"no!"}]}]"#).expect("reads");
    assert_eq!((value, files.files.len()), (json!([{"media": [{"data": "no!"}]}]), 0));
}

#[test]
fn of_a_field_that_stands_twice_the_last_counts_and_nothing_stays() {
    let stand = Stand::new();
    let body = r#"{"media":[{"data":"QUI=","data":"QUM="}],"media":[{"data":"QUQ="}]}"#;
    let (value, mut files) = stand.read(body).expect("reads");
    assert_eq!(stand.left(), 3);
    let reference = value["media"][0]["data"].as_str().expect("a text").to_owned();
    assert_eq!(stand.content(&files, &value["media"][0]["data"]), Some(b"AD".to_vec()));
    let kept = files.find(&reference).expect("it is there").clone();
    files.hand_over(&kept.name);
    assert_eq!(files.find(&reference), None, "a file is handed over once");
    drop(files);
    assert_eq!(stand.left(), 1, "what was handed over stays, the rest goes");
    stand.shelf.remove(&kept.name);
}

#[test]
fn a_reference_is_nothing_that_a_caller_could_write() {
    let stand = Stand::new();
    let body = r#"{"media":[{"data":"QUI="}],"text":"file-1"}"#;
    let (value, files) = stand.read(body).expect("reads");
    let (again, _) = stand.read(body).expect("reads");
    assert_ne!(value["media"], again["media"]);
    let stranger = again["media"][0]["data"].as_str().expect("a text");
    assert_eq!(files.find(stranger), None, "not that of another call either");
    assert_eq!(files.find("file-1"), None);
}

#[test]
fn base64_is_read_as_anybody_writes_it() {
    let stand = Stand::new();
    let cases: &[(&str, &[u8])] = &[
        ("", b""),
        (" \\n ", b""),
        ("QQ==", b"A"),
        ("QQ", b"A"),
        ("QUI=", b"AB"),
        ("QUI", b"AB"),
        ("QUJD", b"ABC"),
        ("+/+/", b"\xfb\xff\xbf"),
        ("-_-_", b"\xfb\xff\xbf"),
        ("+_-/", b"\xfb\xff\xbf"),
        ("+\\/+\\/", b"\xfb\xff\xbf"),
        ("Q\\r\\nU\\tJ\\f D", b"ABC"),
        ("Q\nU\tJ  D", b"ABC"),
        ("QQ = \\n = ", b"A"),
        ("\\u0051\\u0051\\u003D\\u003d", b"A"),
    ];
    for (text, content) in cases {
        let (value, files) =
            stand.read(&format!(r#"{{"media":[{{"data":"{text}"}}]}}"#)).expect("reads");
        let found = stand.content(&files, &value["media"][0]["data"]);
        assert_eq!(found.as_deref(), Some(*content), "{text}");
    }
}

#[test]
fn what_is_not_base64_is_told_with_its_place_and_leaves_nothing() {
    let stand = Stand::new();
    let (neither, group) = ("a character of neither alphabet", "it ends within a group of four");
    let (behind, escape) = ("more behind the padding", "a strange escape");
    let long = format!("{}!", "QUJD".repeat(50_000));
    let cases = [
        ("data:image/png;base64,QUJD", 5, neither),
        ("QUJ!", 4, neither),
        ("QU\\\"D", 3, neither),
        ("QU\\\\D", 3, neither),
        ("\\u00e9", 1, neither),
        ("\\u0422", 1, neither),
        ("é", 1, neither),
        (&long, 200_001, neither),
        ("Q", 1, group),
        ("Q=", 2, group),
        ("QQ=", 3, group),
        ("QUI==", 5, group),
        ("QUJD=", 5, group),
        ("=", 1, group),
        ("QQ===", 5, neither),
        ("QQ==QQ==", 5, behind),
        ("QR==", 4, "it ends within a byte"),
        ("QUJ", 3, "it ends within a byte"),
        ("QUJD\\b", 4, escape),
        ("QUJD\\u00g0", 4, escape),
    ];
    for (text, at, what) in cases {
        let body = format!(r#"{{"media":[{{"data":"QUJD"}},{{"data":"{text}"}}]}}"#);
        match stand.read(&body) {
            Err(InlineError::NotBase64(2, fault)) => {
                assert_eq!(fault, Fault { at, what }, "{text:.40}");
            }
            other => panic!("{text:.40}: {other:?}"),
        }
        assert_eq!(stand.left(), 0, "{text:.40}");
    }
    let told = Problem::from(InlineError::NotBase64(2, Fault { at: 5, what: neither }));
    assert_eq!((told.status, told.code), (400, "invalid_argument"));
    let expected = "media: data of file 2 is not base64: a character of neither alphabet at \
                    character 5";
    assert_eq!(told.message, expected);
}

#[test]
fn a_body_cut_anywhere_leaves_nothing() {
    let stand = Stand::new();
    let body = r#"{"text":"a\"b","media":[{"data":"QUJD\/\u003d"},{"data":"QQ"}]} "#;
    let body = body.replace("\\u003d", "///");
    for end in 0..body.len() {
        match read(&mut &body.as_bytes()[..end], &stand.shelf) {
            Ok((json, files)) => {
                let whole = serde_json::from_slice::<Value>(&json).is_ok();
                assert_eq!(whole, end == body.len() - 1, "{end}");
                drop(files);
            }
            Err(InlineError::Unfinished) => {}
            Err(why) => panic!("{end}: {why:?}"),
        }
        assert_eq!(stand.left(), 0, "{end}");
    }
    let told = Problem::from(InlineError::Unfinished);
    assert!(told.message.starts_with("the body is not JSON"), "{told:?}");
}

#[test]
fn nonsense_is_nobodys_problem() {
    let stand = Stand::new();
    for seed in 0..2000 {
        let mut dice = Dice(seed);
        let length = dice.below(60);
        let alphabet = br#""{}[]:,\ data media"data":"media":[{"Q=/u0"#;
        let body: Vec<u8> = (0..length).map(|_| alphabet[dice.below(alphabet.len())]).collect();
        drop(read(&mut &body[..], &stand.shelf));
        let prefixed = [br#"{"media":["#, &body[..]].concat();
        drop(read(&mut &prefixed[..], &stand.shelf));
        assert_eq!(stand.left(), 0, "seed {seed}");
    }
}

/// Some bytes, then the same again and again; counts what is taken of it.
struct Endless<'a> {
    before: &'a [u8],
    again: u8,
    taken: usize,
}

impl Read for Endless<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.before.read(buf)?;
        buf[count..].fill(self.again);
        self.taken += buf.len();
        Ok(buf.len())
    }
}

#[test]
fn what_never_ends_is_refused_before_it_fills_anything() {
    let stand = Stand::new();
    for before in [r#"{"text":""#, r#"{"media":[{"name":""#, r#"{"media":[{"data":"QQ"},"#, ""] {
        let mut body = Endless { before: before.as_bytes(), again: b' ', taken: 0 };
        let refused = read(&mut body, &stand.shelf).err();
        assert!(matches!(refused, Some(InlineError::TextTooLong)), "{before}: {refused:?}");
        assert!(body.taken < limits::HTTP_DELIVER_BODY_BYTES_MAX + 100_000, "{before}");
    }
    let told = Problem::from(InlineError::TextTooLong);
    assert_eq!((told.status, told.code), (413, "invalid_argument"));
    assert!(told.message.contains("body is too large"), "{told:?}");
    let mut body = Endless { before: br#"{"media":[{"data":""#, again: b'A', taken: 0 };
    let refused = read(&mut body, &stand.shelf).err();
    assert!(matches!(refused, Some(InlineError::FileTooLarge(1))), "{refused:?}");
    assert!((body.taken as u64) < limits::MEDIA_BYTES_MAX / 3 * 4 + 200_000);
    assert_eq!(stand.left(), 0);
}

#[test]
fn more_files_than_a_delivery_may_have_are_refused() {
    let stand = Stand::new();
    let files = |count| vec![json!({"data": "QUJD"}); count];
    let most = limits::MEDIA_FILES_MAX;
    let (_, kept) = stand.read(&json!({"media": files(most)}).to_string()).expect("reads");
    assert_eq!(stand.left(), most);
    drop(kept);
    let refused = stand.read(&json!({"media": files(most + 1)}).to_string()).err();
    assert!(matches!(refused, Some(InlineError::TooManyFiles)), "{refused:?}");
    assert_eq!(stand.left(), 0);
}

#[test]
fn a_disk_or_a_body_that_fails_is_our_failure() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
    let stand = Stand::new();
    let begun = br#"{"media":[{"data":"QUJD"},{"data":"QU"#;
    let lost = read(&mut begun.chain(Broken), &stand.shelf).err();
    assert!(matches!(lost, Some(InlineError::Body(_))), "{lost:?}");
    assert_eq!(stand.left(), 0);
    fs::remove_dir_all(stand.state.join("files")).expect("removed");
    let refused = stand.read(r#"{"media":[{"data":"QUJD"}]}"#).expect_err("refused");
    assert!(matches!(refused, InlineError::Shelf(_)), "{refused:?}");
    assert_eq!(Problem::from(refused).status, 500);
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
        let told = Problem::from(InlineError::Shelf(kind.into()));
        assert_eq!((told.status, told.code), (503, "unavailable"));
    }
    let full = Problem::from(InlineError::Shelf(io::ErrorKind::ResourceBusy.into()));
    assert_eq!((full.status, full.code), (429, "resource_exhausted"));
    assert!(full.retry_after.is_some());
}
