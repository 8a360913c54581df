//! The gate as `JUnit` XML, for programs that collect test results: a criterion is a test case. One that has failed holds one
//! `failure`, one that blocks and of which too little is known one `error`: neither may look like success.

use std::fmt::Write as _;

use crate::estate::gate::{Outcome, Report};
use crate::report::escape::markup as escaped;

/// The report as a test suite.
pub(super) fn write(report: &Report) -> String {
    let of = |result| report.counts.get(&result).copied().unwrap_or(0);
    let name = report.group.as_deref().unwrap_or("estate");
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuites><testsuite name=\"gate {}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"0\" timestamp=\"{}\">",
        escaped(name),
        report.criteria.len(),
        of(Outcome::Failed),
        of(Outcome::Missing),
        report.as_of
    );
    for it in &report.criteria {
        let _ = write!(
            out,
            "<testcase classname=\"{}\" name=\"{} {}\">",
            it.area,
            escaped(&it.id),
            escaped(&it.title)
        );
        let said = format!("need {}, seen {}; to go: {}", it.need, it.seen, it.to_go);
        let _ = match it.result {
            Outcome::Met => Ok(()),
            Outcome::Failed => fault(&mut out, "failure", ("failed", &it.why), &said),
            Outcome::Missing => {
                let kind = it
                    .missing
                    .map_or("missing", crate::estate::gate::report::Missing::words);
                fault(&mut out, "error", (kind, &it.why), &said)
            }
            Outcome::Excepted | Outcome::Note => write!(
                out,
                "<system-out>{}: {}; {}</system-out>",
                it.result.word(),
                escaped(&it.why),
                escaped(&said)
            ),
        };
        out.push_str("</testcase>\n");
    }
    out + "</testsuite></testsuites>\n"
}

fn fault(
    out: &mut String,
    element: &str,
    (kind, why): (&str, &str),
    said: &str,
) -> std::fmt::Result {
    let (why, said) = (escaped(why), escaped(said));
    write!(
        out,
        "<{element} type=\"{kind}\" message=\"{why}\">{said}</{element}>"
    )
}
