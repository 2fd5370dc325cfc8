//! What docs/operate.md says of a restored backup: a delivery that was made after it and is repeated
//! is shown once, because the portal itself knows its UUID.

use std::fs;
use std::path::Path;

use crate::support::TempDir;
use crate::support::scene::Scene;

/// A directory and what is in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("there");
    for entry in fs::read_dir(from).expect("directory is readable") {
        let entry = entry.expect("entry is readable");
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(path, to).expect("copied");
        }
    }
}

#[test]
fn a_restored_backup_shows_nothing_twice() {
    let scene = Scene::new();
    let chat = scene.portal.private_chat(scene.olaf, scene.mira);
    let mut connector = scene.start_connected();
    assert!(connector.terminate().expect("it stops").success());
    let backup = TempDir::new();
    copy(&scene.state_dir(), backup.path());

    let mut connector = scene.start();
    let first = scene.send(&connector, "d-1", "Invoice 4711 is paid.").expect("answered").json();
    assert_eq!(first["status"], "delivered");
    assert!(connector.terminate().expect("it stops").success());

    fs::remove_dir_all(scene.state_dir()).expect("lost");
    fs::create_dir(scene.state_dir()).expect("a new directory");
    copy(backup.path(), &scene.state_dir());
    let connector = scene.start();
    let again = scene.send(&connector, "d-1", "Invoice 4711 is paid.").expect("answered").json();
    assert_eq!(again["status"], "delivered");
    // The ledger does not know it, the portal does.
    assert_eq!(again["replayed"], false);
    assert_eq!(again["message_ids"], first["message_ids"]);
    assert_eq!(scene.said_by_agent(chat), ["Invoice 4711 is paid."]);
}
