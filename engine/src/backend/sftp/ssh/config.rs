//! The client's configuration of OpenSSH (`ssh_config(5)`), as far as it tells how to reach a host.
//!
//! Nothing is read from disk here: texts go in, settings come out. Of several values the first counts. A `Match`
//! block other than `Match all` is skipped, since its conditions may ask for more than the name of a host.

/// The depth to which files include others, OpenSSH's own.
const INCLUDE_DEPTH: usize = 16;

/// The settings for a host, as written: tokens such as `%h` and a leading `~` are not replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostSettings {
    /// The real name or address (`HostName`).
    pub host_name: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The user.
    pub user: Option<String>,
    /// All the private keys (`IdentityFile`).
    pub identity_files: Vec<String>,
    /// Other keys of the agent are not tried.
    pub identities_only: Option<bool>,
    /// The socket of the agent; `none` for no agent.
    pub identity_agent: Option<String>,
    /// The files of known hosts (`UserKnownHostsFile`).
    pub known_hosts_files: Option<Vec<String>>,
    /// The name under which the key of the host is known.
    pub host_key_alias: Option<String>,
    /// The way around a direct connection.
    pub proxy: Option<Proxy>,
}

/// The way to a host that is not reached directly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proxy {
    /// Hosts, separated by commas (`ProxyJump`).
    Jump(String),
    /// A command (`ProxyCommand`).
    Command(String),
    /// A direct connection, whatever comes later.
    Direct,
}

impl HostSettings {
    /// Adds what a configuration file says of a host, where nothing is set yet.
    ///
    /// `include` returns the texts of the files that an `Include` names.
    pub fn add(&mut self, host: &str, text: &str, include: &mut dyn FnMut(&str) -> Vec<String>) {
        self.add_file(host, text, include, 0);
    }

    fn add_file(
        &mut self,
        host: &str,
        text: &str,
        include: &mut dyn FnMut(&str) -> Vec<String>,
        depth: usize,
    ) {
        let mut applies = true;
        for line in text.lines() {
            let Some((keyword, rest)) = keyword_and_rest(line) else { continue };
            let words = words(rest);
            match (keyword.as_str(), words.as_slice()) {
                ("host", patterns) => applies = is_meant(host, patterns),
                ("match", [all]) => applies = all.eq_ignore_ascii_case("all"),
                ("match", _) => applies = false,
                _ if !applies => {}
                ("include", files) => {
                    let mut texts = Vec::new();
                    if depth < INCLUDE_DEPTH {
                        files.iter().for_each(|file| texts.extend(include(file)));
                    }
                    texts.iter().for_each(|text| self.add_file(host, text, include, depth + 1));
                }
                ("proxycommand", [_, ..]) => self.set_proxy(rest, Proxy::Command),
                (keyword, [first, others @ ..]) => self.set(keyword, first, others),
                (_, []) => {}
            }
        }
    }

    fn set(&mut self, keyword: &str, value: &str, others: &[String]) {
        let text = || value.to_owned();
        match keyword {
            "hostname" => {
                self.host_name.get_or_insert_with(text);
            }
            "user" => {
                self.user.get_or_insert_with(text);
            }
            "port" => self.port = self.port.or(value.parse().ok()),
            "identityfile" => self.identity_files.push(text()),
            "identitiesonly" => {
                let yes = ["yes", "true"].iter().any(|yes| value.eq_ignore_ascii_case(yes));
                self.identities_only.get_or_insert(yes);
            }
            "identityagent" => {
                self.identity_agent.get_or_insert_with(text);
            }
            "userknownhostsfile" => {
                let files = [&[text()], others].concat();
                self.known_hosts_files.get_or_insert(files);
            }
            "hostkeyalias" => {
                self.host_key_alias.get_or_insert_with(text);
            }
            "proxyjump" => self.set_proxy(value, Proxy::Jump),
            _ => {}
        }
    }

    fn set_proxy(&mut self, value: &str, make: fn(String) -> Proxy) {
        let value = value.trim();
        self.proxy.get_or_insert_with(|| match value.eq_ignore_ascii_case("none") {
            true => Proxy::Direct,
            false => make(value.to_owned()),
        });
    }
}

/// Splits a line into its keyword in lower case and the rest; `None` for an empty line or a comment.
fn keyword_and_rest(line: &str) -> Option<(String, &str)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim_start();
    Some((keyword.to_lowercase(), rest))
}

/// Splits a text into words; quotes keep blanks, and a word that begins with `#` begins a comment.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    for character in text.chars() {
        match character {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '#' if word.is_none() => return words,
            blank if blank.is_whitespace() && !quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

/// Tells whether patterns of a `Host` line choose a host: one does, and no negated one does.
fn is_meant(host: &str, patterns: &[String]) -> bool {
    let mut meant = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(negated) if matches(negated, host) => return false,
            Some(_) => {}
            None => meant |= matches(pattern, host),
        }
    }
    meant
}

/// Tells whether a text fits a pattern, in which `*` stands for any characters and `?` for one.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut next) = (0, 0);
    // The latest star, and the place in the text up to which it stands for nothing.
    let mut star = None;
    while next < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, next));
                at += 1;
            }
            Some(&character) if character == '?' || character == text[next] => {
                (at, next) = (at + 1, next + 1);
            }
            _ => {
                let Some((star_at, reached)) = star else { return false };
                star = Some((star_at, reached + 1));
                (at, next) = (star_at + 1, reached + 1);
            }
        }
    }
    pattern[at..].iter().all(|&character| character == '*')
}

#[cfg(test)]
mod tests;
