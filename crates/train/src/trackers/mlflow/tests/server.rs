//! A server on loopback that answers as `MLflow` does, or as no server should, and keeps what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// As it should be; no experiment is there yet.
    Mlflow,
    /// The same after so many answers of 500.
    FailsFirst(usize),
    /// Takes the request and says nothing.
    Silent,
    /// Some other server that is content with everything.
    Foreign,
    /// Sends every POST elsewhere on the same server, and is content with every GET there.
    Redirects,
}

pub(super) struct Server {
    address: SocketAddr,
    /// First line without the version, and body.
    requests: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Server {
    pub(super) fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        // Ends with the test's process.
        thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                if behaviour == Behaviour::Silent {
                    silent.push(stream);
                    continue;
                }
                serve(stream, behaviour, &kept);
            }
        });
        Self { address, requests }
    }

    pub(super) fn uri(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(super) fn requests(&self) -> Vec<(String, Value)> {
        self.requests.lock().unwrap().clone()
    }
}

/// One request, one answer, one connection.
fn serve(stream: TcpStream, behaviour: Behaviour, requests: &Mutex<Vec<(String, Value)>>) {
    let mut reader = BufReader::new(&stream);
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let line = first.trim().trim_end_matches(" HTTP/1.1").to_owned();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let count = {
        let mut requests = requests.lock().unwrap();
        requests.push((line.clone(), body));
        requests.len()
    };
    let (status, answer) = match behaviour {
        Behaviour::Foreign => ("200 OK", json!({ "hello": "world" })),
        Behaviour::Redirects if line.starts_with("POST") => ("302 Found", Value::Null),
        Behaviour::FailsFirst(failures) if count <= failures => ("500 Internal Server Error", Value::Null),
        _ => answer(&line),
    };
    let answer = answer.to_string();
    let location = if status.starts_with("302") { "location: /elsewhere?token=secret\r\n" } else { "" };
    let text = format!(
        "HTTP/1.1 {status}\r\n{location}content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
        answer.len()
    );
    // The other side may have gone.
    let _ = (&stream).write_all(text.as_bytes());
}

fn answer(line: &str) -> (&'static str, Value) {
    let call = line.split("/api/2.0/mlflow/").nth(1).unwrap_or_default();
    match call.split('?').next().unwrap_or_default() {
        "experiments/get-by-name" => (
            "404 Not Found",
            json!({ "error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such experiment" }),
        ),
        "experiments/create" => ("200 OK", json!({ "experiment_id": "7" })),
        "runs/create" => ("200 OK", json!({ "run": { "info": { "run_id": "run-1", "status": "RUNNING" } } })),
        "runs/update" | "runs/log-batch" => ("200 OK", json!({})),
        _ => ("404 Not Found", json!({ "error_code": "ENDPOINT_NOT_FOUND" })),
    }
}
