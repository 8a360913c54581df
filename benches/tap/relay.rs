//! The baseline: the smallest possible middle box.

use tokio::net::{TcpListener, TcpStream};

use crate::{Failure, number, runtime};

/// `relay --port P --to Q`: copies bytes both ways, one thread, until killed.
pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let (port, to) = (number(args, "--port", 0)?, number(args, "--to", 0)?);
    runtime()?.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port as u16)).await?;
        loop {
            let (mut near, _) = listener.accept().await?;
            near.set_nodelay(true)?;
            tokio::spawn(async move {
                let Ok(mut far) = TcpStream::connect(("127.0.0.1", to as u16)).await else {
                    return;
                };
                if far.set_nodelay(true).is_ok() {
                    // How a connection ends is of no interest to the baseline.
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                }
            });
        }
    })
}
