CREATE TABLE IF NOT EXISTS meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per judged CALL of a charger; id is the sequence number of its fact.
CREATE TABLE IF NOT EXISTS exchanges (
    id           INTEGER PRIMARY KEY,
    at           INTEGER NOT NULL,
    charger      TEXT NOT NULL,
    conn         INTEGER NOT NULL,
    version      TEXT NOT NULL,
    action       TEXT NOT NULL,
    authority    TEXT NOT NULL,
    outcome      TEXT NOT NULL,
    reason       TEXT,
    root         TEXT,
    severity     INTEGER,
    rules        TEXT NOT NULL,
    answer       INTEGER NOT NULL,
    sent         INTEGER NOT NULL,
    shadow       INTEGER NOT NULL,
    authority_us INTEGER,
    shadow_us    INTEGER,
    queue_us     INTEGER
) STRICT;

-- One row per judged command; ours and theirs are the facts of the authority's and the shadow's. after is what its sender
-- (of a pair the authority) was told last, after_us how long before.
CREATE TABLE IF NOT EXISTS commands (
    id        INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    charger   TEXT NOT NULL,
    conn      INTEGER NOT NULL,
    version   TEXT NOT NULL,
    action    TEXT NOT NULL,
    authority TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    reason    TEXT,
    severity  INTEGER,
    rules     TEXT NOT NULL,
    ours      INTEGER NOT NULL,
    theirs    INTEGER NOT NULL,
    lag_us    INTEGER,
    verdict   TEXT NOT NULL,
    after     TEXT,
    after_us  INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS commands_of_shadow ON commands (theirs) WHERE theirs <> 0;

CREATE TABLE IF NOT EXISTS handshakes (
    id        INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    charger   TEXT NOT NULL,
    conn      INTEGER NOT NULL,
    authority TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    reason    TEXT,
    severity  INTEGER,
    status    INTEGER,
    why       TEXT NOT NULL
) STRICT;

-- One row per difference; subject and id name the row above that it belongs to.
CREATE TABLE IF NOT EXISTS divergences (
    number   INTEGER PRIMARY KEY,
    finding  TEXT NOT NULL,
    subject  TEXT NOT NULL,
    id       INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    charger  TEXT NOT NULL,
    conn     INTEGER NOT NULL,
    pointer  TEXT NOT NULL,
    severity INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS divergences_of_finding ON divergences (finding, number);
CREATE INDEX IF NOT EXISTS divergences_of_subject ON divergences (id);

-- Divergences with one signature. unstable counts those at places where legacy itself varies, varied and requests are the
-- most different answers that it gave to how many equal requests; exposed is how many were comparable up to the last one.
CREATE TABLE IF NOT EXISTS findings (
    id         TEXT PRIMARY KEY,
    subject    TEXT NOT NULL,
    rule       TEXT NOT NULL,
    reason     TEXT NOT NULL,
    direction  TEXT NOT NULL,
    action     TEXT NOT NULL,
    path       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    severity   INTEGER NOT NULL,
    legacy     TEXT NOT NULL,
    candidate  TEXT NOT NULL,
    title      TEXT NOT NULL,
    count      INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    quirk      INTEGER,
    unstable   INTEGER NOT NULL,
    varied     INTEGER NOT NULL,
    requests   INTEGER NOT NULL,
    exposed    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Where a finding was seen; run is the fact with which the tap started.
CREATE TABLE IF NOT EXISTS sightings (
    finding  TEXT NOT NULL,
    charger  TEXT NOT NULL,
    model    TEXT NOT NULL,
    firmware TEXT NOT NULL,
    run      INTEGER NOT NULL,
    count    INTEGER NOT NULL,
    PRIMARY KEY (finding, charger, model, firmware, run)
) STRICT, WITHOUT ROWID;

-- Which build of the candidate a run of the tap faced.
CREATE TABLE IF NOT EXISTS builds (
    run   INTEGER PRIMARY KEY,
    build TEXT NOT NULL
) STRICT;

-- How findings stand that people said something about; the whole row is in body, as JSON.
CREATE TABLE IF NOT EXISTS standings (
    finding TEXT PRIMARY KEY,
    state   TEXT NOT NULL,
    owner   TEXT NOT NULL,
    body    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- How often what came out, and between which times (of the subjects, µs).
CREATE TABLE IF NOT EXISTS tallies (
    subject    TEXT NOT NULL,
    action     TEXT NOT NULL,
    charger    TEXT NOT NULL,
    outcome    TEXT NOT NULL,
    reason     TEXT NOT NULL,
    count      INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    PRIMARY KEY (subject, action, charger, outcome, reason)
) STRICT, WITHOUT ROWID;

-- Answer times: how many fell into each bucket (see tally.rs).
CREATE TABLE IF NOT EXISTS latencies (
    action TEXT NOT NULL,
    what   TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (action, what, bucket)
) STRICT, WITHOUT ROWID;

-- What a charger said about itself, from the fact since on.
CREATE TABLE IF NOT EXISTS chargers (
    charger  TEXT NOT NULL,
    since    INTEGER NOT NULL,
    vendor   TEXT NOT NULL,
    model    TEXT NOT NULL,
    firmware TEXT NOT NULL,
    PRIMARY KEY (charger, since)
) STRICT, WITHOUT ROWID;

-- The last word of each charger about itself.
CREATE VIEW IF NOT EXISTS stations AS
    SELECT charger, vendor, model, firmware, max(since) AS since FROM chargers GROUP BY charger;

-- How often a quirk was seen on a charger; leg and detail are empty where there is none.
CREATE TABLE IF NOT EXISTS quirks (
    quirk      INTEGER NOT NULL,
    charger    TEXT NOT NULL,
    leg        TEXT NOT NULL,
    detail     TEXT NOT NULL,
    count      INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    PRIMARY KEY (quirk, charger, leg, detail)
) STRICT, WITHOUT ROWID;
-- How often the stand-in answered from which source.
CREATE TABLE IF NOT EXISTS stand_ins (
    action  TEXT NOT NULL,
    source  TEXT NOT NULL,
    charger TEXT NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (action, source, charger)
) STRICT, WITHOUT ROWID;

-- What the shadow would have changed at the charger; id is the fact of its command.
CREATE TABLE IF NOT EXISTS attempts (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    charger TEXT NOT NULL,
    sender  TEXT NOT NULL,
    action  TEXT NOT NULL,
    fields  TEXT NOT NULL,
    notice  TEXT,
    source  TEXT NOT NULL
) STRICT;

-- One row per session; id is the fact that began it, ours and theirs the facts of the authority's and the shadow's record.
-- cdr tells whether legacy has a CDR of it. The whole row is in body, as JSON. outcome is null while the session is open or records are awaited.
CREATE TABLE IF NOT EXISTS sessions (
    id       INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    charger  TEXT NOT NULL,
    state    TEXT NOT NULL,
    outcome  TEXT,
    reason   TEXT,
    severity INTEGER,
    ours     INTEGER NOT NULL,
    theirs   INTEGER NOT NULL,
    cdr      INTEGER NOT NULL,
    body     TEXT NOT NULL
) STRICT;
-- Counts by outcome and hour are read from it alone.
CREATE INDEX IF NOT EXISTS sessions_by_time ON sessions (at, outcome, charger);

-- Which findings a session shows, by its last verdict.
CREATE TABLE IF NOT EXISTS session_findings (
    session INTEGER NOT NULL,
    finding TEXT NOT NULL,
    PRIMARY KEY (session, finding)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_of_finding ON session_findings (finding);

-- Groups of chargers in the order in which they are tried; the whole row is in body, as JSON.
CREATE TABLE IF NOT EXISTS groups (
    name  TEXT PRIMARY KEY,
    place INTEGER NOT NULL,
    wave  TEXT NOT NULL,
    body  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Waves in their order; the whole row is in body, as JSON.
CREATE TABLE IF NOT EXISTS waves (
    name  TEXT PRIMARY KEY,
    place INTEGER NOT NULL,
    date  TEXT NOT NULL,
    body  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per charger that is listed or was seen. crowd is its group, '(ungrouped)', or 'all' while there are no groups; since is
-- the fact that showed it first, 0 if it was not seen; listed is what the operator says of it, as JSON, '' if nothing.
CREATE TABLE IF NOT EXISTS members (
    charger TEXT PRIMARY KEY,
    crowd   TEXT NOT NULL,
    version TEXT NOT NULL,
    since   INTEGER NOT NULL,
    listed  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS members_of_crowd ON members (crowd, charger);

-- The gate's criteria as they were loaded; the last one holds.
CREATE TABLE IF NOT EXISTS gates (
    id   INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,
    file TEXT NOT NULL,
    hash TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;

-- What people decided about groups; what is a word of row::Word, the whole is in body, as JSON.
CREATE TABLE IF NOT EXISTS decisions (
    id    INTEGER PRIMARY KEY,
    at    INTEGER NOT NULL,
    crowd TEXT NOT NULL,
    what  TEXT NOT NULL,
    body  TEXT NOT NULL
) STRICT;

-- What monitors counted, by hour (its beginning, µs), group and model. leg and detail are empty where there is none, bucket is -1
-- where nothing was measured.
CREATE TABLE IF NOT EXISTS monitors (
    hour    INTEGER NOT NULL,
    crowd   TEXT NOT NULL,
    model   TEXT NOT NULL,
    monitor TEXT NOT NULL,
    leg     TEXT NOT NULL,
    what    TEXT NOT NULL,
    detail  TEXT NOT NULL,
    bucket  INTEGER NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (hour, crowd, model, monitor, leg, what, detail, bucket)
) STRICT, WITHOUT ROWID;
