//! URLs without what may be a secret in them.

/// Replaces in a text the password of each URL, and of an address of the web everything behind the host: services take
/// tokens there.
pub fn urls(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + "://".len());
        let is_web = ["http://", "https://"].iter().any(|scheme| ends_with(before, scheme));
        let end = url.find(is_outside).unwrap_or(url.len());
        let (url, behind) = url.split_at(end);
        shown.push_str(before);
        push(&mut shown, url, is_web);
        rest = behind;
    }
    shown.push_str(rest);
    shown
}

fn ends_with(text: &str, end: &str) -> bool {
    let start = text.len().checked_sub(end.len());
    start.and_then(|start| text.get(start..)).is_some_and(|found| found.eq_ignore_ascii_case(end))
}

fn is_outside(character: char) -> bool {
    character.is_whitespace() || "\"'`<>()".contains(character)
}

fn push(shown: &mut String, url: &str, is_web: bool) {
    // A password may hold any of the signs that end a host.
    let path = url.rfind('@').unwrap_or(0);
    let host_end = url[path..].find(['/', '?', '#']).map_or(url.len(), |at| path + at);
    let (authority, path) = url.split_at(host_end);
    match authority.rsplit_once('@') {
        Some((login, host)) => {
            let user = login.split_once(':').map_or(login, |(user, _)| user);
            let hidden = if login.contains(':') { ":…" } else { "" };
            let user = if is_web { "…" } else { user };
            shown.extend([user, hidden, "@", host]);
        }
        None => shown.push_str(authority),
    }
    match is_web && path.len() > 1 {
        true => shown.push_str("/…"),
        false => shown.push_str(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_the_paths_of_services_are_left_out() {
        for (text, expected) in [
            ("nothing", "nothing"),
            ("to sftp://me@nas/yore: no", "to sftp://me@nas/yore: no"),
            ("sftp://me:pa/ss@nas:22/yore", "sftp://me:…@nas:22/yore"),
            ("s3://bucket/prefix", "s3://bucket/prefix"),
            ("(https://ntfy.sh/topic?auth=x) failed", "(https://ntfy.sh/…) failed"),
            ("HTTPS://token@host/a", "HTTPS://…@host/…"),
            ("http://host:80/", "http://host:80/"),
            ("a ftp://u:p@h and https://h/x", "a ftp://u:…@h and https://h/…"),
            ("://", "://"),
        ] {
            assert_eq!(urls(text), expected, "{text}");
        }
    }
}
