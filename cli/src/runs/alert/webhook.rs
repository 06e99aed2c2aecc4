//! Requests to web services.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, http};

use super::{Message, MessageState, secret_of};
use crate::access::secret::Reference;

/// The time that a request may take.
const PATIENCE: Duration = Duration::from_secs(20);

fn agent() -> Agent {
    // The authorities that this machine trusts, so that a service of one's own can be reached, too.
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    Agent::config_builder().timeout_global(Some(PATIENCE)).tls_config(tls).build().into()
}

/// Asks for a URL, as a dead man's switch wants it; a text is sent along.
pub fn ping(url: &str, text: &str) -> Result<(), String> {
    answer(agent().post(url).send(text))
}

/// Sends a message in the form of a service.
pub(super) fn send(
    url: &str,
    preset: &str,
    token: Option<&Reference>,
    message: &Message,
) -> Result<(), String> {
    let token = token.map(secret_of).transpose()?;
    let bearer = token.as_ref().map(|token| format!("Bearer {token}"));
    let (title, text) = (message.title.as_str(), message.text.as_str());
    let is_problem = message.state == MessageState::Problem;
    let object = match preset {
        "ntfy" => {
            let mut request = agent()
                .post(url)
                .header("Title", header(title))
                .header("Priority", if is_problem { "high" } else { "default" })
                .header("Tags", if is_problem { "warning" } else { "white_check_mark" });
            if let Some(bearer) = bearer {
                request = request.header("Authorization", bearer);
            }
            return answer(request.send(text));
        }
        "sms" => return sms(url, token.as_deref(), message),
        "slack" => json!({"text": format!("*{title}*\n{text}")}),
        "discord" => json!({"content": format!("**{title}**\n{text}")}),
        "gotify" => {
            let priority = if is_problem { 8 } else { 4 };
            json!({"title": title, "message": text, "priority": priority})
        }
        _ => serde_json::to_value(message).unwrap_or(Value::Null),
    };
    let mut request = agent().post(url).header("Content-Type", "application/json");
    match (preset, token, bearer) {
        ("gotify", Some(token), _) => request = request.header("X-Gotify-Key", token),
        (_, _, Some(bearer)) => request = request.header("Authorization", bearer),
        _ => {}
    }
    answer(request.send(object.to_string()))
}

/// Sends a form as gateways for short messages take it: the pairs of the URL, and the text as `Body`. The token is a
/// name and a password with a colon between them.
fn sms(url: &str, token: Option<&str>, message: &Message) -> Result<(), String> {
    let (url, pairs) = url.split_once('?').unwrap_or((url, ""));
    let mut form: Vec<(String, String)> = pairs
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.replace("%2B", "+")))
        .collect();
    form.push(("Body".into(), format!("{}: {}", message.host, message.title)));
    let mut request = agent().post(url);
    if let Some(token) = token {
        request = request.header("Authorization", format!("Basic {}", base64(token.as_bytes())));
    }
    answer(request.send_form(form))
}

fn answer(sent: Result<http::Response<Body>, ureq::Error>) -> Result<(), String> {
    match sent {
        Ok(_) => Ok(()),
        // A URL may hold a secret, so it is not repeated.
        Err(ureq::Error::StatusCode(code)) => Err(format!("the server answers {code}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Returns a text that a header can hold.
fn header(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// Encodes bytes in base64 (RFC 4648 §4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            match digit <= chunk.len() {
                true => out.push(char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize])),
                false => out.push('='),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        for (text, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }
}
