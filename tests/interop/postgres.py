#!/usr/bin/env python3
"""CitrineOS's database, as far as the reader needs it, in a real PostgreSQL: are transactions read once, whole, and without
the right to write?

Makes a throw-away cluster on loopback with tables of CitrineOS's shape, as two releases have them, and a role that may only
read; runs the reader; looks at the facts; removes everything. Needs PostgreSQL's server programs (Debian: postgresql); says
so and exits 77 where they are missing and cannot be installed.

    EVENKEEL=target/release/evenkeel python3 tests/interop/postgres.py
"""

import glob
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile

EVENKEEL = os.environ.get("EVENKEEL", "target/release/evenkeel")
PASSWORD = "only-for-reading"

# The release in which stations became numbers, with the OCPP identity beside them, and tokens part of authorisations.
NEW = """
CREATE TABLE "Transactions" ("id" serial PRIMARY KEY, "stationId" integer, "ocppConnectionName" varchar(255),
  "transactionId" varchar(255), "isActive" boolean, "evseId" integer, "connectorId" integer, "authorizationId" integer,
  "tariffId" integer, "chargingState" varchar(255), "totalKwh" numeric, "totalCost" numeric, "stoppedReason" varchar(255),
  "startTime" timestamptz, "endTime" timestamptz, "createdAt" timestamptz, "updatedAt" timestamptz);
CREATE TABLE "StartTransactions" ("id" serial PRIMARY KEY, "transactionDatabaseId" integer UNIQUE, "meterStart" integer,
  "timestamp" timestamptz);
CREATE TABLE "StopTransactions" ("id" serial PRIMARY KEY, "transactionDatabaseId" integer UNIQUE, "meterStop" integer,
  "timestamp" timestamptz, "reason" varchar(255));
CREATE TABLE "TransactionEvents" ("id" serial PRIMARY KEY, "transactionDatabaseId" integer, "eventType" varchar(255),
  "seqNo" integer, "timestamp" timestamptz, "idTokenValue" varchar(255), "idTokenType" varchar(255));
CREATE TABLE "Authorizations" ("id" serial PRIMARY KEY, "idToken" varchar(255), "idTokenType" varchar(255));
CREATE TABLE "Tariffs" ("id" serial PRIMARY KEY, "currency" varchar(3), "pricePerKwh" numeric);
CREATE TABLE "Evses" ("id" serial PRIMARY KEY, "evseTypeId" integer);
CREATE TABLE "Connectors" ("id" serial PRIMARY KEY, "connectorId" integer);
INSERT INTO "Authorizations" VALUES (1, '04AABB', 'ISO14443');
INSERT INTO "Tariffs" VALUES (1, 'EUR', 0.42);
INSERT INTO "Evses" VALUES (70, 1);
INSERT INTO "Connectors" VALUES (80, 2);
INSERT INTO "Transactions" SELECT n, 9, 'CP' || n, n::text, false, 70, 80, 1, 1, NULL, 2.5005, 1.07, 'Local', NULL, NULL,
  now(), timestamptz '2026-03-01 10:00:00.123456+00' + n * interval '1 second' FROM generate_series(1, 1203) n;
UPDATE "Transactions" SET "updatedAt" = '2026-03-01 09:00:00+00' WHERE "id" <= 700;
INSERT INTO "StartTransactions" VALUES (1, 1, 1000, '2026-03-01 08:00:00+00');
INSERT INTO "StopTransactions" VALUES (1, 1, 3500, '2026-03-01 09:00:00+00', 'Local');
INSERT INTO "TransactionEvents" VALUES (2, 2, 'Ended', 7, '2026-03-01 09:30:00+00', NULL, NULL),
  (1, 2, 'Started', 0, '2026-03-01 08:30:00+00', '04AABB', 'ISO14443');
"""

# An earlier release: stations by name, tokens in a table of their own, no events.
OLD = """
CREATE SCHEMA old;
CREATE TABLE old."Transactions" ("id" serial PRIMARY KEY, "stationId" varchar(255), "transactionId" varchar(255),
  "isActive" boolean, "evseDatabaseId" integer, "totalKwh" numeric, "createdAt" timestamptz, "updatedAt" timestamptz);
CREATE TABLE old."StartTransactions" ("id" serial PRIMARY KEY, "transactionDatabaseId" integer, "idTokenDatabaseId" integer,
  "meterStart" integer, "timestamp" timestamptz);
CREATE TABLE old."IdTokens" ("id" serial PRIMARY KEY, "idToken" varchar(255));
INSERT INTO old."IdTokens" VALUES (5, 'OLDTAG');
INSERT INTO old."Transactions" VALUES (1, 'CP-OLD', '77', true, NULL, 0.5, now(), '2026-03-01 10:00:00+00');
INSERT INTO old."StartTransactions" VALUES (1, 1, 5, 1000, '2026-03-01 09:00:00+00');
CREATE SCHEMA other;
CREATE TABLE other."Transactions" ("id" serial PRIMARY KEY);
"""

ROLE = f"""
CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}';
GRANT USAGE ON SCHEMA public, old, other TO reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public, old, other TO reader;
"""


def skip(why):
    print(f"skipped: {why}", file=sys.stderr)
    raise SystemExit(77)


def find_programs():
    def found():
        return sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))

    if not found() and shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-q"], check=False, stdout=subprocess.DEVNULL)
        install = ["apt-get", "install", "-qy", "--no-install-recommends", "postgresql"]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(install, check=False, stdout=subprocess.DEVNULL, env=environment)
    if not found():
        skip("no PostgreSQL server on this machine, and none can be installed")
    return found()[-1]


class Cluster:
    """A database cluster of its own on loopback."""

    def __init__(self, programs, scratch):
        self.programs, self.data = programs, os.path.join(scratch, "data")
        self.owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        os.chown(scratch, self.owner.pw_uid, self.owner.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.run("initdb", "-D", self.data, "-A", "scram-sha-256", "-U", "owner", "--pwfile", self.secret(scratch))
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -k {scratch} -c fsync=off"
        self.run("pg_ctl", "-D", self.data, "-w", "-l", os.path.join(scratch, "log"), "-o", options, "start")

    def secret(self, scratch):
        path = os.path.join(scratch, "owner")
        with open(path, "w") as file:
            file.write("owner\n")
        os.chmod(path, 0o644)
        return path

    def run(self, program, *args, **more):
        user = {"user": self.owner.pw_uid, "group": self.owner.pw_gid} if os.geteuid() == 0 else {}
        command = [os.path.join(self.programs, program), *args]
        return subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", **user, **more)

    def sql(self, text):
        environment = {**os.environ, "PGPASSWORD": "owner"}
        place = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "owner", "-d", "postgres"]
        self.run("psql", *place, "-q", "-v", "ON_ERROR_STOP=1", "-c", text, env=environment)

    def stop(self):
        self.run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")


def read(cluster, scratch, schema="public", password=PASSWORD):
    """Runs the reader once: its exit code, its passes, its talk, and the recording."""
    recording = os.path.join(scratch, f"recording-{schema}")
    config = os.path.join(scratch, "evenkeel.toml")
    with open(config, "w") as file:
        file.write(
            '[tap]\nlisten = "127.0.0.1:0"\nrecording = "unused"\n'
            '[legacy]\nurl = "ws://127.0.0.1:1"\n[candidate]\nurl = "ws://127.0.0.1:1"\n'
            f'[[backends.candidate]]\nreader = "citrineos"\nhost = "127.0.0.1"\nport = {cluster.port}\n'
            f'database = "postgres"\nschema = "{schema}"\nuser = "reader"\npassword = {{ env = "READER" }}\n'
            'tls = false\npace = "1ms"\n'
        )
    environment = {**os.environ, "READER": password}
    command = [EVENKEEL, "read-backends", recording, "--config", config]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    return done.returncode, [json.loads(line)["sweep"] for line in done.stdout.splitlines()], done.stderr, recording


def records(recording):
    """The bodies of all recorded records."""
    export = [EVENKEEL, "export", "facts", recording]
    lines = subprocess.run(export, check=True, capture_output=True, text=True).stdout
    assert PASSWORD not in lines
    facts = [json.loads(line) for line in lines.splitlines()]
    return [json.loads(fact["body"]) for fact in facts if fact["kind"] == "backend-record"]


def check_new(cluster, scratch):
    code, sweeps, talk, recording = read(cluster, scratch)
    assert (code, sweeps[0]["seen"], sweeps[0]["recorded"]) == (0, 1203, 1203), (code, sweeps, talk)
    # Many have changed in the same instant: pages lose none of them.
    found = {record["id"]: record for record in records(recording)}
    assert sorted(found) == list(range(1, 1204))
    first, second = found[1], found[2]
    assert first["start"]["meterStart"] == 1000 and first["stop"]["meterStop"] == 3500, first
    assert (first["idToken"], first["currency"], first["evse"], first["connector"]) == ("04AABB", "EUR", 1, 2), first
    assert (second["started"]["seqNo"], second["ended"]["seqNo"]) == (0, 7), second
    cluster.sql("""UPDATE "Transactions" SET "totalKwh" = 3, "updatedAt" = '2026-03-02 00:00:00+00' WHERE "id" = 5""")
    code, sweeps, talk, _ = read(cluster, scratch)
    assert (code, sweeps[0]["recorded"]) == (0, 1), (code, sweeps, talk)
    assert sweeps[0]["seen"] < 1203, sweeps


def check_old(cluster, scratch):
    code, sweeps, talk, recording = read(cluster, scratch, "old")
    assert (code, sweeps[0]["recorded"]) == (0, 1), (code, sweeps, talk)
    [record] = records(recording)
    assert (record["stationId"], record["idToken"]) == ("CP-OLD", "OLDTAG"), record


def check_refusals(cluster, scratch):
    for schema, password, wanted in [
        ("other", PASSWORD, 'has no column "transactionId"'),
        ("nowhere", PASSWORD, 'no table "nowhere"."Transactions"'),
        ("public", "wrong", "password authentication failed"),
    ]:
        code, sweeps, talk, _ = read(cluster, scratch, schema, password)
        assert code == 4 and wanted in sweeps[0]["broken"], (code, sweeps, talk)
        assert "wrong" not in talk


def main():
    programs = find_programs()
    with tempfile.TemporaryDirectory() as scratch:
        os.makedirs(place := os.path.join(scratch, "cluster"))
        os.chmod(scratch, 0o755)
        cluster = Cluster(programs, place)
        try:
            cluster.sql(NEW + OLD + ROLE)
            check_new(cluster, scratch)
            check_old(cluster, scratch)
            check_refusals(cluster, scratch)
        finally:
            cluster.stop()
    print("CitrineOS's database is read once, whole and read-only")


main()
