//! A server behind nginx that fails on request: what it does stands at the start of the path.

#![allow(
    clippy::disallowed_methods,
    reason = "the rule keeps threads out of the library, not out of its tests"
)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Starts it and gives its port. Its threads end with the test.
pub(crate) fn start() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    port
}

/// A name server that hears and does not answer.
pub(crate) fn deaf_resolver() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// A syslog server: what it has heard, one datagram each, and its port.
pub(crate) fn syslog() -> (Arc<Mutex<Vec<Vec<u8>>>>, u16) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&heard);
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(n) = socket.recv(&mut buffer) {
            all.lock().unwrap().push(buffer[..n].to_vec());
        }
    });
    (heard, port)
}

fn serve(mut stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut start = [0; 64];
    let Ok(n) = stream.peek(&mut start) else { return };
    let word = start[..n].split(|b| *b == b' ').nth(1).unwrap_or_default();
    let word: Vec<u8> = word.iter().skip(1).take_while(|b| b.is_ascii_alphanumeric()).copied().collect();
    if word == b"reset" {
        // Closing a socket with unread bytes in it sends a reset.
        return;
    }
    if matches!(start[0], 0x16 | 1) {
        // TLS or FastCGI, where plain HTTP is spoken.
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        return;
    }
    let method_is_head = start.starts_with(b"HEAD");
    if read_request(&mut stream).is_none() {
        return;
    }
    let answer = |head: &str, body: &str| {
        let body = if method_is_head { "" } else { body };
        format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n{body}")
    };
    let ok = answer("200 OK\r\nContent-Length: 3", "ok\n");
    let text = match word.as_slice() {
        b"slow" => {
            thread::sleep(Duration::from_millis(250));
            ok
        }
        b"timeout" | b"abort" => {
            thread::sleep(Duration::from_millis(2500));
            ok
        }
        b"close" => return,
        b"partial" => answer("200 OK\r\nContent-Length: 1000", "cut"),
        b"garbage" => "this is no header\r\n\r\n".into(),
        b"bighead" => answer(&format!("200 OK\r\nX-Long: {}", "x".repeat(80_000)), ""),
        b"error" => answer("500 Internal Server Error\r\nContent-Length: 0", ""),
        b"unavailable" => answer("503 Service Unavailable\r\nContent-Length: 0", ""),
        _ => ok,
    };
    let _ = stream.write_all(text.as_bytes());
}

/// Reads head and body, so that closing afterwards is no reset.
fn read_request(stream: &mut TcpStream) -> Option<()> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let n = stream.read(&mut buffer).ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&buffer[..n]);
        let Some(end) = memchr::memmem::find(&bytes, b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        if bytes.len() >= end + 4 + length {
            return Some(());
        }
    }
}
