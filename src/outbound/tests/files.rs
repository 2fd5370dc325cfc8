//! Files on their way to the portal: what the dialog shows, each step with its answer lost, and what
//! a portal makes of a hasty or late repetition.

use std::fs;
use std::io::Write;
use std::time::Duration;

use url::Url;

use crate::domain::delivery::State;
use crate::limits;
use crate::outbound::DeliverRequest;
use crate::outbound::Media;
use crate::outbound::MediaSource;
use crate::outbound::Refused;
use crate::outbound::accept;
use crate::outbound::tests::MIRA;
use crate::outbound::tests::Scene;
use crate::outbound::tests::operations::id;
use crate::sim::Fault;
use crate::sim::When;

const UPLOAD: &str = "disk.folder.uploadfile";
const PUBLISH: &str = "im.disk.file.commit";
const SINGLE: &str = "im.v2.File.upload";

impl Scene {
    /// A file that came with the call.
    fn inline(&self, name: &str, content: &[u8]) -> Media {
        let mut filling = self.shared.shelf.begin(limits::MEDIA_BYTES_MAX).expect("begins");
        filling.write_all(content).expect("writes");
        let source = MediaSource::Kept(filling.finish().expect("finishes"));
        Media { name: name.to_owned(), as_file: false, source }
    }

    fn with_files(&self, id: &str, text: &str, media: Vec<Media>) -> DeliverRequest {
        DeliverRequest { media, ..self.request(id, text) }
    }

    /// Names of the files of each of Mira's messages, and its text.
    fn shown_files(&self) -> Vec<(Vec<String>, String)> {
        let named = |shown: crate::sim::Shown| {
            (shown.files.into_iter().map(|file| file.name).collect(), shown.text)
        };
        self.mine().into_iter().map(named).collect()
    }

    fn on_the_shelf(&self) -> usize {
        fs::read_dir(self.dir.join("files")).expect("there").count()
    }
}

fn by_url(name: &str, url: &str) -> Media {
    let source = MediaSource::Url(Url::parse(url).expect("a url"));
    Media { name: name.to_owned(), as_file: false, source }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn several_files_are_one_message_with_its_caption() {
    let scene = Scene::new();
    let media = vec![scene.inline("a.txt", b"one"), scene.inline("b.png", &[7; 5000])];
    let sent = scene.delivered(scene.with_files("d-1", "**Both**", media));
    assert_eq!(sent.messages().len(), 1);
    assert_eq!(scene.shown_files(), [(names(&["a.txt", "b.png"]), "[b]Both[/b]".to_owned())]);
    let shown = &scene.mine()[0].files;
    assert_eq!((shown[0].size, shown[1].size), (3, 5000));
    assert_eq!(shown[0].bytes.as_deref(), Some(&b"one"[..]));
    assert_eq!(scene.on_the_shelf(), 0, "nothing is kept of what is through");
}

#[test]
fn files_are_fetched_and_a_long_caption_goes_on_behind_them() {
    let scene = Scene::new();
    let url = scene.host.put_file("/a.pdf", b"content");
    let caption = "words in a line of a caption\n\n".repeat(1000);
    let sent = scene.delivered(scene.with_files("d-1", &caption, vec![by_url("a.pdf", &url)]));
    let shown = scene.shown_files();
    assert!(shown.len() >= 2 && shown.len() == sent.messages().len(), "{}", shown.len());
    assert_eq!(shown[0].0, ["a.pdf"]);
    assert!(shown[1..].iter().all(|(files, text)| files.is_empty() && text.contains("words")));
    assert_eq!(scene.on_the_shelf(), 0);
}

#[test]
fn lost_answers_of_files_make_no_second_message() {
    for method in [UPLOAD, PUBLISH, "im.disk.folder.get"] {
        let scene = Scene::new();
        let row = scene.accepted(scene.with_files("d-1", "x", vec![scene.inline("a.txt", b"one")]));
        scene.network.plan(When::first(method), Fault::ActAndDropAnswer);
        assert!(scene.run(row).is_some(), "{method}");
        scene.network.clear_plan();
        assert_eq!(scene.run(row), None, "{method}");
        let delivery = scene.delivery(row);
        assert_eq!(delivery.state, State::Delivered, "{method}: {:?}", delivery.failure);
        assert_eq!(scene.shown_files().len(), 1, "{method}");
        assert_eq!(scene.shown_files()[0].0.len(), 1, "{method}");
        assert_eq!(scene.network.calls_of(PUBLISH), 1, "{method}");
    }
}

#[test]
fn a_publication_that_never_came_is_made_again_once_it_can_no_longer_act() {
    let scene = Scene::new();
    let row = scene.accepted(scene.with_files("d-1", "x", vec![scene.inline("a.txt", b"one")]));
    scene.network.plan(When::first(PUBLISH), Fault::CloseBeforeReading);
    assert!(scene.run(row).is_some());
    scene.network.clear_plan();
    for _ in 0..3 {
        assert!(scene.run(row).is_some(), "a hasty repetition would remove the file");
    }
    assert_eq!(scene.network.calls_of(PUBLISH), 0);
    scene.shared.store.age_attempts(row, limits::DELIVERY_SETTLE);
    assert_eq!(scene.run(row), None);
    assert_eq!(scene.shown_files(), [(names(&["a.txt"]), "x".to_owned())]);
}

#[test]
fn a_claimed_publication_is_uploaded_again_after_its_hour() {
    for tells_inner in [false, true] {
        let scene = Scene::new();
        scene.portal.world().messenger.switches.commit_tells_inner = tells_inner;
        let row = scene.accepted(scene.with_files("d-1", "x", vec![scene.inline("a.txt", b"one")]));
        // Claimed by an attempt that another module stopped, and whose answer was lost.
        scene.portal.world().messenger.switches.veto = Some("no".to_owned());
        scene.network.plan(When::first(PUBLISH), Fault::ActAndDropAnswer);
        assert!(scene.run(row).is_some());
        scene.network.clear_plan();
        scene.portal.world().messenger.switches.veto = None;
        scene.shared.store.age_attempts(row, limits::DELIVERY_SETTLE);
        let wait = scene.run(row).expect("the UUID is claimed");
        assert!(wait > Duration::from_secs(3000), "{wait:?}");
        assert_eq!(scene.delivery(row).state, State::Unknown);
        // The hour passes, here and there.
        scene.shared.store.age_attempts(row, limits::UUID_CLAIMED_MAX);
        scene.network.clock().advance(limits::UUID_CLAIMED_MAX);
        while scene.run(row).is_some_and(|wait| wait < Duration::from_secs(1)) {}
        let delivery = scene.delivery(row);
        assert_eq!(delivery.state, State::Delivered, "{tells_inner} {:?}", delivery.failure);
        assert_eq!(scene.shown_files(), [(names(&["a.txt"]), "x".to_owned())]);
    }
}

#[test]
fn without_the_drive_each_file_is_a_message_and_a_lost_answer_is_found_by_its_file() {
    let scene = Scene::new();
    scene.portal.world().switches.missing_methods = vec![UPLOAD.to_owned()];
    let media = vec![scene.inline("a.txt", b"one"), scene.inline("b.txt", b"two2")];
    let row = scene.accepted(scene.with_files("d-1", "Both", media));
    scene.network.plan(When::first(SINGLE), Fault::ActAndDropAnswer);
    assert!(scene.run(row).is_some());
    scene.network.clear_plan();
    assert_eq!(scene.run(row), None);
    let delivery = scene.delivery(row);
    assert_eq!(delivery.state, State::Delivered, "{:?}", delivery.failure);
    assert!(delivery.warnings.iter().any(|warning| warning.contains("message of its own")));
    let both = [(names(&["a.txt"]), "Both".to_owned()), (names(&["b.txt"]), String::new())];
    assert_eq!(scene.shown_files(), both);
    let ids: Vec<u64> = delivery.messages().into_iter().map(id).collect();
    assert_eq!(ids, scene.mine().iter().map(|shown| shown.id).collect::<Vec<_>>());
}

#[test]
fn a_single_file_that_never_came_is_sent_again_only_after_a_while() {
    let scene = Scene::new();
    scene.portal.world().switches.missing_methods = vec![UPLOAD.to_owned()];
    // The same file was sent before; it is not taken for this one.
    scene.delivered(scene.with_files("d-0", "x", vec![scene.inline("a.txt", b"one")]));
    let row = scene.accepted(scene.with_files("d-1", "x", vec![scene.inline("a.txt", b"one")]));
    scene.network.plan(When::first(SINGLE), Fault::CloseBeforeReading);
    assert!(scene.run(row).is_some());
    scene.network.clear_plan();
    assert!(scene.run(row).is_some());
    assert_eq!(scene.shown_files().len(), 1);
    scene.shared.store.age_attempts(row, limits::DELIVERY_SETTLE);
    assert_eq!(scene.run(row), None);
    assert_eq!(scene.shown_files().len(), 2);
}

#[test]
fn a_portal_that_takes_no_files_says_what_to_do() {
    let scene = Scene::new();
    scene.portal.world().switches.missing_methods =
        vec![UPLOAD.to_owned(), SINGLE.to_ascii_lowercase()];
    let row = scene.accepted(scene.with_files("d-1", "x", vec![scene.inline("a.txt", b"one")]));
    assert_eq!(scene.run(row), None);
    let delivery = scene.delivery(row);
    let (code, sentence) = delivery.failure.expect("told");
    assert_eq!((delivery.state, code.as_str()), (State::Rejected, "failed_precondition"));
    assert!(sentence.contains("scope disk"), "{sentence}");
    assert_eq!(scene.on_the_shelf(), 0);
}

#[test]
fn what_cannot_be_fetched_is_refused_before_any_call_or_tried_again() {
    let scene = Scene::new();
    let empty = scene.host.put_file("/empty", b"");
    let gone = format!("{}/gone", scene.host.url());
    for (id, url, says) in [("d-1", &empty, "empty"), ("d-2", &gone, "404")] {
        let row = scene.accepted(scene.with_files(id, "x", vec![by_url("a.txt", url)]));
        assert_eq!(scene.run(row), None);
        let delivery = scene.delivery(row);
        let (code, sentence) = delivery.failure.expect("told");
        assert_eq!((delivery.state, code.as_str()), (State::Rejected, "invalid_argument"));
        assert!(sentence.starts_with("media[0]:") && sentence.contains(says), "{sentence}");
    }
    scene.host.set_listening(false).expect("closes");
    let row = scene.accepted(scene.with_files("d-3", "x", vec![by_url("a.txt", &gone)]));
    assert!(scene.run(row).is_some(), "it may be back");
    assert_eq!(scene.delivery(row).state, State::Waiting);
    assert_eq!(scene.network.calls_of(UPLOAD), 0);
    assert!(scene.mine().is_empty());
}

#[test]
fn a_host_that_is_not_allowed_is_refused_at_once() {
    let scene = Scene::new();
    let media = vec![by_url("a.txt", "http://elsewhere.example/secret-path?sig=planted")];
    let refused = accept::accept(&scene.shared, scene.with_files("d-1", "x", media));
    let Err(Refused::MediaHost(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("BITRIX24_MEDIA_HOSTS") && !why.contains("planted"), "{why}");
}

#[test]
fn files_of_a_call_that_is_not_new_are_removed() {
    let scene = Scene::new();
    let call = |content: &[u8]| scene.with_files("d-1", "x", vec![scene.inline("a.txt", content)]);
    let row = scene.accepted(call(b"one"));
    accept::accept(&scene.shared, call(b"one")).expect("the same");
    accept::accept(&scene.shared, call(b"two")).expect("a conflict");
    assert_eq!(scene.on_the_shelf(), 1, "that of the first call");
    assert_eq!(scene.run(row), None);
    assert_eq!(scene.on_the_shelf(), 0);
    assert_eq!(scene.portal.file_counts(), (1, 0));
    assert_eq!(scene.mine()[0].files[0].author, MIRA);
}

#[test]
fn a_file_that_a_restored_database_lacks_is_asked_for_again() {
    let scene = Scene::new();
    let row = scene.accepted(scene.with_files("d-1", "x", vec![scene.inline("a.txt", b"one")]));
    fs::remove_dir_all(scene.dir.join("files")).expect("lost");
    assert_eq!(scene.run(row), None);
    let delivery = scene.delivery(row);
    let (code, sentence) = delivery.failure.expect("told");
    assert_eq!((delivery.state, code.as_str()), (State::Rejected, "invalid_argument"));
    assert!(sentence.contains("send it again"), "{sentence}");
    assert_eq!(scene.network.calls_of(UPLOAD), 0);
}

#[test]
fn a_file_that_the_web_server_refuses_is_not_sent_all_day() {
    let scene = Scene::new();
    let row = scene.accepted(scene.with_files("d-1", "x", vec![scene.inline("a.txt", b"one")]));
    scene.network.plan(When::every(UPLOAD), Fault::Html(413));
    assert_eq!(scene.run(row), None);
    let delivery = scene.delivery(row);
    let (code, sentence) = delivery.failure.expect("told");
    assert_eq!((delivery.state, code.as_str()), (State::Rejected, "invalid_argument"));
    assert!(sentence.contains("smaller file"), "{sentence}");
}
