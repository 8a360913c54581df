//! An answer in the making, before it has a message id.

use serde_json::Value;

use super::{Answer, Follow, source};
use crate::shadow::model::Evidence;

/// What is answered, and what follows.
pub(super) struct Reply {
    says: Says,
    source: &'static str,
    evidence: Option<Evidence>,
    follow: Vec<Follow>,
    is_own: bool,
}

enum Says {
    Payload(String),
    Error(&'static str, &'static str),
}

impl Reply {
    fn new(says: Says, source: &'static str) -> Self {
        Self {
            says,
            source,
            evidence: None,
            follow: Vec::new(),
            is_own: false,
        }
    }

    /// A payload from the model.
    pub(super) fn model(payload: impl Into<String>) -> Self {
        Self::new(Says::Payload(payload.into()), source::MODEL)
    }

    /// A payload of only this status, from the model.
    pub(super) fn status(status: &str) -> Self {
        Self::model(format!(r#"{{"status":"{status}"}}"#))
    }

    /// The payload accepts what already holds.
    pub(super) fn no_op(payload: impl Into<String>) -> Self {
        Self::new(Says::Payload(payload.into()), source::NO_OP)
    }

    /// `Accepted`: it already holds.
    pub(super) fn already() -> Self {
        Self::no_op(r#"{"status":"Accepted"}"#)
    }

    /// A CALLERROR, because no payload would be true.
    pub(super) fn error(code: &'static str, description: &'static str) -> Self {
        Self::new(Says::Error(code, description), source::RPC_REFUSAL)
    }

    /// The same, resting on this.
    pub(super) fn by(mut self, evidence: impl Into<Option<Evidence>>) -> Self {
        self.evidence = evidence.into();
        self
    }

    /// The same, followed by CALLs with the authority's identifiers.
    pub(super) fn then(mut self, follow: Vec<Follow>) -> Self {
        self.follow = follow;
        self
    }

    /// The same, followed by a series of reports that the shadow asked for under this request id.
    pub(super) fn then_reports(
        mut self,
        action: &'static str,
        request_id: &Value,
        pages: Vec<Value>,
    ) -> Self {
        self.is_own = true;
        let asked = |mut page: Value| {
            if let Some(members) = page.as_object_mut() {
                members.insert("requestId".to_owned(), request_id.clone());
            }
            (action, page.to_string().into())
        };
        self.follow = pages.into_iter().map(asked).collect();
        self
    }

    /// The answer to the command whose id is spelt so.
    pub(super) fn to(self, id: &str) -> Answer {
        let text = match self.says {
            Says::Payload(payload) => format!("[3,{id},{payload}]"),
            Says::Error(code, description) => {
                format!(r#"[4,{id},"{code}","{description}",{{}}]"#)
            }
        };
        Answer {
            evidence: self.evidence,
            follow: self.follow,
            is_own: self.is_own,
            ..Answer::new(text, self.source)
        }
    }
}
