//! Judgement: facts in, ledger rows out.

pub mod compare;
pub mod rules;
pub mod tree;
