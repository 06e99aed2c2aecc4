use proptest::prelude::*;

use super::*;

fn lookup(host: &str, text: &str) -> HostSettings {
    let mut settings = HostSettings::default();
    settings.add(host, text, &mut |_| Vec::new());
    settings
}

const EXAMPLE: &str = r#"
# The first value counts, so general blocks come last.
Host nas nas.home
    HostName 10.0.0.7
    Port=2222
    User   "back up"
    IdentityFile ~/.ssh/nas # for this host
    IdentitiesOnly yes
Host *.example !secret.example
    ProxyJump me@gate:2200,inner
    UserKnownHostsFile ~/.ssh/a "~/.ssh/b c"
    IdentityAgent none
Match host nas
    Port 9
Match all
    hostkeyalias = somebody
Host *
    Port 22
    User nobody
    IdentityFile ~/.ssh/any
    ProxyCommand ssh -W "%h:%p" gate # not a comment
"#;

#[test]
fn the_first_value_of_a_host_counts() {
    let nas = lookup("nas", EXAMPLE);
    assert_eq!(nas.host_name.as_deref(), Some("10.0.0.7"));
    assert_eq!((nas.port, nas.user.as_deref()), (Some(2222), Some("back up")));
    assert_eq!(nas.identity_files, ["~/.ssh/nas", "~/.ssh/any"]);
    assert_eq!(nas.identities_only, Some(true));
    assert_eq!(nas.host_key_alias.as_deref(), Some("somebody"));
    let command = "ssh -W \"%h:%p\" gate # not a comment";
    assert_eq!(nas.proxy, Some(Proxy::Command(command.into())));
}

#[test]
fn patterns_choose_hosts_unless_one_is_negated() {
    let host = lookup("a.example", EXAMPLE);
    assert_eq!(host.proxy, Some(Proxy::Jump("me@gate:2200,inner".into())));
    let files = host.known_hosts_files.expect("they are set");
    assert_eq!(files, ["~/.ssh/a", "~/.ssh/b c"]);
    assert_eq!(host.identity_agent.as_deref(), Some("none"));
    let secret = lookup("secret.example", EXAMPLE);
    assert!(matches!(secret.proxy, Some(Proxy::Command(_))));
    assert_eq!((secret.port, secret.known_hosts_files), (Some(22), None));
}

#[test]
fn a_match_block_is_skipped_to_its_end() {
    let text = "Match exec \"true\"\nUser wrong\nHost a\nUser right\n";
    assert_eq!(lookup("a", text).user.as_deref(), Some("right"));
    assert_eq!(lookup("b", text).user, None);
    assert_eq!(lookup("b", "match ALL\nuser x\n").user.as_deref(), Some("x"));
    assert_eq!(lookup("b", "Match all host c\nuser x\n").user, None);
}

#[test]
fn an_included_file_counts_where_its_block_applies() {
    let files = |name: &str| match name {
        "one" => vec!["Port 1\nHost b\nUser of-b\n".to_owned()],
        "circle" => vec!["Include circle\nPort 5\n".to_owned()],
        _ => Vec::new(),
    };
    let lookup = |host: &str, text: &str| {
        let mut settings = HostSettings::default();
        settings.add(host, text, &mut |name| files(name));
        settings
    };
    let text = "Host a\nInclude one missing\nHost *\nPort 9\nUser all\n";
    assert_eq!(lookup("a", text).port, Some(1));
    assert_eq!(lookup("b", text).port, Some(9));
    assert_eq!(lookup("b", text).user.as_deref(), Some("all"));
    // A block that an included file begins ends with the file.
    assert_eq!(lookup("a", "Include one\nUser all\n").user.as_deref(), Some("all"));
    assert_eq!(lookup("a", "Include circle\n").port, Some(5));
}

#[test]
fn none_means_a_direct_connection() {
    let text = "ProxyJump none\nProxyCommand nc %h %p\n";
    assert_eq!(lookup("a", text).proxy, Some(Proxy::Direct));
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text: String, host: String) {
        let settings = lookup(&host, &text);
        prop_assert!(settings.identity_files.len() <= text.lines().count());
    }

    #[test]
    fn a_pattern_of_stars_fits_what_a_search_of_its_parts_finds(
        parts in proptest::collection::vec("[ab]{0,2}", 1..4),
        text in "[ab]{0,6}",
    ) {
        let regex = regex::Regex::new(&format!("^{}$", parts.join(".*"))).expect("a pattern");
        prop_assert_eq!(matches(&parts.join("*"), &text), regex.is_match(&text));
    }

    #[test]
    fn a_text_fits_itself_and_itself_with_marks(text in "[a-z.]{1,8}", at: prop::sample::Index) {
        let at = at.index(text.len());
        let mut marked = text.clone();
        marked.replace_range(at..=at, "?");
        prop_assert!(matches(&text, &text) && matches(&marked, &text));
        let longer = format!("{text}x");
        prop_assert!(!matches(&text, &longer));
    }
}
