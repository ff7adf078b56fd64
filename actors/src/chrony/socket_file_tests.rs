//! Tests of the socket's file: its permissions and its removal.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;

use super::*;

#[test]
fn only_sockets_without_a_process_are_removed() {
    let dir = Directory::new();
    drop(StdDatagram::bind(dir.0.join("clockbound.1.0.sock")).expect("an unused socket"));
    drop(StdDatagram::bind(dir.0.join("chronyc.1.sock")).expect("an unused socket of chronyc"));
    let _live = StdDatagram::bind(dir.0.join("clockbound.2.0.sock")).expect("a socket in use");
    let _stream =
        UnixListener::bind(dir.0.join("clockbound.3.0.sock")).expect("a stream socket in use");
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
fn only_chronyds_user_has_access_to_the_socket() {
    let dir = Directory::new();
    if Uid::effective().is_root() {
        // chronyd has its own user, and this process is root.
        chown(&dir.0, Some(4321), Some(4321)).expect("owner changed");
    }
    block_on(async {
        let _socket = ChronySocket::bind(&dir.chronyd()).expect("bound");
        let name = &dir.names()[0];
        let (file, owner) = (
            fs::metadata(dir.0.join(name)).expect("metadata"),
            fs::metadata(&dir.0).expect("metadata"),
        );
        assert_eq!((file.mode() & 0o777, file.uid()), (0o600, owner.uid()));
    });
}

#[test]
fn the_owner_of_a_symbolic_links_target_is_not_changed() {
    let dir = Directory::new();
    let (target, link) = (dir.0.join("target"), dir.0.join("link"));
    fs::write(&target, "a file").expect("a file");
    symlink(&target, &link).expect("a link");
    let before = fs::metadata(&target).expect("metadata");
    if Uid::effective().is_root() {
        chown(&dir.0, Some(4321), Some(4321)).expect("owner changed");
    }
    // The call may succeed or fail.
    let _ = grant_access_to_owner(&dir.0, &link);
    let after = fs::metadata(&target).expect("metadata");
    assert_eq!((after.uid(), after.mode()), (before.uid(), before.mode()));
}

#[test]
fn a_permission_error_names_the_owner_and_the_user() {
    let dir = Directory::new();
    fs::set_permissions(&dir.0, Permissions::from_mode(0o750)).expect("a mode");
    let text = describe_owner(&dir.0, &fs::metadata(&dir.0).expect("metadata"), "nobody");
    let owner = user_name(Uid::effective());
    assert!(
        text.starts_with(&format!("{} is owned by {owner}:", dir.0.display())),
        "{text}"
    );
    assert!(text.ends_with(&format!(
        "with mode 0750, and this process runs as nobody: run clockbound as {owner}"
    )));
}

#[test]
fn a_permission_error_names_the_path() {
    let dir = Directory::new();
    let _chronyd = dir.listen();
    for place in [dir.0.clone(), dir.chronyd()] {
        let err = query_error(ErrorKind::PermissionDenied.into(), &dir.chronyd(), &place);
        let begin = format!("{} is owned by", place.display());
        assert_eq!(err.kind(), QueryErrorKind::NotPermitted);
        assert!(err.to_string().starts_with(&begin), "{err}");
    }
}

#[test]
fn without_chronyds_directory_binding_fails_as_absent() {
    let missing = Directory::new().chronyd();
    let err = block_on(async { ChronySocket::bind(&missing).expect_err("no directory") });
    assert_eq!(err.kind(), QueryErrorKind::Absent, "{err}");
}
