//! A plain WebSocket echo, for the conformance suite: `echo serve` listens on a free loopback port and prints its URL;
//! `echo drive URL` is the client of a fuzzing server. Neither is part of Evenkeel: the suite compares what they do
//! directly with what they do through the tap.

use std::error::Error;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, accept_async_with_config, client_async_with_config};

type Failure = Box<dyn Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => serve().await,
        ["drive", url] => drive(url).await,
        _ => Err("usage: echo serve | echo drive URL".into()),
    }
}

fn unlimited() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(None)
        .max_frame_size(None)
}

async fn serve() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            stream.set_nodelay(true)?;
            if let Ok(socket) = accept_async_with_config(stream, Some(unlimited())).await {
                echo(socket).await;
            }
            Ok::<_, std::io::Error>(())
        });
    }
}

/// Runs every case that the fuzzing server at `url` offers, then asks for the reports.
async fn drive(url: &str) -> Result<(), Failure> {
    let mut counter = connect(&format!("{url}/getCaseCount")).await?;
    let Some(Message::Text(count)) = counter.next().await.transpose()? else {
        return Err("no case count".into());
    };
    let count: u32 = count.parse()?;
    while counter.next().await.is_some() {}
    for case in 1..=count {
        echo(connect(&format!("{url}/runCase?case={case}&agent=echo")).await?).await;
    }
    echo(connect(&format!("{url}/updateReports?agent=echo")).await?).await;
    Ok(())
}

async fn connect(url: &str) -> Result<WebSocketStream<TcpStream>, Failure> {
    let request = url.into_client_request()?;
    let authority = request.uri().authority().ok_or("no authority")?.to_string();
    let stream = TcpStream::connect(authority).await?;
    stream.set_nodelay(true)?;
    Ok(client_async_with_config(request, stream, Some(unlimited()))
        .await?
        .0)
}

/// Sends every data message back until the connection ends. Protocol errors end it, which is what the cases look at.
async fn echo(mut socket: WebSocketStream<TcpStream>) {
    while let Some(Ok(message)) = socket.next().await {
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}
