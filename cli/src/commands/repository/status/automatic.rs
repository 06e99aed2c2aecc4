//! What happens by itself, in `status`: the last run, the last drill, what is wrong, what will fail.

use std::time::Duration;

use crate::context::Context;
use crate::failure::Outcome;
use crate::job::{missing_program, missing_volume, remote};
use crate::json;
use crate::runs::{Files, State};
use crate::text::{escape, format};

/// Prints why the next backup of a source will fail, as far as that is known; returns false if one will.
fn print_sources(context: &Context) -> Outcome<bool> {
    let mut is_ready = true;
    for source in &context.settings()?.sources {
        let lacks = missing_program(source)
            .map(|program| format!("{program}, which it needs, is not installed here"));
        if let Some(what) = lacks.or_else(|| remote::trouble(context, source)) {
            context.screen.problem(&format!("source {}", source.name), &what);
            is_ready = false;
        }
        if let Some(what) = missing_volume(source) {
            context.screen.problem(&format!("source {}", source.name), &what);
            is_ready = false;
        }
    }
    Ok(is_ready)
}

/// Prints what is known of runs; returns false if the next backup of a source will fail.
pub(super) fn print(context: &Context) -> Outcome<bool> {
    let is_ready = print_sources(context)?;
    let Some(files) = Files::of(context).filter(|_| !context.names_destination()) else {
        return Ok(is_ready);
    };
    let state = State::load(&files.state);
    let now = context.now.timestamp().as_second();
    let ago = |time: i64| {
        let seconds = u64::try_from(now.saturating_sub(time)).unwrap_or(0);
        format::duration(Duration::from_secs(seconds))
    };
    context.screen.object(&json::Automatic {
        last_run: state.last.as_ref().map(|last| last.result.clone()),
        last_run_seconds: state.last.as_ref().map(|last| now.saturating_sub(last.time)),
        drill_succeeded: state.drill.as_ref().map(|drill| drill.is_right),
        drill_seconds: state.drill.as_ref().map(|drill| now.saturating_sub(drill.time)),
        wrong: state.conditions.values().map(|told| told.title.clone()).collect(),
    });
    if let Some(last) = &state.last {
        let result = match last.result.as_str() {
            "success" => "succeeded".to_owned(),
            "partial" => "was not whole".to_owned(),
            _ => "FAILED".to_owned(),
        };
        let why = last.error.as_ref().map(|why| format!(": {}", escape::text(why)));
        context.screen.info(format!(
            "The last run, {} ago, {result}{}.",
            ago(last.time),
            why.unwrap_or_default()
        ));
    }
    if let Some(drill) = &state.drill {
        let result = if drill.is_right { "succeeded" } else { "FAILED" };
        context.screen.info(format!("The last drill, {} ago, {result}.", ago(drill.time)));
    }
    for told in state.conditions.values() {
        context.screen.line(format!(
            "wrong for {}: {}",
            ago(told.since),
            escape::text(&told.title)
        ));
        let alerts = &context.settings()?.alerts;
        let unsent = alerts.iter().filter(|alert| !told.by.contains(&alert.name));
        for alert in unsent {
            context
                .screen
                .line(format!("  alert {} could not be sent yet; it is tried again", alert.name));
        }
    }
    Ok(is_ready)
}
