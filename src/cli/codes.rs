//! `evenkeel explain`: what each error code means and what to do about it, without a network.

use std::fmt::Write as _;

use clap::Args;

use super::error::{CliError, Exit};

/// Explains an error code such as CFG-007, or lists all of them.
#[derive(Debug, Args)]
pub struct Options {
    /// The code, as it stands in `error[...]`.
    code: Option<String>,
}

/// One error code. Codes are stable: a number is never used for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Such as `CFG-007`.
    pub code: &'static str,
    /// What is wrong, as a sentence.
    pub means: &'static str,
    /// What to do about it, as sentences.
    pub mend: &'static str,
}

const fn code(code: &'static str, means: &'static str, mend: &'static str) -> Code {
    Code { code, means, mend }
}

/// Every code, in alphabetical order.
pub const CODES: &[Code] = &[
    code(
        "BACK-001",
        "The records of a backend could not be recorded.",
        "The message says why. What could not be read from a backend is no such error: it is part of the result, and read again \
         next time.",
    ),
    code(
        "BACK-002",
        "A reader under `backends` holds a mistake.",
        "`reader` is \"ocpi\", \"ocpi-sink\", \"steve\", \"citrineos\" or \"files\"; each takes keys of its own, which `evenkeel init \
         --print` shows. Secrets are named by file or variable, never written.",
    ),
    code(
        "BACK-003",
        "A column map cannot be used.",
        "It is TOML: `kind`, `columns` with at least `id`, and `energy` with the unit where a column holds energy. The message \
         names file and line.",
    ),
    code(
        "BACK-004",
        "A secret of a reader under `backends` cannot be read.",
        "The file or environment variable that it names must exist for the user that the program runs as.",
    ),
    code(
        "BUN-001",
        "A bundle could not be written.",
        "Check the path that --out names, its permissions and the disk.",
    ),
    code(
        "BUN-002",
        "A finding has no bundle.",
        "Findings about what backends book cannot be replayed to a backend. Others may need more than the recording holds: an \
         identifier from before it, or a backend's memory. --target shrinks against a live backend that shows the finding.",
    ),
    code(
        "BUN-003",
        "The simulated backend that a bundle is proved against could not be started.",
        "It needs a free port of the loopback interface.",
    ),
    code(
        "BUN-004",
        "A bundle did not come out as it must when it was proved, and was not written.",
        "Played against a backend that answers as the candidate did it must diverge, and against one that answers as legacy did \
         it must be fixed. The message says what happened. Perhaps the finding rests on timing or on what came before the \
         recording.",
    ),
    code(
        "BUN-005",
        "The target that a bundle was to be shrunk against does not show the finding.",
        "It must be the candidate's build that showed it, and know the charger and its tags as the candidate did.",
    ),
    code(
        "CFG-001",
        "The configuration file cannot be read.",
        "Check the path and the file's permissions; it must be UTF-8. `evenkeel init` writes one to start from.",
    ),
    code(
        "CFG-002",
        "The configuration is not valid TOML, has an unknown or missing key, or a value of the wrong form.",
        "The message points at the place. Durations are text such as \"30s\", sizes such as \"64MiB\". `evenkeel init --print` \
         shows every key with its default.",
    ),
    code(
        "CFG-003",
        "A listening address is not an IP address with a port.",
        "Write \"0.0.0.0:9000\" or \"[::1]:9000\". Host names are not looked up, because they could mean another address tomorrow.",
    ),
    code(
        "CFG-004",
        "The base path does not start with a slash.",
        "`tap.base_path` is the part of the chargers' URL between host and identity, such as \"/ocpp\". Leave it out if there \
         is none.",
    ),
    code(
        "CFG-005",
        "`tap.authority` names neither backend.",
        "Write \"legacy\" or \"candidate\", or leave it out: chargers hear the legacy.",
    ),
    code(
        "CFG-006",
        "A file that the configuration names does not exist.",
        "Paths are relative to the configuration file, not to the working directory.",
    ),
    code(
        "CFG-007",
        "A backend's URL is not a WebSocket URL.",
        "Write ws:// or wss://, a host, and the path in front of the identity: \"ws://csms.internal:8080/ocpp\". The charger's \
         identity is appended.",
    ),
    code(
        "CFG-008",
        "A backend's URL holds a user name or password.",
        "A configuration file is no place for it. Use `user` and `password = { file = \"...\" }` or `{ env = \"...\" }` in the \
         backend's section.",
    ),
    code(
        "CFG-009",
        "A keepalive value is one that the kernel refuses.",
        "Times are whole seconds within the kernel's bounds, and at most 127 probes. The message names the bounds.",
    ),
    code(
        "CFG-010",
        "The file that `init` should write exists already.",
        "It is never overwritten. Name another file, or look at the template with `evenkeel init --print`.",
    ),
    code(
        "CFG-011",
        "The tap was given neither a configuration file nor all flags that it needs.",
        "Name a file, or give --listen, --legacy, --candidate and --recording.",
    ),
    code(
        "CFG-012",
        "The shadow plane was given settings that it cannot read.",
        "It is started by `evenkeel tap` and never by hand. If it was, the program file was replaced while the tap ran: restart \
         the tap.",
    ),
    code(
        "CFG-013",
        "The password for the shadow backend cannot be read.",
        "The file or environment variable that `password` names must exist for the user that the tap runs as.",
    ),
    code(
        "CFG-015",
        "The shadow plane's niceness is out of range.",
        "Write 0 to 19: 0 lets the shadow plane compete with the live plane, 15 is the default.",
    ),
    code(
        "CFG-016",
        "The authority's URL holds more than a path in front of the charger's identity.",
        "The authority gets what the charger sent, with host and base path replaced. A suffix, a prefix without slash or a \
         query is possible only in the shadow's URL.",
    ),
    code(
        "CFG-017",
        "The list of chargers cannot be read.",
        "`tap.allow_file` is text, one identity a line as the charger spells it in its URL; a line that begins with # is a \
         comment.",
    ),
    code(
        "CFG-018",
        "A file with a password or private key can be read by others than its owner.",
        "`chmod 600 FILE`, and let it belong to the user that the tap runs as.",
    ),
    code(
        "CFG-019",
        "A certificate or private key that the configuration names cannot be used.",
        "Both must be PEM, and the key without a passphrase. `cert` and `key` go together.",
    ),
    code(
        "CFG-020",
        "The file with single chargers' credentials has a mistake, or can be read by others than its owner.",
        "It is TOML, one line for each charger: CHARGER = \"PASSWORD\", or CHARGER = { user = \"USER\", password = \"PASSWORD\" }, or \
         CHARGER = { hex = \"0011\" } for the AuthorizationKey of OCPP 1.6, whose bytes are sent. `chmod 600` it.",
    ),
    code(
        "CFG-021",
        "It is not clear which certificates chargers must show.",
        "`client_ca` names the CAs that sign them; `client_auth` is \"require\" (the default) or \"request\", which lets chargers \
         without a certificate in.",
    ),
    code(
        "CFG-022",
        "`shadow.takeover` is neither \"mirror\" nor \"collapse\".",
        "With \"mirror\", the default, the shadow backend faces every connection that the authority faces; with \"collapse\" only \
         the newest of each charger.",
    ),
    code(
        "CFG-030",
        "A waiting time of the shadow leg is too long.",
        "`shadow.hold` must stay below ten seconds: backends give up waiting then, and block what the charger sends meanwhile. \
         `shadow.reuse` must stay below an hour.",
    ),
    code(
        "CFG-031",
        "`shadow.simulate` names an action that may not be simulated.",
        "The message lists those that may. Starting and stopping is not among them: a phantom session would falsify every bill \
         after it. Nor is what moves a charger or replaces its firmware.",
    ),
    code(
        "CFG-040",
        "The charger models cannot be read.",
        "`shadow.models` names a JSON file or a directory of `.json` files, relative to the configuration file.",
    ),
    code(
        "CFG-041",
        "A file of charger models is not in its form.",
        "The message points at the place. The form: {\"chargers\": {\"CP1\": {\"taken\": \"2026-11-01T09:00:00Z\", \
         \"configuration\": a 1.6 GetConfiguration answer, \"reports\": {\"FullInventory\": a list of 2.x NotifyReport \
         requests or of their reportData elements}}}}. Every key but \"chargers\" may be left out.",
    ),
    code(
        "CFG-050",
        "The file of `sessions.places` holds a mistake.",
        "The message names file and line. The form, as CSV: a first line `backend,place,charger,connector,time_zone`, then \
         `both,NL*ABC*E1,CP1,1,Europe/Berlin`; `backend` is legacy, candidate or both, `place` the EVSE's or location's identifier \
         there, and the last two may be empty. A file that ends in .toml has `[[place]]` with the same keys.",
    ),
    code(
        "CFG-060",
        "A group or wave is configured wrongly.",
        "`[group.NAME]` takes `chargers` (a list of identities), `match` (a list of patterns with * and ?), `rollback`, \
         `rollback_takes` and `rehearsed`; `[wave.NAME]` takes `date`, `groups`, `window`, `point_of_no_return`, `sign_off`, \
         `decision`, `deputy`, `rollback` and `communications`. A charger is in one group, a group in one wave.",
    ),
    code(
        "CFG-061",
        "The list of chargers cannot be used.",
        "`estate.chargers` is CSV with the head charger,group,site,criticality,customer,depends, of which only charger must be \
         there. Criticality is low, medium, high or critical; several dependencies have semicolons between them. A charger is \
         there once, and in one group.",
    ),
    code(
        "CLI-001",
        "There is no verb of this name.",
        "`evenkeel --help` lists the verbs.",
    ),
    code(
        "CLI-002",
        "There is no error code of this name.",
        "`evenkeel explain` lists all of them.",
    ),
    code(
        "CTL-001",
        "The running tap did not do what it was asked for.",
        "The message is the tap's own. Nothing was changed.",
    ),
    code(
        "CTL-002",
        "The running tap did not answer on its control socket.",
        "It may have done what it was asked for all the same: look before you ask again. A tap whose shadow plane is being \
         started again answers after a moment.",
    ),
    code(
        "CTL-003",
        "The recording's path is too long for a control socket.",
        "The system takes at most 107 bytes, `control.sock` included. Record in a directory with a shorter path.",
    ),
    code(
        "CUT-001",
        "A switch was asked for while the tap was starting.",
        "Ask again in a moment: the shadow plane must first hear from the live plane which connections there are.",
    ),
    code(
        "CUT-002",
        "No charger is left to be moved.",
        "Every charger that was named belongs to that backend already. Identities are the last path segment of the chargers' URLs.",
    ),
    code(
        "CUT-003",
        "The backend that chargers shall be moved to cannot be an authority.",
        "Its URL in the configuration may only put a path in front of the identity, as the legacy's does: chargers' own requests are \
         passed on to it.",
    ),
    code(
        "CUT-004",
        "After the switch the old authority could not be kept warm.",
        "The chargers log in, and the legs towards the old authority would have nothing to log in with. Give its section `password`, \
         `credentials` or `pass_credentials = true`, and start the tap again.",
    ),
    code(
        "CUT-005",
        "Another switch is under way.",
        "Wait until it is over, or roll it back.",
    ),
    code(
        "CUT-006",
        "A switch is refused because its steps could not be written down.",
        "The recorder is full, behind, or cannot write: see `evenkeel_recorder` metrics and the disk. A rollback is never refused for that.",
    ),
    code(
        "CUT-007",
        "Chargers belong to a backend that can no longer be an authority.",
        "The recording says that they were moved to it. Mend its section of the configuration, or roll them back with the old one first.",
    ),
    code(
        "CUT-008",
        "The recording cannot tell which backend each charger belongs to.",
        "The tap does not guess: two authorities for one charger would be worse than none. `evenkeel verify` says what is wrong with the \
         recording; with another `--recording` the tap begins anew, with every charger at `tap.authority`.",
    ),
    code(
        "CUT-009",
        "No tap runs on the recording that chargers shall be moved on.",
        "Chargers are moved by the tap that they are connected to. Start it, or name the recording that it writes.",
    ),
    code(
        "CUT-010",
        "The list of chargers is longer than a tap takes at once.",
        "Name a group, or `--all`, or move fewer at a time: a request may have 64 KiB.",
    ),
    code(
        "DEC-001",
        "A decision lacks its name or its reason.",
        "Whoever reads it later must know who and why: give --by and --reason. A reason for hold and roll-back may follow.",
    ),
    code(
        "DEC-002",
        "This may not be decided now, or not by this person.",
        "`go` needs a gate that says GO, and a sign-off of somebody else under the same criteria and rules. The wave may name the \
         roles that sign and decide. `hold` and `roll-back` are always possible.",
    ),
    code(
        "DEC-003",
        "An exception lacks something, or is over already.",
        "It names a criterion of the gate, an end, and how many failures it covers. It excuses failures, never missing evidence.",
    ),
    code(
        "DEC-004",
        "The name of the group was not typed.",
        "It guards against deciding about the wrong group. Scripts give --confirm GROUP.",
    ),
    code(
        "DEC-005",
        "The program that the decision ran has failed.",
        "The decision is recorded, and so is what the program said. Look at both before you run it again.",
    ),
    code(
        "DEMO-001",
        "The demo could not start its tap.",
        "The line before says why. The demo needs loopback sockets and a directory to record in.",
    ),
    code(
        "DEMO-002",
        "The demo could not start its simulated backends.",
        "It needs free ports on 127.0.0.1, chosen by the system.",
    ),
    code(
        "DEMO-003",
        "The directory that the demo should record in holds a recording already.",
        "Every demo is a recording of its own. Name a new directory, or remove the old one.",
    ),
    code(
        "DEMO-004",
        "The demo's configuration could not be written.",
        "It stands in `setup`, in the directory that the demo records in.",
    ),
    code(
        "DEMO-005",
        "The demo's cutover was not carried out.",
        "The line before says why. The rest of the demo went on, and its recording is whole.",
    ),
    code(
        "DIFF-001",
        "Nothing in the recording has the id that was to be explained.",
        "Give the id of a finding, as `evenkeel diffs` lists it, or the number of an exchange's or command's fact.",
    ),
    code(
        "ENV-001",
        "A file cannot be written.",
        "Check that its directory exists, is writable and has room.",
    ),
    code(
        "ENV-002",
        "The result cannot be written to stdout.",
        "Where stdout goes has no room or failed. A reader that ends early is no error.",
    ),
    code(
        "ENV-003",
        "Metrics and health cannot be served on this address.",
        "Another program listens there, or the address is not this machine's. Choose another `health.listen`, or leave it out.",
    ),
    code(
        "ENV-004",
        "The system gave no event loop.",
        "Usually no file descriptors are left: see `ulimit -n`.",
    ),
    code(
        "ENV-005",
        "Signals cannot be watched for.",
        "Usually no file descriptors are left: see `ulimit -n`.",
    ),
    code(
        "ENV-006",
        "The tap cannot find its own program file, which the shadow plane is started from.",
        "Is /proc mounted, and was the program removed while it started?",
    ),
    code(
        "ENV-007",
        "The tap cannot tie its life to the process that started it.",
        "The kernel or a sandbox forbids prctl(PR_SET_PDEATHSIG).",
    ),
    code(
        "ENV-008",
        "A temporary directory cannot be made.",
        "Judging by other rules needs room for another ledger in the directory for temporary files (TMPDIR).",
    ),
    code(
        "EXP-001",
        "An export cannot be written to its file.",
        "The directory must exist and be writable. The file appears under its name only when it is whole.",
    ),
    code(
        "EXP-002",
        "The program was built without Parquet.",
        "It is heavy, so it is left out unless asked for: `cargo build --release --features parquet`. DuckDB and others make Parquet \
         from CSV.",
    ),
    code(
        "FLT-001",
        "The text of `--filter` is no filter.",
        "The caret shows the place. Terms are `field:value`, side by side or with `or`, `not` and parentheses; the fields and their \
         operators are listed at the end of the verb's --help. Text with blanks goes into quotes.",
    ),
    code(
        "GATE-001",
        "A gate file holds a mistake.",
        "The message points at the place. `evenkeel init --gate --print` shows every key; shares are text such as \"1 %\", times \
         such as \"24h\" or \"30d\".",
    ),
    code(
        "GATE-002",
        "The gate file cannot be read.",
        "Check the path and the file's permissions; it must be UTF-8.",
    ),
    code(
        "GATE-003",
        "The recording has no group of this name.",
        "Groups are configured as `[group.NAME]` or named in the list of chargers, and recorded when the tap starts.",
    ),
    code(
        "GATE-004",
        "The gate cannot be looked at for this checkpoint.",
        "Exact bounds hold for looks that the gate file fixes beforehand as `checkpoints`, and only once they are reached.",
    ),
    code(
        "IMP-001",
        "A log cannot be read.",
        "Check the path and the file's permissions.",
    ),
    code(
        "IMP-002",
        "A file is no log in a form that can be imported, or it leaves something open.",
        "`evenkeel import --help` lists the forms. --format names one where the content does not tell, --charger the charger of \
         messages that name none.",
    ),
    code(
        "IMP-003",
        "A log is in the recording already.",
        "It is known by its SHA-256. --again imports it once more; then everything in it counts twice.",
    ),
    code(
        "IMP-004",
        "A log has lines that cannot be read, and --strict was given.",
        "The lines are listed above with their reasons. Without --strict the rest is imported, and what may be lost counts as a gap.",
    ),
    code(
        "IMP-005",
        "The recording has a log of the other backend about the same charger.",
        "Facts are judged in their order and never changed. Import both logs in one go: `evenkeel import FILE --shadow FILE --into \
         RECORDING`.",
    ),
    code(
        "IMP-006",
        "The imported facts cannot go there.",
        "Name a directory that does not exist, or for logs a recording.",
    ),
    code(
        "IMP-007",
        "A file of results cannot be read.",
        "It must be the results file of `evenkeel replay`, unchanged; `evenkeel schema results` says what is in it.",
    ),
    code(
        "LED-001",
        "The ledger cannot be read or written.",
        "ledger.db is derived: remove it and ask again, and it is rebuilt from facts.db.",
    ),
    code(
        "LED-002",
        "The facts could not be judged.",
        "The message says whether facts.db or ledger.db is to blame. ledger.db can be removed and is rebuilt; facts.db cannot.",
    ),
    code(
        "NET-001",
        "The tap cannot listen on an address.",
        "Another program, perhaps another tap, listens there (`ss -ltnp` tells), the address is not this machine's, or the port \
         is below 1024 and needs a privilege.",
    ),
    code(
        "NET-002",
        "The live plane cannot start.",
        "Either no address is configured, or the small shared file that counts frames cannot be made in the temporary directory.",
    ),
    code(
        "OUT-001",
        "A result cannot be written as JSON.",
        "This is a defect of the program: please report it with the recording's `verify` output.",
    ),
    code(
        "REC-001",
        "No recording was named.",
        "Give its directory as last argument or with --recording DIR.",
    ),
    code(
        "REC-002",
        "The directory is not a recording: it holds no facts.db.",
        "A recording is the directory that `evenkeel tap` or `evenkeel demo` was told to write.",
    ),
    code(
        "REC-003",
        "The recording cannot be opened, read or written.",
        "The message says why: another tap has it, the disk is full or read-only, it was made by another version, or it is not a \
         recording. Chargers are not affected; what is not recorded becomes a counted gap.",
    ),
    code(
        "REC-004",
        "A fact cannot be exported: its note is not JSON.",
        "facts.db was altered or damaged. `evenkeel verify` tells more; restore it from a copy.",
    ),
    code(
        "REC-005",
        "A block of packed facts is damaged.",
        "Old facts lie in blocks with a checksum, and that of this one is wrong: facts.db was altered, or the disk lost a part of it. \
         Restore it from a copy.",
    ),
    code(
        "RPL-001",
        "A target is no URL of a backend.",
        "Write ws://HOST[:PORT]/PATH or wss://HOST[:PORT]/PATH. Credentials do not belong into it: --user and --password-file.",
    ),
    code(
        "RPL-002",
        "The password for a target cannot be read.",
        "The file must be readable for its owner alone; the environment variable must be set.",
    ),
    code(
        "RPL-003",
        "The certificates for a target cannot be used.",
        "--ca names a file of certificates in PEM form.",
    ),
    code(
        "RPL-004",
        "There is no bundle to replay.",
        "Name files, or a directory that holds files ending with .bundle.json; `evenkeel bundle` writes them.",
    ),
    code(
        "RPL-005",
        "A file is no bundle, or of a later version of this program.",
        "The message says what is wrong with it. `evenkeel schema bundle` prints the form.",
    ),
    code(
        "RPL-006",
        "The results of a replay could not be written.",
        "Check the path that --results names, its permissions and the disk.",
    ),
    code(
        "RPL-007",
        "Options do not fit what is replayed.",
        "Bundles have one target. A recording is played alone, against one target or two; --filter, --copies, --storm, --into and \
         --resume are for recordings.",
    ),
    code(
        "RPL-008",
        "There is nothing in a recording to replay.",
        "No charger that the filter names has sent a CALL. `evenkeel estate` lists the chargers of a recording.",
    ),
    code(
        "RPL-009",
        "A target let no charger in.",
        "It must be up and know the chargers; the counts say whether it refused them or was not reached. --user and --password-file \
         log in, --subprotocol offers another version.",
    ),
    code(
        "RPL-010",
        "A file that says how far a replay was does not fit.",
        "--resume goes on with the same recording, filter, copies and targets. Remove the file to begin anew.",
    ),
    code(
        "RPL-011",
        "The recording that a replay shall write is there already.",
        "Name a new directory with --into, or the file of the interrupted run with --resume.",
    ),
    code(
        "RPT-001",
        "Something that must not leave stands in the report.",
        "Every value of the recording that is not kept by the list of members is looked for in every byte before a report is written, \
         and nothing is written if one is found. Reasons, notes and rules are shown as people wrote them: name no tag and no charger \
         there.",
    ),
    code(
        "RPT-002",
        "A key for reports cannot be used.",
        "The key of pseudonyms is 64 hexadecimal digits and is made when its file is not there. Keys that sign are Ed25519 in PEM \
         form: `openssl genpkey -algorithm ed25519 -out FILE`, and `openssl pkey -in FILE -pubout` for who checks.",
    ),
    code(
        "RPT-003",
        "A key file cannot be read or made.",
        "The message says why. It must be readable for you, and its directory writable if it is not there yet.",
    ),
    code(
        "RPT-004",
        "A report cannot be made.",
        "The message says why. Reports take little memory; if this persists, it is a mistake in the program.",
    ),
    code(
        "RPT-005",
        "A report cannot be checked.",
        "It must be a whole archive as `evenkeel report` wrote it, readable for you.",
    ),
    code(
        "RPT-006",
        "A report was interrupted.",
        "Nothing was written. With --no-bundles it takes less time.",
    ),
    code(
        "RPT-007",
        "An earlier report cannot be compared with.",
        "--since takes the archive of a report, not one byte of it altered: `evenkeel verify ARCHIVE` says what is wrong with it. What \
         a later version of this program wrote may not be readable.",
    ),
    code(
        "RPT-008",
        "What shall be signed carries no signature.",
        "Only archives of `evenkeel report --sign KEY` do. Check a bundle, exported notes or a recording without --signed-by, or the \
         archive that a bundle came in with it.",
    ),
    code(
        "RULE-001",
        "A rule file cannot be read.",
        "`rules.files` is relative to the configuration file; the file must be UTF-8.",
    ),
    code(
        "RULE-002",
        "A rule file holds a mistake.",
        "The message gives line, column and what to write. The built-in rules are written in the same form.",
    ),
    code(
        "RULE-003",
        "What a recording says about sessions cannot be read.",
        "Each start of a tap keeps what `[sessions]` says as a fact. This one is damaged, or from a newer program.",
    ),
    code(
        "SCN-001",
        "A scenario file holds a mistake.",
        "The message names file and line and points at the place. `evenkeel schema scenario` says what each key takes, and \
         scenarios/README.md explains how they are written.",
    ),
    code(
        "SCN-002",
        "No scenario was chosen.",
        "Scenarios are files that end with .toml. `evenkeel scenario PATH --list` says which there are, and which tags they have.",
    ),
    code(
        "SCN-003",
        "A scenario file cannot be read.",
        "Check the path and its permissions.",
    ),
    code(
        "SCN-004",
        "The results of scenarios could not be written.",
        "Check the path that --junit names, its permissions and the disk.",
    ),
    code(
        "SCN-005",
        "The directory that scenarios shall be recorded in holds a recording.",
        "Name a new directory, or remove the old recording.",
    ),
    code(
        "SCN-006",
        "Scenarios that are played to one backend leave no recording.",
        "A recording is what a tap saw between a charger and two backends: give --legacy and --candidate, or neither.",
    ),
    code(
        "SCN-007",
        "The stage of the scenarios could not be built.",
        "They need free ports on 127.0.0.1 and a directory to record in. The message says what was missing; a line of the tap before it \
         may say more.",
    ),
    code(
        "SCN-008",
        "A value was given for a variable that no scenario has.",
        "Names stand under `[variables]` in the files; check the spelling of `--set`.",
    ),
    code(
        "TAP-001",
        "The shadow plane cannot go on.",
        "The message says why. The tap starts another one; chargers are not affected, and what was missed is a counted gap.",
    ),
    code(
        "TAP-002",
        "The shadow plane was started without a hand-over socket.",
        "It is started by `evenkeel tap`, not by hand.",
    ),
    code(
        "TLS-001",
        "The tap's certificate or key cannot be used.",
        "Both files must be PEM. The certificate file begins with the tap's own certificate, followed by intermediate ones; the \
         key belongs to the first.",
    ),
    code(
        "TLS-002",
        "TLS towards the shadow backend cannot be set up.",
        "`ca` must be a PEM file with at least one certificate; without it the system's certificates are used and must exist.",
    ),
    code(
        "TRI-001",
        "The recording has no finding of this id.",
        "`evenkeel diffs RECORDING` lists its findings. A finding has the same id in every recording that shows it.",
    ),
    code(
        "TRI-002",
        "An acceptance lacks its owner, its reason or its end.",
        "Give --owner, --reason and --until: what nobody answers for, or what never ends, is forgotten.",
    ),
    code(
        "TRI-003",
        "The end of an acceptance is no date, or is over already.",
        "Write a date in UTC such as 2027-01-31, or a time such as 2027-01-31T18:00:00Z.",
    ),
    code(
        "TRI-004",
        "A note cannot be written while another program writes into the recording.",
        "A recording has one writer, and only a tap takes notes from others. Wait until the import or the packing has ended.",
    ),
    code(
        "TRI-005",
        "The chain of human notes in the recording is broken.",
        "A note was altered or removed. `evenkeel verify` says where; notes go into a copy that is whole.",
    ),
    code(
        "TUI-001",
        "The dashboard cannot use the terminal.",
        "The message says what the terminal refused. `evenkeel watch --lines` prints the same as sentences and needs nothing of it.",
    ),
    code(
        "TUI-002",
        "Nothing of the recording has been judged yet.",
        "The ledger appears with the first judged fact. Wait for a charger to connect, or look at the tap's log.",
    ),
    code(
        "TUI-003",
        "The dashboard has a fault: one of its threads panicked.",
        "The tap and the recording are not touched by it. The log that the message names says where; start the dashboard again.",
    ),
];

/// Runs the verb.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let text = match &options.code {
        None => list(),
        Some(asked) => explained(asked)?,
    };
    super::say(&text)?;
    Ok(Exit::Parity)
}

fn list() -> String {
    CODES.iter().fold(String::new(), |mut text, code| {
        let _ = writeln!(text, "{:<8}  {}", code.code, code.means);
        text
    })
}

fn explained(asked: &str) -> Result<String, CliError> {
    let wanted = |code: &&Code| code.code.eq_ignore_ascii_case(asked);
    let Some(code) = CODES.iter().find(wanted) else {
        return Err(
            CliError::new(Exit::Usage, "CLI-002", format!("no error code {asked:?}"))
                .help("`evenkeel explain` lists all of them"),
        );
    };
    Ok(format!("{}\n{}\n{}\n", code.code, code.means, code.mend))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// String literals of the form `ABC-123` in the source files below `folder`, this file left out.
    fn used(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                used(&path, found);
            } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with(file!()) {
                let text = fs::read_to_string(&path).unwrap();
                let codes = text.split('"').filter(|literal| is_code(literal));
                found.extend(codes.map(str::to_owned));
            }
        }
    }

    fn is_code(text: &str) -> bool {
        text.split_once('-').is_some_and(|(area, number)| {
            (2..=4).contains(&area.len())
                && area.bytes().all(|byte| byte.is_ascii_uppercase())
                && number.len() == 3
                && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    }

    #[test]
    fn every_code_is_explained_and_every_explanation_needed() {
        let mut found = BTreeSet::new();
        used(
            Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli.rs"))
                .parent()
                .unwrap(),
            &mut found,
        );
        // Used here alone.
        found.insert("CLI-002".to_owned());
        let explained: Vec<&str> = CODES.iter().map(|code| code.code).collect();
        assert_eq!(explained, found.iter().collect::<Vec<_>>());
    }

    #[test]
    fn explanations_are_whole_sentences() {
        for code in CODES {
            for text in [code.means, code.mend] {
                assert!(
                    text.ends_with(['.', '?']) && !text.contains("  "),
                    "{code:?}"
                );
            }
        }
        assert!(
            explained("cfg-007")
                .unwrap()
                .starts_with("CFG-007\nA backend's URL")
        );
        assert_eq!(explained("CFG-999").unwrap_err().code, "CLI-002");
    }
}
