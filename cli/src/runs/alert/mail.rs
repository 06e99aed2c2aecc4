//! Mails by SMTP.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{SmtpTransport, Transport};

use super::{Message, secret_of};
use crate::config::Mail;
use crate::failure::engine_error::reason;

/// The time that each step of the conversation may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends a message to some addresses.
pub(super) fn send(settings: &Mail, to: &[String], message: &Message) -> Result<(), String> {
    let from = settings.from.clone().unwrap_or_else(|| format!("yore@{}", message.host));
    let from: Mailbox = address(&from)?;
    let mut mail: MessageBuilder = lettre::Message::builder()
        .from(from)
        .subject(format!("[yore] {}: {}", message.host, message.title))
        .header(ContentType::TEXT_PLAIN);
    for one in to {
        mail = mail.to(address(one)?);
    }
    let mail = mail.body(message.whole()).map_err(|error| error.to_string())?;
    transport(settings)?.send(&mail).map(drop).map_err(|error| error.to_string())
}

fn address(text: &str) -> Result<Mailbox, String> {
    text.parse().map_err(|_| format!("{text:?} is no mail address"))
}

fn transport(settings: &Mail) -> Result<SmtpTransport, String> {
    let server = settings.server.as_deref().unwrap_or("localhost");
    let (host, port) = match server.rsplit_once(':') {
        Some((host, port)) => {
            (host, Some(port.parse::<u16>().map_err(|_| format!("{server:?} is no host:port"))?))
        }
        None => (server, None),
    };
    let is_here = matches!(host, "localhost" | "127.0.0.1" | "::1");
    let usual = if is_here { "none" } else { "starttls" };
    let (tls, usual_port) = match settings.tls.as_deref().unwrap_or(usual) {
        "none" => (Tls::None, 25),
        "tls" => (Tls::Wrapper(parameters(settings, host)?), 465),
        _ => (Tls::Required(parameters(settings, host)?), 587),
    };
    let mut builder = SmtpTransport::builder_dangerous(host)
        .port(port.unwrap_or(usual_port))
        .tls(tls)
        .timeout(Some(PATIENCE));
    if let (Some(user), Some(password)) = (&settings.user, &settings.password) {
        builder = builder.credentials(Credentials::new(user.clone(), secret_of(password)?));
    }
    Ok(builder.build())
}

fn parameters(settings: &Mail, host: &str) -> Result<TlsParameters, String> {
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(file) = &settings.ca_file {
        let pem = std::fs::read(file);
        let pem = pem.map_err(|error| format!("{}: {}", file.display(), reason(&error)))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| error.to_string())?;
        parameters = parameters.add_root_certificate(certificate);
    }
    parameters.build().map_err(|error| error.to_string())
}
