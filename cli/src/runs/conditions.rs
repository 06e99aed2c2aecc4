//! What is wrong now, and who is told: once when it begins, and once when it is over.

use yore_platform::{Timestamp, hostname};

use super::alert::{self, Message, MessageState};
use super::state::{State, Told};
use crate::args::duration;
use crate::config::{Alert, Settings};
use crate::context::Context;
use crate::text::format;

/// The time that a destination may be behind, where the configuration says nothing.
const USUAL_MAX_BEHIND: &str = "7d";

/// Something that is wrong.
struct Condition {
    /// What it is, for telling one from another.
    key: String,
    title: String,
    text: String,
}

/// A message that was sent, or could not be.
pub struct Sent {
    /// The name of the alert.
    pub alert: String,
    /// What it says.
    pub title: String,
    /// Why it was not sent.
    pub outcome: Result<(), String>,
}

/// Sends what is new or over to everybody who does not know it, and notes who knows what.
///
/// A message that could not be sent is sent at the next run.
pub fn tell(context: &Context, state: &mut State) -> Vec<Sent> {
    let Ok(settings) = context.settings() else { return Vec::new() };
    let now = jiff::Timestamp::now().as_second();
    let conditions = conditions(context, settings, state);
    let mut sent = Vec::new();
    for condition in &conditions {
        let told = state.conditions.entry(condition.key.clone()).or_insert_with(|| Told {
            since: now,
            title: condition.title.clone(),
            by: Vec::new(),
        });
        let message = message(context, MessageState::Problem, &condition.title, &condition.text);
        for alert in &settings.alerts {
            if told.by.contains(&alert.name) {
                continue;
            }
            let outcome = alert::send(alert, &settings.mail, &message);
            if outcome.is_ok() {
                told.by.push(alert.name.clone());
            }
            sent.push(Sent { alert: alert.name.clone(), title: message.title.clone(), outcome });
        }
    }
    let is_over = |key: &String| conditions.iter().all(|condition| condition.key != *key);
    let over: Vec<String> = state.conditions.keys().filter(|key| is_over(key)).cloned().collect();
    for key in over {
        let Some(told) = state.conditions.get_mut(&key) else { continue };
        let since = format::duration(std::time::Duration::from_secs(
            u64::try_from(now.saturating_sub(told.since)).unwrap_or(0),
        ));
        let title = format!("right again: {}", told.title);
        let message = message(
            context,
            MessageState::Recovered,
            &title,
            &format!("It was wrong for {since}."),
        );
        // Who was not told of the problem is not told of its end.
        let mut waiting = Vec::new();
        for name in std::mem::take(&mut told.by) {
            let Some(alert) = settings.alerts.iter().find(|alert| alert.name == name) else {
                continue;
            };
            let outcome = alert::send(alert, &settings.mail, &message);
            if outcome.is_err() {
                waiting.push(name.clone());
            }
            sent.push(Sent { alert: name, title: message.title.clone(), outcome });
        }
        told.by = waiting;
        if told.by.is_empty() {
            state.conditions.remove(&key);
        }
    }
    sent
}

/// Sends a test by each alert.
pub fn test(context: &Context, settings: &Settings, alerts: &[&Alert]) -> Vec<Sent> {
    let text = "This is a test. Whoever reads it will be told when a backup fails, and when it is right again.";
    let message = message(context, MessageState::Test, "a test of this way", text);
    let send = |alert: &&Alert| Sent {
        alert: alert.name.clone(),
        title: message.title.clone(),
        outcome: alert::send(alert, &settings.mail, &message),
    };
    alerts.iter().map(send).collect()
}

fn message(context: &Context, state: MessageState, title: &str, text: &str) -> Message {
    let seconds = jiff::Timestamp::now().as_second();
    let time = format::time(Timestamp { seconds, nanos: 0 }, context.now.time_zone());
    Message { title: title.to_owned(), text: text.to_owned(), state, host: hostname(), time }
}

/// Finds everything that is wrong.
fn conditions(context: &Context, settings: &Settings, state: &State) -> Vec<Condition> {
    let mut found = Vec::new();
    let mut add = |key: String, title: String, text: &str| {
        found.push(Condition { key, title, text: text.to_owned() });
    };
    let now = jiff::Timestamp::now().as_second();
    if let Some(last) = state.last.as_ref().filter(|last| last.result != "success") {
        let what = last.error.as_deref().unwrap_or("something could not be saved");
        let title = match last.result.as_str() {
            "partial" => "a backup is not whole".to_owned(),
            _ => "a backup failed".to_owned(),
        };
        add("backup".into(), title, &format!("{what}\n\nTo look at it: yore history"));
    }
    let limit = settings.max_age.as_deref().and_then(|text| seconds(context, text));
    for source in &settings.sources {
        let known = state.sources.get(&source.name);
        let saved = known.and_then(|known| known.saved);
        if let Some(limit) = limit
            && state.last.is_some()
            && saved.is_none_or(|saved| now.saturating_sub(saved) > limit)
        {
            let age = match saved {
                Some(saved) => format!("for {}", age(now.saturating_sub(saved))),
                None => "yet".to_owned(),
            };
            let title = format!("source {} was not backed up {age}", source.name);
            add(format!("stale:{}", source.name), title, "To do it now: yore backup");
        }
        if known.is_some_and(|known| known.suspicious) {
            let title = format!("unusually much changed in source {}", source.name);
            let text = "As after ransomware, or a mistake. Nothing older is forgotten by itself until you say: yore \
                        acknowledge. To look at it: yore status, yore diff";
            add(format!("suspicious:{}", source.name), title, text);
        }
    }
    let limit = seconds(context, settings.max_behind.as_deref().unwrap_or(USUAL_MAX_BEHIND));
    for place in &settings.destinations {
        let title = place.title();
        let Some(complete) = state.destinations.get(&title) else { continue };
        let behind = now.saturating_sub(*complete);
        if limit.is_some_and(|limit| behind > limit) {
            let what = format!("destination {title} is behind for {}", age(behind));
            add(format!("behind:{title}"), what, "Attach it, or check its server; then: yore sync");
        }
    }
    if state.drill.as_ref().is_some_and(|drill| !drill.is_right) {
        let text = "What was restored is not what was saved, or your own check failed. To see it: yore drill";
        add("drill".into(), "a drill failed".into(), text);
    }
    found
}

fn seconds(context: &Context, text: &str) -> Option<i64> {
    duration::seconds("duration", text, &context.now).ok()
}

fn age(seconds: i64) -> String {
    format::duration(std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}
