//! The suite that every backend must pass, run against OpenSSH's server and rclone.

use yore_engine::backend::{Backend, Capabilities, Guarantee};
use yore_tests::{RcloneRemotes, Scratch, Sshd, SshdSettings, conformance, conforms};

/// Runs a check at a new folder of a server with settings.
fn on_a_server(settings: SshdSettings, check: &dyn Fn(&dyn Backend)) {
    let scratch = Scratch::new();
    let server = Sshd::with(&scratch, "sshd", settings);
    check(&server.backend(&scratch.folder("repository")));
}

fn on_openssh(check: &dyn Fn(&dyn Backend)) {
    on_a_server(SshdSettings::default(), check);
}

/// Denies every extension that this project uses.
fn on_openssh_without_extensions(check: &dyn Fn(&dyn Backend)) {
    let denied = "-P hardlink,fsync,posix-rename,statvfs,limits".to_owned();
    on_a_server(SshdSettings { sftp_arguments: denied, ..SshdSettings::default() }, check);
}

fn on_a_remote(remote: &str, check: &dyn Fn(&dyn Backend)) {
    let scratch = Scratch::new();
    let mut remotes = RcloneRemotes::new(&scratch);
    if remote.starts_with("dav:") {
        remotes.serve();
    }
    check(&remotes.backend(remote));
}

fn on_a_local_remote(check: &dyn Fn(&dyn Backend)) {
    on_a_remote("store:some/repository", check);
}

fn on_an_encrypted_remote(check: &dyn Fn(&dyn Backend)) {
    on_a_remote("crypt:repository", check);
}

fn on_a_webdav_remote(check: &dyn Fn(&dyn Backend)) {
    on_a_remote("dav:repository", check);
}

conforms!(openssh, on_openssh);
conforms!(openssh_without_extensions, on_openssh_without_extensions);
conforms!(rclone_local, on_a_local_remote);
// `long` runs the two checks that are left out: each takes rclone minutes with these remotes.
conforms!(
    rclone_crypt,
    on_an_encrypted_remote,
    [
        one_of_thirty_two_racing_creators_wins,
        readers_at_once_get_the_bytes_of_their_objects,
        objects_of_any_size_keep_their_bytes,
        any_range_of_an_object_can_be_read,
        what_is_not_there_is_missing_and_what_is_too_short_is_damaged,
        the_objects_of_every_area_are_listed_there_and_nowhere_else,
        an_object_appears_whole_or_not_at_all,
        writes_that_were_interrupted_leave_nothing,
        a_deleted_object_is_gone_and_its_name_is_free,
        a_replaced_object_has_the_new_bytes,
        a_new_repository_is_refused_where_one_is_already,
    ]
);
conforms!(
    rclone_webdav,
    on_a_webdav_remote,
    [
        one_of_thirty_two_racing_creators_wins,
        readers_at_once_get_the_bytes_of_their_objects,
        objects_of_any_size_keep_their_bytes,
        any_range_of_an_object_can_be_read,
        what_is_not_there_is_missing_and_what_is_too_short_is_damaged,
        the_objects_of_every_area_are_listed_there_and_nowhere_else,
        an_object_appears_whole_or_not_at_all,
        writes_that_were_interrupted_leave_nothing,
        a_deleted_object_is_gone_and_its_name_is_free,
        a_replaced_object_has_the_new_bytes,
        a_new_repository_is_refused_where_one_is_already,
    ]
);

#[test]
fn openssh_keeps_two_hundred_and_fifty_six_mebibytes() {
    on_openssh(&conformance::two_hundred_and_fifty_six_mebibytes_keep_their_bytes);
}

#[test]
fn rclone_keeps_two_hundred_and_fifty_six_mebibytes() {
    on_a_local_remote(&conformance::two_hundred_and_fifty_six_mebibytes_keep_their_bytes);
}

#[test]
fn a_server_promises_what_its_extensions_can_keep() {
    let promised = |backend: &dyn Backend| {
        backend.prepare().expect("it is empty");
        backend.capabilities()
    };
    let kept =
        Capabilities { create_if_absent: Guarantee::Kept, durable: true, cheap_requests: false };
    let broken = Capabilities { create_if_absent: Guarantee::Broken, durable: false, ..kept };
    on_openssh(&|backend| {
        assert_eq!(backend.capabilities().create_if_absent, Guarantee::Unprobed);
        assert_eq!(promised(backend), kept);
    });
    on_openssh_without_extensions(&|backend| assert_eq!(promised(backend), broken));
    on_a_local_remote(&|backend| assert_eq!(promised(backend), broken));
}
