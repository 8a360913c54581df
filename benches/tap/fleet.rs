//! Chargers: a fixed mix of OCPP 1.6 CALLs, each answer checked, each latency kept.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Barrier, Semaphore};
use tokio::task::LocalSet;

use crate::{Failure, frames, number, runtime};

/// `fleet --port P --chargers N --millis T [--rate R] [--hold MS]`: connects, waits until all are up, sends for `T` ms
/// (closed loop, or `R` CALLs a second in all), then prints `count p50_us p99_us elapsed_us connect_us`. With `--hold` the
/// chargers send one frame each and stay for that long.
pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let plan = Plan {
        port: number(args, "--port", 0)? as u16,
        chargers: number(args, "--chargers", 1)?,
        length: Duration::from_millis(number(args, "--millis", 1_000)?),
        rate: number(args, "--rate", 0)?,
        hold: Duration::from_millis(number(args, "--hold", 0)?),
    };
    LocalSet::new().block_on(&runtime()?, load(plan))
}

#[derive(Clone, Copy)]
struct Plan {
    port: u16,
    chargers: u64,
    length: Duration,
    rate: u64,
    hold: Duration,
}

async fn load(plan: Plan) -> Result<(), Failure> {
    let began = Instant::now();
    let ready = Rc::new(Barrier::new(plan.chargers as usize + 1));
    // As many handshakes at once as a reconnecting fleet behind one switch would have.
    let gate = Rc::new(Semaphore::new(64));
    let latencies = Rc::new(RefCell::new(Vec::<u32>::new()));
    let mut tasks = Vec::new();
    for index in 0..plan.chargers {
        let (ready, gate, latencies) = (Rc::clone(&ready), Rc::clone(&gate), Rc::clone(&latencies));
        tasks.push(tokio::task::spawn_local(async move {
            charger(index, plan, &ready, &gate, &latencies)
                .await
                .map_err(|error| error.to_string())
        }));
    }
    ready.wait().await;
    let connected = began.elapsed();
    let started = Instant::now();
    println!("START");
    for task in tasks {
        task.await??;
    }
    let elapsed = started.elapsed();
    let mut all = latencies.borrow_mut();
    all.sort_unstable();
    let at = |share: f64| {
        all.get((all.len() as f64 * share) as usize)
            .copied()
            .unwrap_or(0)
    };
    println!(
        "{} {} {} {} {}",
        all.len(),
        f64::from(at(0.50)) / 10.0,
        f64::from(at(0.99)) / 10.0,
        elapsed.as_micros(),
        connected.as_micros()
    );
    Ok(())
}

async fn charger(
    index: u64,
    plan: Plan,
    ready: &Barrier,
    gate: &Semaphore,
    latencies: &RefCell<Vec<u32>>,
) -> Result<(), Failure> {
    let permit = gate.acquire().await?;
    let mut stream = connect(plan.port, index).await?;
    drop(permit);
    let mut input = Vec::with_capacity(if plan.hold.is_zero() { 2048 } else { 0 });
    let mut output = Vec::new();
    if !plan.hold.is_zero() {
        exchange(&mut stream, index, 0, &mut input, &mut output).await?;
        input = Vec::new();
        output = Vec::new();
    }
    ready.wait().await;
    let start = Instant::now();
    if !plan.hold.is_zero() {
        tokio::time::sleep(plan.hold).await;
        return Ok(());
    }
    let pause =
        (plan.rate > 0).then(|| Duration::from_secs_f64(plan.chargers as f64 / plan.rate as f64));
    let mut due = start
        + pause.map_or(Duration::ZERO, |pause| {
            pause.mul_f64(index as f64 / plan.chargers as f64)
        });
    for count in 0u64.. {
        if let Some(pause) = pause {
            tokio::time::sleep_until(due.into()).await;
            due += pause;
        }
        if start.elapsed() >= plan.length {
            break;
        }
        let sent = Instant::now();
        exchange(&mut stream, index, count, &mut input, &mut output).await?;
        // Tenths of a microsecond.
        latencies
            .borrow_mut()
            .push((sent.elapsed().as_nanos() / 100) as u32);
    }
    Ok(())
}

async fn connect(port: u16, index: u64) -> Result<TcpStream, Failure> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let request = format!(
        "GET /ocpp/CP{index:05} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Err("closed during the handshake".into());
        }
    }
    if head.starts_with(b"HTTP/1.1 101") {
        Ok(stream)
    } else {
        Err(String::from_utf8_lossy(&head).into_owned().into())
    }
}

async fn exchange(
    stream: &mut TcpStream,
    index: u64,
    count: u64,
    input: &mut Vec<u8>,
    output: &mut Vec<u8>,
) -> Result<(), Failure> {
    let id = format!("{index}-{count}");
    output.clear();
    frames::masked_text(call(&id, count).as_bytes(), output);
    stream.write_all(output).await?;
    let expected = [format!("[3,\"{id}\","), format!("[3, \"{id}\",")];
    loop {
        if let Some((payload, used)) = frames::first(input) {
            let answer = &input[payload];
            if !expected
                .iter()
                .any(|begin| answer.starts_with(begin.as_bytes()))
            {
                return Err(
                    format!("wrong answer to {id}: {}", String::from_utf8_lossy(answer)).into(),
                );
            }
            input.drain(..used);
            return Ok(());
        }
        if stream.read_buf(input).await? == 0 {
            return Err(format!("closed while waiting for {id}").into());
        }
    }
}

/// A cycle of twenty: 11 `MeterValues`, 3 `StatusNotification`, 3 `Heartbeat`, one `BootNotification`, `Authorize` and
/// `StartTransaction` each; about 545 bytes in the mean.
fn call(id: &str, count: u64) -> String {
    let (action, payload) = match count % 20 {
        0 => (
            "BootNotification",
            r#"{"chargePointVendor":"Bench","chargePointModel":"B1","firmwareVersion":"1.0.0"}"#,
        ),
        1 => ("Authorize", r#"{"idTag":"04A1B2C3D4E5F6"}"#),
        2 => (
            "StartTransaction",
            r#"{"connectorId":1,"idTag":"04A1B2C3D4E5F6","meterStart":1000,"timestamp":"2026-01-01T00:00:00Z"}"#,
        ),
        3 | 9 | 15 => (
            "StatusNotification",
            r#"{"connectorId":1,"errorCode":"NoError","status":"Charging","timestamp":"2026-01-01T00:00:00Z","info":"bench"}"#,
        ),
        4 | 10 | 16 => ("Heartbeat", "{}"),
        _ => ("MeterValues", METER_VALUES),
    };
    format!(r#"[2,"{id}","{action}",{payload}]"#)
}

const METER_VALUES: &str = concat!(
    r#"{"connectorId":1,"meterValue":[{"timestamp":"2026-01-01T00:00:00Z","sampledValue":["#,
    r#"{"value":"12345","context":"Sample.Periodic","measurand":"Energy.Active.Import.Register","unit":"Wh"},"#,
    r#"{"value":"7360.0","context":"Sample.Periodic","measurand":"Power.Active.Import","unit":"W"},"#,
    r#"{"value":"16.0","context":"Sample.Periodic","measurand":"Current.Import","phase":"L1","unit":"A"},"#,
    r#"{"value":"15.9","context":"Sample.Periodic","measurand":"Current.Import","phase":"L2","unit":"A"},"#,
    r#"{"value":"16.1","context":"Sample.Periodic","measurand":"Current.Import","phase":"L3","unit":"A"},"#,
    r#"{"value":"230.1","context":"Sample.Periodic","measurand":"Voltage","phase":"L1","unit":"V"},"#,
    r#"{"value":"229.8","context":"Sample.Periodic","measurand":"Voltage","phase":"L2","unit":"V"}]}]}"#
);
