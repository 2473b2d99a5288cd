//! A server that goes away from a request that it did not take on: h2 cannot play it.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::testing::server::Http2Code;
use crate::testing::server::accept::Io;
use crate::testing::server::http1::DRAIN;

/// Answers the first one's HEADERS by a GOAWAY whose last
/// stream is 0.
pub(in super::super) async fn send<T: Io>(mut io: T, code: Http2Code) -> io::Result<()> {
    const HEADERS: u8 = 1;
    const SETTINGS: u8 = 4;
    const SETTINGS_ACK: &[u8] = &[0, 0, 0, SETTINGS, 1, 0, 0, 0, 0];

    let mut preface = [0; 24];
    io.read_exact(&mut preface).await?;
    io.write_all(&[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]).await?;
    io.flush().await?;
    loop {
        let mut head = [0; 9];
        io.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        io.read_exact(&mut payload).await?;
        match (head[3], head[4]) {
            (SETTINGS, 0) => io.write_all(SETTINGS_ACK).await?,
            (HEADERS, _) => break,
            _ => {}
        }
    }
    let mut away = vec![0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    away.extend(u32::from(code).to_be_bytes());
    io.write_all(&away).await?;
    io.shutdown().await?;
    let drain = async { while matches!(io.read(&mut [0; 1024]).await, Ok(1..)) {} };
    let _ = timeout(DRAIN, drain).await;
    Ok(())
}
