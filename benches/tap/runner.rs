//! Rounds of direct, relay, nginx and tap, and the ratios between them.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::machine::{self, Process};
use crate::{Failure, number};

const LEGACY: u16 = 19_001;
const CANDIDATE: u16 = 19_002;
const BOX: u16 = 19_003;

/// What stands between fleet and stub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rig {
    Direct,
    Relay,
    Nginx,
    Tap,
    /// A tap whose shadow plane competes with its live plane on equal terms.
    Even,
}

/// What one run of one rig gave.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us: f64,
    mirrored: f64,
    mirrored_later: f64,
    connect_us: f64,
}

/// One load on one placement of processes.
struct Scenario {
    name: &'static str,
    what: &'static str,
    chargers: u64,
    millis: u64,
    rate: u64,
    box_core: usize,
    candidate_core: usize,
    rigs: &'static [Rig],
}

const S1: Scenario = Scenario {
    name: "S1",
    what: "latency: 1 charger, everything but the candidate on one core",
    chargers: 1,
    millis: 2_000,
    rate: 0,
    box_core: 0,
    candidate_core: 1,
    rigs: &[Rig::Direct, Rig::Relay, Rig::Nginx, Rig::Tap],
};
const S2: Scenario = Scenario {
    name: "S2",
    what: "throughput: 64 chargers, the box alone on core 1",
    chargers: 64,
    millis: 1_500,
    rate: 0,
    box_core: 1,
    candidate_core: 0,
    rigs: &[Rig::Direct, Rig::Relay, Rig::Nginx, Rig::Tap, Rig::Even],
};
const S3: Scenario = Scenario {
    name: "S3",
    what: "steady: 1,000 chargers, 10,000 exchanges/s",
    chargers: 1_000,
    millis: 2_000,
    rate: 10_000,
    box_core: 1,
    candidate_core: 0,
    rigs: &[Rig::Relay, Rig::Tap],
};

/// Runs the scenarios named in `args`, or all.
pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let rounds = number(args, "--rounds", 5)?;
    let named = |name: &str| {
        let any = args.iter().any(|arg| arg.starts_with('S'));
        !any || args.iter().any(|arg| arg == name)
    };
    println!(
        "scheduling: {}",
        if machine::realtime() {
            "real-time round-robin"
        } else {
            "normal"
        }
    );
    for scenario in [S1, S2, S3] {
        if named(scenario.name) {
            compare(&scenario, rounds)?;
        }
    }
    if named("S4") {
        memory(number(args, "--chargers", 2_000)?)?;
    }
    if named("S5") {
        sick_candidate(rounds)?;
    }
    // Ten minutes are too long to come unasked.
    if args.iter().any(|arg| arg == "S7") {
        soak(number(args, "--minutes", 10)?)?;
    }
    Ok(())
}

fn compare(scenario: &Scenario, rounds: u64) -> Result<(), Failure> {
    println!("\n{} {}", scenario.name, scenario.what);
    let mut all: BTreeMap<Rig, Vec<Figures>> = BTreeMap::new();
    for round in 0..rounds {
        let mut rigs: Vec<Rig> = scenario
            .rigs
            .iter()
            .copied()
            .filter(|rig| *rig != Rig::Nginx || nginx().is_some())
            .collect();
        let turn = round as usize % rigs.len();
        rigs.rotate_left(turn);
        for rig in rigs {
            all.entry(rig)
                .or_default()
                .push(measure(scenario, rig, "healthy")?);
        }
    }
    for (rig, figures) in &all {
        println!(
            "  {rig:<7?} {:>8.0}/s  p50 {:>7.1} us  p99 {:>8.1} us  cpu {:>5.1} us/exchange  mirrored {:>5.1} %, 1 s later {:>5.1} %  \
             connect {:>6.0} us",
            median(figures, |f| f.per_second),
            median(figures, |f| f.p50_us),
            median(figures, |f| f.p99_us),
            median(figures, |f| f.cpu_us),
            median(figures, |f| f.mirrored) * 100.0,
            median(figures, |f| f.mirrored_later) * 100.0,
            median(figures, |f| f.connect_us),
        );
    }
    let ratio = |of: fn(&Figures) -> f64, base: Rig| {
        let (tap, base) = (&all[&Rig::Tap], &all[&base]);
        let mut ratios: Vec<f64> = tap.iter().zip(base).map(|(t, b)| of(t) / of(b)).collect();
        middle(&mut ratios)
    };
    if let Some(direct) = all.get(&Rig::Direct) {
        let mut added: Vec<f64> = direct
            .iter()
            .zip(&all[&Rig::Relay])
            .zip(&all[&Rig::Tap])
            .map(|((d, r), t)| (t.p50_us - d.p50_us) / (r.p50_us - d.p50_us))
            .collect();
        println!("  added p50, tap over relay: {:.2}", middle(&mut added));
        let spread = direct.iter().map(|f| f.p50_us);
        let (low, high) = spread.fold((f64::MAX, 0f64), |(l, h), v| (l.min(v), h.max(v)));
        if high / low > 1.15 {
            println!(
                "  inconclusive: direct's own p50 spread over the rounds is {:.0} %",
                (high / low - 1.0) * 100.0
            );
        }
    }
    println!(
        "  tap over relay: p99 {:.2}, throughput {:.2}, cpu {:.2}, connect {:.2}",
        ratio(|f| f.p99_us, Rig::Relay),
        ratio(|f| f.per_second, Rig::Relay),
        ratio(|f| f.cpu_us, Rig::Relay),
        ratio(|f| f.connect_us, Rig::Relay),
    );
    if all.contains_key(&Rig::Nginx) {
        println!(
            "  tap over nginx: throughput {:.2}",
            ratio(|f| f.per_second, Rig::Nginx)
        );
    }
    Ok(())
}

/// S5: what a sick candidate does to the live path.
fn sick_candidate(rounds: u64) -> Result<(), Failure> {
    println!("\nS5 sick candidate: the live figures against a healthy one in the same round");
    for scenario in [&S1, &S2] {
        let mut all: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
        for _ in 0..rounds {
            let healthy = measure(scenario, Rig::Tap, "healthy")?;
            for mood in ["absent", "silent", "closing", "slow"] {
                let sick = measure(scenario, Rig::Tap, mood)?;
                all.entry(mood).or_default().push((
                    sick.p50_us / healthy.p50_us,
                    sick.per_second / healthy.per_second,
                ));
            }
        }
        for (mood, ratios) in all {
            let mut p50: Vec<f64> = ratios.iter().map(|r| r.0).collect();
            let mut throughput: Vec<f64> = ratios.iter().map(|r| r.1).collect();
            println!(
                "  {} {mood:<8} p50 x {:.2}  throughput x {:.2}",
                scenario.name,
                middle(&mut p50),
                middle(&mut throughput)
            );
        }
    }
    Ok(())
}

/// S4: resident memory of idle chargers that sent one frame each, and what the tap burns while nothing happens.
fn memory(chargers: u64) -> Result<(), Failure> {
    println!("\nS4 memory: {chargers} idle chargers, one frame each, every shadow leg attached");
    for rig in [Rig::Relay, Rig::Tap] {
        let _stubs = stubs("healthy", 0)?;
        let middle = start(rig, 1)?;
        wait_for(BOX)?;
        let before = rss_kib(&middle);
        let chargers_text = chargers.to_string();
        let fleet = Process::start(
            Some(0),
            &role(&[
                "fleet",
                "--port",
                &BOX.to_string(),
                "--chargers",
                &chargers_text,
                "--hold",
                "150000",
            ]),
        )?;
        settle(rig, chargers)?;
        let (cpu, from) = (machine::cpu_us(&middle.family()), Instant::now());
        std::thread::sleep(Duration::from_secs(10));
        let idle = (machine::cpu_us(&middle.family()) - cpu) / from.elapsed().as_micros() as f64;
        let after = rss_kib(&middle);
        let each: Vec<String> = before
            .iter()
            .zip(&after)
            .map(|(before, after)| format!("{:.2}", (after - before) / chargers as f64))
            .collect();
        let (before, after): (f64, f64) = (before.iter().sum(), after.iter().sum());
        println!(
            "  {rig:<6?} {:>6.2} KiB per charger (by process {}), {before:.0} KiB before; idle CPU {:.2} % of a core",
            (after - before) / chargers as f64,
            each.join(" + "),
            idle * 100.0,
        );
        drop(fleet);
    }
    Ok(())
}

/// S7: resident memory under a steady load, minute by minute. The first minute warms up; what counts is the slope after it.
fn soak(minutes: u64) -> Result<(), Failure> {
    const RATE: u64 = 2_000;
    println!("\nS7 soak: 1,000 chargers, {RATE} exchanges/s, {minutes} min after one to warm up");
    let _stubs = stubs("healthy", 0)?;
    let middle = start(Rig::Tap, 1)?;
    wait_for(BOX)?;
    let millis = (minutes + 1) * 60_000;
    let fleet = Process::start(
        Some(0),
        &role(&[
            "fleet",
            "--port",
            &BOX.to_string(),
            "--chargers",
            "1000",
            "--rate",
            &RATE.to_string(),
            "--millis",
            &millis.to_string(),
        ]),
    )?;
    let mut warm = (0.0, 0.0);
    for minute in 1..=minutes {
        std::thread::sleep(Duration::from_mins(1));
        let (each, exchanges) = (rss_kib(&middle), count(LEGACY)?);
        let rss: f64 = each.iter().sum();
        let each: Vec<String> = each
            .iter()
            .map(|kib| format!("{:.0}", kib / 1024.0))
            .collect();
        if minute == 1 {
            warm = (rss, exchanges);
        }
        println!(
            "  minute {minute:>2}  {exchanges:>9.0} exchanges  {} MiB by process  {:+.1} % since minute 1, {:+.1} bytes per exchange",
            each.join(" + "),
            (rss / warm.0 - 1.0) * 100.0,
            (rss - warm.0) * 1024.0 / (exchanges - warm.1).max(1.0),
        );
    }
    fleet.output()?;
    Ok(())
}

/// Resident memory of each process of a family, parent first, KiB.
fn rss_kib(middle: &Process) -> Vec<f64> {
    let family = middle.family().into_iter();
    family.map(|pid| machine::rss_kib(&[pid])).collect()
}

/// Waits until every charger has sent its frame, and, behind a tap, until the candidate has it too.
fn settle(rig: Rig, chargers: u64) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_mins(2);
    let port = if rig == Rig::Tap { CANDIDATE } else { LEGACY };
    while count(port)? < chargers as f64 {
        if Instant::now() > deadline {
            return Err(format!(
                "only {} of {chargers} frames arrived on port {port}",
                count(port)?
            )
            .into());
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    std::thread::sleep(Duration::from_secs(3));
    Ok(())
}

fn measure(scenario: &Scenario, rig: Rig, mood: &str) -> Result<Figures, Failure> {
    let _stubs = stubs(mood, scenario.candidate_core)?;
    let middle = (rig != Rig::Direct)
        .then(|| start(rig, scenario.box_core))
        .transpose()?;
    let port = if rig == Rig::Direct { LEGACY } else { BOX };
    wait_for(port)?;
    let family = middle.as_ref().map(Process::family).unwrap_or_default();
    let cpu = machine::cpu_us(&family);
    let fleet = Process::start(
        Some(0),
        &role(&[
            "fleet",
            "--port",
            &port.to_string(),
            "--chargers",
            &scenario.chargers.to_string(),
            "--millis",
            &scenario.millis.to_string(),
            "--rate",
            &scenario.rate.to_string(),
        ]),
    )?;
    let text = fleet.output()?;
    let cpu = machine::cpu_us(&family) - cpu;
    let line = text.lines().last().ok_or("the fleet said nothing")?;
    let numbers: Vec<f64> = line.split(' ').filter_map(|n| n.parse().ok()).collect();
    let [exchanges, p50_us, p99_us, elapsed_us, connect_us] = numbers[..] else {
        return Err(format!("the fleet said {line:?}").into());
    };
    let (mut mirrored, mut mirrored_later) = (0.0, 0.0);
    if matches!(rig, Rig::Tap | Rig::Even) && mood == "healthy" {
        mirrored = count(CANDIDATE)? / exchanges;
        std::thread::sleep(Duration::from_secs(1));
        mirrored_later = count(CANDIDATE)? / exchanges;
    }
    Ok(Figures {
        per_second: exchanges / elapsed_us * 1e6,
        p50_us,
        p99_us,
        cpu_us: cpu / exchanges,
        mirrored,
        mirrored_later,
        connect_us: connect_us / scenario.chargers as f64,
    })
}

/// The two stub CSMSs. `absent` starts no candidate at all.
fn stubs(mood: &str, candidate_core: usize) -> Result<Vec<Process>, Failure> {
    let mut stubs = vec![Process::start(
        Some(0),
        &role(&["stub", "--port", &LEGACY.to_string()]),
    )?];
    wait_for(LEGACY)?;
    if mood != "absent" {
        stubs.push(Process::start(
            Some(candidate_core),
            &role(&[
                "stub",
                "--port",
                &CANDIDATE.to_string(),
                "--dialect",
                "b",
                "--mood",
                mood,
            ]),
        )?);
        wait_for(CANDIDATE)?;
    }
    Ok(stubs)
}

fn start(rig: Rig, core: usize) -> Result<Process, Failure> {
    let command = match rig {
        Rig::Direct => return Err("direct has no box".into()),
        Rig::Relay => role(&[
            "relay",
            "--port",
            &BOX.to_string(),
            "--to",
            &LEGACY.to_string(),
        ]),
        Rig::Nginx => nginx().ok_or("no nginx")?,
        Rig::Tap => tap(15)?,
        Rig::Even => return Process::start_even(Some(core), &tap(0)?),
    };
    Process::start(Some(core), &command)
}

fn tap(niceness: u8) -> Result<Vec<String>, Failure> {
    let folder = folder("tap");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("evenkeel.toml");
    std::fs::write(
        &file,
        format!(
            "[tap]\nlisten = \"127.0.0.1:{BOX}\"\nrecording = \"recording\"\n[legacy]\nurl = \"ws://127.0.0.1:{LEGACY}\"\n\
             [candidate]\nurl = \"ws://127.0.0.1:{CANDIDATE}\"\n[shadow]\nniceness = {niceness}\n"
        ),
    )?;
    let program =
        std::env::var("EVENKEEL").unwrap_or_else(|_| env!("CARGO_BIN_EXE_evenkeel").to_owned());
    Ok(vec![program, "tap".to_owned(), file.display().to_string()])
}

fn nginx() -> Option<Vec<String>> {
    let program = ["/usr/sbin/nginx", "/usr/bin/nginx"]
        .into_iter()
        .find(|path| PathBuf::from(path).exists())?;
    let folder = folder("nginx");
    std::fs::create_dir_all(&folder).ok()?;
    let place = folder.display();
    let text = format!(
        "daemon off; master_process off; worker_processes 1; pid {place}/pid; error_log /dev/null;\n\
         events {{ worker_connections 19000; }}\n\
         http {{ access_log off; client_body_temp_path {place}; proxy_temp_path {place}; fastcgi_temp_path {place};\n\
         uwsgi_temp_path {place}; scgi_temp_path {place};\n\
         server {{ listen 127.0.0.1:{BOX}; location / {{ proxy_pass http://127.0.0.1:{LEGACY}; proxy_http_version 1.1;\n\
         proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection Upgrade; }} }} }}\n"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, text).ok()?;
    Some(vec![
        program.to_owned(),
        "-c".to_owned(),
        file.display().to_string(),
    ])
}

fn role(args: &[&str]) -> Vec<String> {
    let me = std::env::current_exe()
        .map_or_else(|_| "tap".to_owned(), |path| path.display().to_string());
    std::iter::once(me)
        .chain(args.iter().map(|arg| (*arg).to_owned()))
        .collect()
}

fn folder(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("evenkeel-bench-{}-{name}", std::process::id()))
}

fn wait_for(port: u16) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    // A bound port with nobody behind it is a process of an earlier run.
    let taken = TcpListener::bind(("127.0.0.1", port)).is_err();
    Err(format!("nobody answers on port {port} (taken: {taken})").into())
}

fn count(port: u16) -> Result<f64, Failure> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(b"GET /count HTTP/1.1\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let body = text.rsplit("\r\n").next().unwrap_or_default();
    Ok(body.parse::<f64>()?)
}

fn median(figures: &[Figures], of: fn(&Figures) -> f64) -> f64 {
    middle(&mut figures.iter().map(of).collect::<Vec<_>>())
}

fn middle(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
