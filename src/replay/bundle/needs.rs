//! What a target must know before a bundle can be played: read off its steps.

use std::collections::BTreeSet;

use super::{Bundle, By, Needs, Step, Tag};
use crate::judge::tree::Node;
use crate::ocpp::Version;

/// Where tags stand, where their types, and where the answer says what they may.
pub(in crate::replay) struct Tags {
    tag: &'static str,
    kind: Option<&'static str>,
    /// The status in the answer.
    pub(in crate::replay) status: &'static str,
}

impl Tags {
    pub(in crate::replay) const fn of(version: Version) -> Self {
        match version {
            Version::V16 => Self {
                tag: "/idTag",
                kind: None,
                status: "/idTagInfo/status",
            },
            Version::V201 | Version::V21 => Self {
                tag: "/idToken/idToken",
                kind: Some("/idToken/type"),
                status: "/idTokenInfo/status",
            },
        }
    }

    /// The tag in a CALL.
    pub(in crate::replay) fn tag(&self, payload: &str) -> Option<String> {
        member(payload, self.tag)
    }
}

/// The needs of a bundle.
pub(super) fn of(bundle: &Bundle) -> Needs {
    let calls = || bundle.steps.iter().filter(|step| step.by == By::Charger);
    let places = Tags::of(bundle.version());
    let tags: BTreeSet<Tag> = calls().filter_map(|step| tag(step, &places)).collect();
    let vendors: BTreeSet<String> = calls().filter_map(vendor).collect();
    Needs {
        boots: calls()
            .filter(|step| step.action == "BootNotification" && step.step != bundle.asserts.step)
            .map(|step| step.step)
            .collect(),
        tags: tags.into_iter().collect(),
        vendors: vendors.into_iter().collect(),
    }
}

fn tag(step: &Step, places: &Tags) -> Option<Tag> {
    let tag = member(step.payload.get(), places.tag)?;
    let status = member(step.legacy.as_ref()?.payload(), places.status)?;
    let kind = places
        .kind
        .and_then(|kind| member(step.payload.get(), kind));
    Some(Tag { tag, kind, status })
}

fn vendor(step: &Step) -> Option<String> {
    let accepted = member(step.legacy.as_ref()?.payload(), "/status")? == "Accepted";
    (step.action == "DataTransfer" && accepted)
        .then(|| member(step.payload.get(), "/vendorId"))
        .flatten()
}

/// The text that a pointer leads to.
pub(in crate::replay) fn member(payload: &str, pointer: &str) -> Option<String> {
    let node = Node::parse(payload).ok()?;
    Some(node.at(pointer)?.text()?.to_owned())
}
