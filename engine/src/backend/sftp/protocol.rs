//! Version 3 of the protocol (draft-ietf-secsh-filexfer-02) with OpenSSH's extensions (its PROTOCOL, section 4),
//! over any pair of streams.

pub(super) mod listing;
pub(super) mod packet;
pub(super) mod requests;
pub(super) mod sequential;
pub(super) mod session;
pub(super) mod transfer;
pub(super) mod wait;
