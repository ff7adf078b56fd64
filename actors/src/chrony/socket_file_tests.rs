//! The socket's file: who may use it, and who cleans up.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;

use super::*;

#[test]
fn sockets_of_the_dead_are_removed_and_nothing_else() {
    let dir = Directory::new();
    drop(StdDatagram::bind(dir.0.join("clockbound.1.0.sock")).expect("a dead one"));
    drop(StdDatagram::bind(dir.0.join("chronyc.1.sock")).expect("a stranger's dead one"));
    let _live = StdDatagram::bind(dir.0.join("clockbound.2.0.sock")).expect("a live one");
    let _stream =
        UnixListener::bind(dir.0.join("clockbound.3.0.sock")).expect("a live one of another kind");
    fs::write(dir.0.join("clockbound.4.0.sock"), "a file").expect("a file");
    block_on(async { drop(ChronySocket::bind(&dir.chronyd()).expect("bound")) });
    assert_eq!(
        dir.names(),
        [
            "chronyc.1.sock",
            "clockbound.2.0.sock",
            "clockbound.3.0.sock",
            "clockbound.4.0.sock"
        ]
    );
}

#[test]
fn the_socket_admits_chronyds_user_and_nobody_else() {
    let dir = Directory::new();
    if Uid::effective().is_root() {
        // As when chronyd has a user of its own, and we are root.
        chown(&dir.0, Some(4321), Some(4321)).expect("given away");
    }
    block_on(async {
        let _socket = ChronySocket::bind(&dir.chronyd()).expect("bound");
        let name = &dir.names()[0];
        let (file, owner) = (
            fs::metadata(dir.0.join(name)).expect("there"),
            fs::metadata(&dir.0).expect("there"),
        );
        assert_eq!((file.mode() & 0o777, file.uid()), (0o600, owner.uid()));
    });
}

#[test]
fn a_link_in_the_sockets_place_does_not_give_its_target_away() {
    let dir = Directory::new();
    let (target, link) = (dir.0.join("target"), dir.0.join("link"));
    fs::write(&target, "a file").expect("a file");
    symlink(&target, &link).expect("a link");
    let before = fs::metadata(&target).expect("there");
    if Uid::effective().is_root() {
        chown(&dir.0, Some(4321), Some(4321)).expect("given away");
    }
    // Whether it is refused does not matter.
    let _ = grant_access_to_owner(&dir.0, &link);
    let after = fs::metadata(&target).expect("there");
    assert_eq!((after.uid(), after.mode()), (before.uid(), before.mode()));
}

#[test]
fn a_refusal_says_who_may_and_who_asked() {
    let dir = Directory::new();
    fs::set_permissions(&dir.0, Permissions::from_mode(0o750)).expect("a mode");
    let text = describe_owner(&dir.0, &fs::metadata(&dir.0).expect("there"), "nobody");
    let owner = user_name(Uid::effective());
    assert!(
        text.starts_with(&format!("{} belongs to {owner}:", dir.0.display())),
        "{text}"
    );
    assert!(text.ends_with(&format!(
        "with mode 0750, and this process is user nobody: run clockbound as {owner}"
    )));
}

#[test]
fn a_refusal_names_what_is_in_the_way() {
    let dir = Directory::new();
    let _chronyd = dir.listen();
    for place in [dir.0.clone(), dir.chronyd()] {
        let err = query_error(ErrorKind::PermissionDenied.into(), &dir.chronyd(), &place);
        let begin = format!("{} belongs to", place.display());
        assert_eq!(err.kind(), QueryErrorKind::NotPermitted);
        assert!(err.to_string().starts_with(&begin), "{err}");
    }
}

#[test]
fn without_chronyds_directory_there_is_nobody_to_ask() {
    let missing = Directory::new().chronyd();
    let err = block_on(async { ChronySocket::bind(&missing).expect_err("nothing there") });
    assert_eq!(err.kind(), QueryErrorKind::Absent, "{err}");
}
