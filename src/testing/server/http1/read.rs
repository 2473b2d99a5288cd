//! Requests, as real clients send them.

use std::io::{self, ErrorKind};

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HeaderName, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Version};
use tokio::io::AsyncReadExt;

use super::Wire;
use crate::testing::server::accept::Io;
use crate::testing::server::connection::About;
use crate::testing::server::shared::Seen;

/// The longest line of a head.
const LONGEST: usize = 64 * 1024;

/// Most fields of a head.
const MOST: usize = 1_000;

impl<T: Io> Wire<T> {
    /// The next request, or none if the client has closed before it.
    pub(super) async fn read_request(
        &mut self,
        about: &About,
        early: bool,
    ) -> io::Result<Option<Seen>> {
        let line = loop {
            if self.buffer.is_empty() && self.io.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
            // Some clients end a body with an empty line more.
            let line = self.line().await?;
            if !line.is_empty() {
                break line;
            }
        };
        let words: Vec<_> = line.split(' ').collect();
        let [method, target, version] = words[..] else { return Err(invalid(&line)) };
        let mut request = Seen {
            method: method.parse().map_err(|_| invalid(method))?,
            uri: target.parse().map_err(|_| invalid(target))?,
            version: match version {
                "HTTP/1.1" => Version::HTTP_11,
                "HTTP/1.0" => Version::HTTP_10,
                _ => return Err(invalid(version)),
            },
            headers: self.fields().await?,
            body: Bytes::new(),
            trailers: None,
            connection: about.n,
            server_name: about.server_name.clone(),
        };
        // What follows a CONNECT is the tunnel.
        if !early && request.method != Method::CONNECT {
            if has(&request.headers, &EXPECT, "100-continue") {
                self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            }
            (request.body, request.trailers) = self.body(&request.headers).await?;
        }
        Ok(Some(request))
    }

    async fn body(&mut self, headers: &HeaderMap) -> io::Result<(Bytes, Option<HeaderMap>)> {
        if headers.contains_key(TRANSFER_ENCODING) {
            let mut body = BytesMut::new();
            loop {
                let line = self.line().await?;
                // What follows a semicolon is an extension.
                let size = line.split(';').next().unwrap_or_default().trim();
                let size = usize::from_str_radix(size, 16).map_err(|_| invalid(&line))?;
                if size == 0 {
                    let trailers = self.fields().await?;
                    return Ok((body.freeze(), Some(trailers).filter(|them| !them.is_empty())));
                }
                body.extend(self.exactly(size).await?);
                let end = self.line().await?;
                if !end.is_empty() {
                    return Err(invalid(&end));
                }
            }
        }
        let Some(length) = headers.get(CONTENT_LENGTH) else { return Ok((Bytes::new(), None)) };
        let parsed = length.to_str().ok().and_then(|length| length.parse().ok());
        let length = parsed.ok_or_else(|| invalid(&format!("{length:?}")))?;
        Ok((self.exactly(length).await?, None))
    }

    /// Header fields up to and with the empty line.
    async fn fields(&mut self) -> io::Result<HeaderMap> {
        let mut fields = HeaderMap::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(fields);
            }
            let (name, value) = line.split_once(':').ok_or_else(|| invalid(&line))?;
            let name: HeaderName = name.parse().map_err(|_| invalid(name))?;
            if fields.len() == MOST {
                return Err(invalid("too many fields"));
            }
            // Not by `str`, whose values are ASCII only.
            let value = value.trim().as_bytes().try_into().map_err(|_| invalid(value))?;
            fields.append(name, value);
        }
    }

    /// Up to the end of the line, which is CRLF or a mere LF.
    async fn line(&mut self) -> io::Result<String> {
        let mut looked = 0;
        loop {
            if let Some(end) = self.buffer[looked..].iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(looked + end);
                self.buffer.advance(1);
                let line = line.strip_suffix(b"\r").unwrap_or(&line);
                return String::from_utf8(line.to_vec()).map_err(|_| invalid("no UTF-8"));
            }
            looked = self.buffer.len();
            if looked > LONGEST {
                return Err(invalid("a line without end"));
            }
            self.more().await?;
        }
    }

    async fn exactly(&mut self, bytes: usize) -> io::Result<Bytes> {
        while self.buffer.len() < bytes {
            self.more().await?;
        }
        Ok(self.buffer.split_to(bytes).freeze())
    }

    /// More bytes in the buffer, or an error at the end of the stream.
    pub(super) async fn more(&mut self) -> io::Result<()> {
        match self.io.read_buf(&mut self.buffer).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// Does the client mean to use the connection again?
pub(super) fn stays(request: &Seen) -> bool {
    if request.version == Version::HTTP_10 {
        return has(&request.headers, &CONNECTION, "keep-alive");
    }
    !has(&request.headers, &CONNECTION, "close")
}

/// Is the token among those of the field?
fn has(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case(token))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("not HTTP/1.1: {what:?}"))
}
