//! The summary as a page that needs no other file.

use std::fmt::{self, Write};

use clockbound_client::diagnostics::BUDGET_TERMS;

use super::chart;
use super::summary::{State, Summary, Totals};
use super::text::{PERCENTILES, counted, date, grouped, percent, premises, sentences};
use crate::output::units::{duration_ns, span_ns, utc, utc_time};

const STYLE: &str = include_str!("page.css");
/// More rows of a table than a reader looks at.
const MAX_DAYS: usize = 400;
const MAX_EVENTS: usize = 200;

/// Text with the characters replaced that mean something in HTML.
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // Not allowed in HTML.
                '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}' => f.write_str("\u{fffd}")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// The page.
pub fn page(summary: &Summary, title: &str) -> String {
    let mut page = String::new();
    write_page(&mut page, summary, title).expect("writing to a string does not fail");
    page
}

fn write_page(page: &mut String, summary: &Summary, title: &str) -> fmt::Result {
    let title = Escaped(title);
    let totals = &summary.totals;
    let (first_ns, last_ns) = summary.range_ns.unwrap_or((0, 0));
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{STYLE}{}</style>\n</head>\n<body>\n<main>\n\
         <header><h1>{title}</h1>\n<p>{} to {} UTC, {} in {}</p></header>\n",
        term_styles(summary),
        utc_time(first_ns),
        utc_time(last_ns),
        counted(totals.rows, "sample"),
        counted(summary.files, "file"),
    )?;
    if summary.simulated_rows > 0 {
        let rows = counted(summary.simulated_rows, "sample");
        writeln!(
            page,
            "<p class=\"warning\">A program wrote {rows} of these for a test. They say nothing of \
             the clock.</p>"
        )?;
    }
    write_figures(page, summary)?;
    write_charts(page, summary)?;
    write_days(page, summary)?;
    page.write_str("<div class=\"pair\">\n")?;
    write_status(page, totals)?;
    write_percentiles(page, summary)?;
    page.write_str("</div>\n")?;
    write_worst(page, summary)?;
    write_events(page, summary)?;
    page.write_str("<section>\n<h2>Premises</h2>\n<ul class=\"premises\">\n")?;
    for premise in premises(summary) {
        writeln!(page, "<li>{}</li>", Escaped(&premise))?;
    }
    writeln!(
        page,
        "</ul>\n</section>\n<footer>clockboundctl {}</footer>\n</main>\n</body>\n</html>",
        env!("CARGO_PKG_VERSION")
    )
}

/// The colors by term, which the legend and the chart share.
fn term_styles(summary: &Summary) -> String {
    chart::terms_in_use(&summary.columns)
        .into_iter()
        .map(|term| {
            format!(".t{term} {{ fill: var(--term-{term}); background: var(--term-{term}) }}\n")
        })
        .collect()
}

fn write_figures(page: &mut String, summary: &Summary) -> fmt::Result {
    let totals = &summary.totals;
    let durations = &totals.durations;
    let trusted_ns = durations
        .of(State::Synchronized)
        .saturating_add(durations.of(State::FreeRunning));
    let none = || "-".to_owned();
    let at = |extreme: &Option<super::summary::Extreme>| match extreme {
        Some(extreme) => format!("{} UTC", utc_time(extreme.unix_ns)),
        None => none(),
    };
    let bound = |ns: Option<i64>| ns.map_or_else(none, duration_ns);
    let untrusted = format!(
        "not trusted {}, no data {}",
        span_ns(durations.untrusted()),
        span_ns(durations.of(State::NoData)),
    );
    let figures = [
        (
            "largest bound",
            bound(totals.bound.map(|bound| bound.ns)),
            at(&totals.bound),
        ),
        (
            "bound, 99 % of samples",
            bound(summary.bounds.per_mille(990)),
            format!("median {}", bound(summary.bounds.per_mille(500))),
        ),
        (
            "CLOCK_REALTIME within",
            bound(totals.realtime_error.map(|error| error.ns)),
            "of UTC, whenever trusted".to_owned(),
        ),
        ("trusted", percent(trusted_ns, durations.total()), untrusted),
    ];
    page.write_str("<section class=\"figures\">\n")?;
    for (name, value, detail) in figures {
        writeln!(
            page,
            "<div><span class=\"name\">{}</span><span class=\"value\">{}</span>\
             <span class=\"detail\">{}</span></div>",
            Escaped(name),
            Escaped(&value),
            Escaped(&detail)
        )?;
    }
    page.write_str("</section>\n")
}

fn write_charts(page: &mut String, summary: &Summary) -> fmt::Result {
    page.write_str(
        "<section class=\"charts\">\n<h2>Bound over time</h2>\n<p class=\"legend\"><b>component</b>",
    )?;
    for term in chart::terms_in_use(&summary.columns) {
        write!(
            page,
            "<span><i class=\"t{term}\"></i>{}</span>",
            Escaped(BUDGET_TERMS[term])
        )?;
    }
    page.write_str("<span><i class=\"line least\"></i>smallest bound</span></p>\n")?;
    page.write_str("<p class=\"legend\"><b>status</b>")?;
    for state in State::ALL {
        write!(
            page,
            "<span><i class=\"b-{}\"></i>{}</span>",
            state.as_str(),
            state.as_str()
        )?;
    }
    page.write_str(
        "</p>\n<p class=\"legend\"><b>UTC - CLOCK_REALTIME</b>\
         <span><i class=\"b-interval\"></i>interval</span>\
         <span><i class=\"b-midpoint\"></i>its midpoint</span></p>\n",
    )?;
    page.write_str(&chart::svg(&summary.columns))?;
    writeln!(
        page,
        "<p class=\"caption\">Each column covers {}, and shows the sample with the largest bound \
         and the worst status in it. What several measurements exclude together (excluded) is \
         subtracted from the lowest component. A red line at the upper end marks what is larger \
         than the axis.</p>\n</section>",
        span_ns(summary.columns.width_ns())
    )
}

fn write_days(page: &mut String, summary: &Summary) -> fmt::Result {
    page.write_str("<section>\n<h2>Days</h2>\n<dl class=\"days\">\n")?;
    for (day, totals) in summary.days.iter().take(MAX_DAYS) {
        writeln!(
            page,
            "<dt>{}</dt><dd>{}</dd>",
            date(*day),
            Escaped(&sentences(totals))
        )?;
    }
    page.write_str("</dl>\n")?;
    write_omitted(page, summary.days.len().saturating_sub(MAX_DAYS), "day")?;
    page.write_str("</section>\n")
}

fn write_status(page: &mut String, totals: &Totals) -> fmt::Result {
    page.write_str(
        "<section>\n<h2>Status</h2>\n<table>\n<tr><th>status</th><th class=\"number\">time</th>\
         <th class=\"number\">share</th></tr>\n",
    )?;
    for state in State::ALL {
        let ns = totals.durations.of(state);
        writeln!(
            page,
            "<tr><td><i class=\"b-{name}\"></i>{name}</td><td class=\"number\">{}</td>\
             <td class=\"number\">{}</td></tr>",
            span_ns(ns),
            percent(ns, totals.durations.total()),
            name = state.as_str(),
        )?;
    }
    page.write_str("</table>\n</section>\n")
}

fn write_percentiles(page: &mut String, summary: &Summary) -> fmt::Result {
    page.write_str(
        "<section>\n<h2>Percentiles</h2>\n<table>\n<tr><th>of the samples with an interval</th>\
         <th class=\"number\">bound at most</th></tr>\n",
    )?;
    let mut row = |name: &str, ns: Option<i64>| {
        let bound = ns.map_or_else(|| "-".to_owned(), duration_ns);
        writeln!(
            page,
            "<tr><td>{name}</td><td class=\"number\">{bound}</td></tr>"
        )
    };
    for (name, per_mille) in PERCENTILES {
        row(name, summary.bounds.per_mille(per_mille))?;
    }
    row("all", summary.totals.bound.map(|bound| bound.ns))?;
    page.write_str("</table>\n</section>\n")
}

fn write_worst(page: &mut String, summary: &Summary) -> fmt::Result {
    page.write_str(
        "<section>\n<h2>Worst minutes</h2>\n<table>\n<tr><th>minute, UTC</th>\
         <th class=\"number\">largest bound</th><th>status</th><th>reason</th>\
         <th>largest component</th></tr>\n",
    )?;
    for minute in summary.worst_minutes() {
        let (term, ns) = minute.component;
        writeln!(
            page,
            "<tr><td>{}</td><td class=\"number\">{}</td><td><i class=\"b-{status}\"></i>{status}</td>\
             <td>{}</td><td>{} {}</td></tr>",
            utc(minute.bound.unix_ns, "%Y-%m-%d %H:%M"),
            duration_ns(minute.bound.ns),
            minute.reason,
            Escaped(BUDGET_TERMS[term]),
            duration_ns(ns),
            status = minute.status,
        )?;
    }
    page.write_str("</table>\n</section>\n")
}

fn write_events(page: &mut String, summary: &Summary) -> fmt::Result {
    page.write_str("<section>\n<h2>Events</h2>\n")?;
    if summary.events.is_empty() {
        return page.write_str("<p>None.</p>\n</section>\n");
    }
    page.write_str("<table>\n<tr><th>time, UTC</th><th>event</th></tr>\n")?;
    for event in summary.events.iter().take(MAX_EVENTS) {
        writeln!(
            page,
            "<tr><td class=\"time\">{}</td><td><i class=\"e-{}\"></i>{}</td></tr>",
            utc_time(event.unix_ns),
            event.level.as_str(),
            Escaped(&event.text)
        )?;
    }
    page.write_str("</table>\n")?;
    let omitted = summary.events.len().saturating_sub(MAX_EVENTS);
    let omitted = u64::try_from(omitted).unwrap_or(u64::MAX);
    let omitted = omitted.saturating_add(summary.omitted_events);
    write_omitted(
        page,
        usize::try_from(omitted).unwrap_or(usize::MAX),
        "event",
    )?;
    page.write_str("</section>\n")
}

fn write_omitted(page: &mut String, count: usize, noun: &str) -> fmt::Result {
    if count == 0 {
        return Ok(());
    }
    let plural = if count == 1 { "" } else { "s" };
    let count = grouped(u64::try_from(count).unwrap_or(u64::MAX));
    writeln!(
        page,
        "<p class=\"caption\">{count} more {noun}{plural} not shown.</p>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let text = Escaped("<script>alert(\"1\")</script> & '\u{1b}").to_string();
        assert_eq!(
            text,
            "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;\u{fffd}"
        );
    }
}
