//! Judgement: facts in, ledger rows out.
