//! What systemd hears from the service: ready once it listens, alive while its listeners answer,
//! stopping when it was asked to.

use std::os::unix::net::UnixDatagram;

use crate::support::PATIENCE;
use crate::support::scene::Scene;

#[test]
fn systemd_hears_ready_then_alive_then_stopping() {
    let mut scene = Scene::new();
    let path = scene.dir().join("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let hear = || {
        let mut message = [0; 64];
        let length = manager.recv(&mut message).expect("a message");
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    scene.set("NOTIFY_SOCKET", &path.display().to_string());
    scene.set("WATCHDOG_USEC", "200000");
    let mut connector = scene.start();
    assert_eq!(hear(), "READY=1");
    assert_eq!([hear(), hear()], ["WATCHDOG=1", "WATCHDOG=1"]);
    assert!(connector.terminate().expect("it ends").success());
    let mut last = hear();
    while last == "WATCHDOG=1" {
        last = hear();
    }
    assert_eq!(last, "STOPPING=1");
}
