//! What lies in the state directory is closed to others: keys, files, the directory itself; and the
//! master key can be changed.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;

use crate::support::PATIENCE;
use crate::support::scene::BINARY;
use crate::support::scene::Scene;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

/// The executable started under another umask.
fn under_umask(scene: &Scene, umask: &str) -> std::path::PathBuf {
    let script = scene.dir().join(format!("under-{umask}"));
    let text = format!("#!/bin/sh\numask {umask}\nexec '{BINARY}' \"$@\"\n");
    std::fs::write(&script, text).expect("a script");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("executable");
    script
}

#[test]
fn files_are_private_whatever_the_umask() {
    for umask in ["000", "022", "277", "777"] {
        let mut scene = Scene::new();
        scene.unset("BITRIX24_CONTROL_SECRET");
        let script = under_umask(&scene, umask);
        let connector = scene.start_as(&script);
        let dir = scene.state_dir();
        assert_eq!(mode(&dir), 0o700, "umask {umask}");
        for entry in std::fs::read_dir(&dir).expect("readable") {
            let path = entry.expect("readable").path();
            let wanted = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode(&path), wanted, "{} under umask {umask}", path.display());
        }
        for name in ["master.key", "control.secret", "connector.sqlite3"] {
            assert!(dir.join(name).exists(), "{name}");
        }
        drop(connector);
    }
}

/// Runs the connector, which is expected to end at once; exit code and what it said.
fn run_to_end(scene: &Scene) -> (Option<i32>, String) {
    let path = scene.dir().join("told");
    let told = std::fs::File::create(&path).expect("a file");
    let mut child = Command::new(BINARY)
        .arg("run")
        .env_clear()
        .envs(scene.settings())
        .stdout(Stdio::null())
        .stderr(told)
        .spawn()
        .expect("it runs");
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline && child.try_wait().expect("its state").is_none() {
        std::thread::sleep(Duration::from_millis(3));
    }
    // Fails only when it has ended, as it should.
    let _ = child.kill();
    let status = child.wait().expect("its end");
    (status.code(), std::fs::read_to_string(&path).expect("what it said"))
}

#[test]
fn keys_that_others_can_read_are_refused_with_a_remedy() {
    for name in ["master.key", "control.secret"] {
        let mut scene = Scene::new();
        scene.unset("BITRIX24_CONTROL_SECRET");
        drop(scene.start());
        let path = scene.state_dir().join(name);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("opened");
        let (code, told) = run_to_end(&scene);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains(&format!("chmod 600 {}", path.display())), "{told}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("closed");
        drop(scene.start());
    }
}

#[test]
fn a_state_directory_that_others_can_write_is_refused_and_files_are_closed() {
    let scene = Scene::new();
    drop(scene.start());
    let (dir, file) = (scene.state_dir(), scene.state_dir().join("connector.sqlite3"));
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o777)).expect("opened");
    let (code, told) = run_to_end(&scene);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains(&format!("chmod 700 {}", dir.display())), "{told}");
    // As systemd makes it by default: readable, which the files' own modes answer.
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).expect("readable");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("opened");
    let connector = scene.start();
    assert_eq!(mode(&file), 0o600);
    let status: Value = connector.status().expect("an answer");
    assert_eq!(status["agents"][0]["name"], "helper");
}

#[test]
fn the_master_key_is_changed_whole_or_not_at_all() {
    let scene = Scene::new();
    let mut connector = scene.start_connected();
    let beside = scene.verb(&connector, &["rotate-key"]);
    assert!(beside.code == Some(1) && beside.stderr.contains("another"), "{beside:?}");
    assert!(connector.terminate().expect("it stops").success());
    let file = scene.state_dir().join("master.key");
    let former = std::fs::read(&file).expect("a key");
    let done = scene.run_alone(&["rotate-key"]);
    assert!(done.code == Some(0) && done.stdout.contains("1 agents"), "{done:?}");
    let changed = std::fs::read(&file).expect("a key");
    assert_ne!(changed, former);
    assert_eq!(mode(&file), 0o600);
    // The former key opens nothing any more, and says so without destroying anything.
    std::fs::write(&file, &former).expect("written");
    let refused = scene.refused();
    assert!(refused.code == Some(2) && refused.stderr.contains("former key"), "{refused:?}");
    // Cut between the commit and the file's name: the next start finishes it.
    let next = scene.state_dir().join("master.key.next");
    std::fs::write(&next, &changed).expect("written");
    std::fs::set_permissions(&next, std::fs::Permissions::from_mode(0o600)).expect("changed");
    let connector = scene.start();
    assert_eq!(scene.send(&connector, "after", "hello").expect("sent").status, 200);
    assert_eq!((std::fs::read(&file).expect("a key"), next.exists()), (changed, false));
}

#[test]
fn a_key_that_the_operator_keeps_is_changed_for_the_one_on_stdin() {
    let mut scene = Scene::new();
    let keys = ["A", "B"].map(|letter| format!("{}=", letter.repeat(43)));
    // Base64 of 32 bytes ends in four bits and padding.
    let keys = keys.map(|key| key.replace("B=", "A="));
    scene.set("BITRIX24_MASTER_KEY", &keys[0]);
    let mut connector = scene.start_connected();
    assert!(connector.terminate().expect("it stops").success());
    let empty = scene.run_alone(&["rotate-key"]);
    assert!(empty.code == Some(2) && empty.stderr.contains("openssl rand"), "{empty:?}");
    let done = scene.run_alone_with(&["rotate-key"], &keys[1]);
    assert!(done.code == Some(0) && done.stdout.contains("put the new key"), "{done:?}");
    let refused = scene.refused();
    assert!(refused.stderr.contains("BITRIX24_MASTER_KEY is not the key"), "{refused:?}");
    scene.set("BITRIX24_MASTER_KEY", &keys[1]);
    let connector = scene.start();
    assert_eq!(scene.send(&connector, "after", "hello").expect("sent").status, 200);
}
