//! `serve` with a tiny model on loopback: what clients get, and what becomes of bad, slow and too many of them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::tiny;

/// A server that is killed with its test.
struct Server {
    child: Child,
    address: String,
    _bench: Bench,
}

/// Status, head and body of a reply.
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn error_type(&self) -> String {
        let body = self.json();
        assert!(body["error"].is_string(), "{body}");
        body["error_type"].as_str().unwrap().to_owned()
    }
}

impl Server {
    fn start(options: &str) -> Self {
        let bench = Bench::with_real_stages();
        tiny::write_qa_model(&bench, "model");
        let line = format!("distilburn serve --quiet --model model --port 0 --set run.threads=2 {options}");
        let mut command = bench.command(line.trim());
        command.stdout(Stdio::piped());
        if options.contains("--cors-origin") {
            command.env("DISTILBURN_API_KEY", "secret");
        }
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().trim_start_matches("http://").trim_end_matches('/').to_owned();
        assert!(address.starts_with("127.0.0.1:"), "{line}");
        Self { child, address, _bench: bench }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        stream
    }

    /// Sends a whole request and reads to the end of the reply.
    fn raw(&self, request: &[u8]) -> Reply {
        let mut stream = self.connect();
        // One that is refused early may be closed before all is sent.
        let _ = stream.write_all(request);
        read(&mut stream)
    }

    fn get(&self, path: &str) -> Reply {
        self.raw(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
    }

    fn post(&self, path: &str, body: &str) -> Reply {
        self.raw(post(path, body).as_bytes())
    }

    fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

fn read(stream: &mut TcpStream) -> Reply {
    let mut bytes = Vec::new();
    // A connection that is reset behind its reply has still brought it.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Reply { status, head: head.to_lowercase(), body: body.to_owned() }
}

const TEXT: &str = "Der Mühlbach 👩‍🔬 flows by. The mill was built by Ada Brenn in 1911.";

fn ask(context: &str) -> String {
    json!({ "inputs": { "question": "Who built the mill?", "context": context } }).to_string()
}

fn slice(context: &str, answer: &Value) -> String {
    let at = |key: &str| answer[key].as_u64().unwrap() as usize;
    context.chars().skip(at("start")).take(at("end") - at("start")).collect()
}

#[test]
fn it_speaks_what_huggingface_hub_sends_and_takes() {
    let server = Server::start("");
    // As huggingface_hub 1.x writes it.
    let body = json!({
        "inputs": { "question": "Who built the mill?", "context": TEXT },
        "parameters": { "top_k": 3, "handle_impossible_answer": false, "max_answer_len": 4, "align_to_words": true },
    });
    let reply = server.post("/", &body.to_string());
    assert_eq!(reply.status, 200, "{}", reply.body);
    let answers = reply.json();
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 3);
    for answer in answers {
        assert_eq!(slice(TEXT, answer), answer["answer"].as_str().unwrap());
        assert!((0.0..=1.0).contains(&answer["score"].as_f64().unwrap()));
    }
    let one = server.post("/", &ask(TEXT)).json();
    assert_eq!(slice(TEXT, &one), one["answer"].as_str().unwrap());
    for path in ["/", "/page.css", "/page.js", "/health", "/ready", "/info", "/openapi.json"] {
        let reply = server.get(path);
        assert!(reply.status == 200 && !reply.body.is_empty(), "{path}: {}", reply.head);
    }
    assert!(server.get("/").head.contains("content-security-policy: default-src 'none'"));
    let metrics = server.get("/metrics").body;
    for line in [
        "distilburn_requests_total{route=\"/\",status=\"200\"} 4",
        "distilburn_batch_tokens_count",
        "distilburn_queue_duration_seconds_bucket",
        "distilburn_queued_tokens 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

#[test]
fn a_batch_gets_the_answers_of_its_questions_alone_and_fits_its_schema() {
    let server = Server::start("");
    let long = format!("{TEXT} ").repeat(30);
    let questions = json!([
        { "question": "Who built the mill?", "context": 1 }, { "question": "When?" },
        { "question": "What flows by?", "context": 1 },
    ]);
    let body = json!({ "contexts": [TEXT, long], "questions": questions, "parameters": { "top_k": 2 } });
    let reply = server.post("/v1/answers", &body.to_string());
    assert_eq!(reply.status, 200, "{}", reply.body);
    let together = reply.json();
    let document = server.get("/openapi.json").json();
    let schema = &document["paths"]["/v1/answers"]["post"]["responses"]["200"]["content"]["application/json"]
        ["schema"];
    assert_fits(&together, schema, &document, "");
    assert_eq!(together["answers"].as_array().unwrap().len(), 3);
    for (question, answer) in
        questions.as_array().unwrap().iter().zip(together["answers"].as_array().unwrap())
    {
        let context = if question["context"] == 1 { &long } else { TEXT };
        if answer["answer"].is_string() {
            assert_eq!(slice(context, answer), answer["answer"].as_str().unwrap());
        }
        let alone = json!({ "contexts": [context], "questions": [{ "question": question["question"] }] });
        let alone = server.post("/v1/answers", &alone.to_string()).json();
        assert_eq!(alone["answers"][0]["start"], answer["start"]);
        assert_eq!(answer["n_best"].as_array().unwrap().len(), 2);
    }
}

/// Holds a value against a schema, as far as the document uses the language.
fn assert_fits(value: &Value, schema: &Value, document: &Value, path: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        return assert_fits(value, document.pointer(&reference[1..]).unwrap(), document, path);
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().map(|name| name.as_str().unwrap()).collect(),
        other => panic!("{path}: {other} is no type"),
    };
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() && types.contains(&"integer") => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                assert_fits(item, &schema["items"], document, &format!("{path}[{number}]"));
            }
            "array"
        }
        Value::Object(object) => {
            let properties = schema["properties"].as_object().unwrap();
            for required in schema["required"].as_array().unwrap() {
                assert!(object.contains_key(required.as_str().unwrap()), "{path}: {required} is missing");
            }
            for (name, value) in object {
                let schema =
                    properties.get(name).unwrap_or_else(|| panic!("{path}: {name} is not described"));
                assert_fits(value, schema, document, &format!("{path}.{name}"));
            }
            "object"
        }
    };
    assert!(types.contains(&found), "{path}: {found}, expected {types:?}");
}

#[test]
fn what_cannot_be_answered_gets_its_status_and_the_one_error_body() {
    let server = Server::start("--max-questions 2 --max-bytes 4000 --max-request-tokens 600");
    let inputs = |question: &str, context: &str, parameters: Value| {
        json!({ "inputs": { "question": question, "context": context }, "parameters": parameters })
            .to_string()
    };
    let batch = |questions: Value| json!({ "contexts": [TEXT], "questions": questions }).to_string();
    let who = json!({ "question": "Who?" });
    for (path, body, status, error_type, says) in [
        ("/", "{".to_owned(), 400, "malformed", "not valid JSON"),
        ("/", "\u{fffd}".to_owned(), 400, "malformed", "not valid JSON"),
        ("/", "{}".to_owned(), 422, "validation", "inputs"),
        ("/", inputs(" ", TEXT, json!({})), 422, "validation", "inputs.question: is empty"),
        ("/", inputs("Who?", "", json!({})), 422, "validation", "inputs.context: is empty"),
        ("/", inputs("Who?", TEXT, json!({ "top_k": 0 })), 422, "validation", "parameters.top_k"),
        (
            "/",
            inputs("Who?", TEXT, json!({ "max_seq_len": 65 })),
            422,
            "validation",
            "parameters.max_seq_len",
        ),
        ("/", inputs("Who?", TEXT, json!({ "doc_stride": 64 })), 422, "validation", "parameters.doc_stride"),
        ("/", inputs(&"who ".repeat(80), TEXT, json!({})), 422, "validation", "inputs.question"),
        ("/", ask(&"word ".repeat(700)), 413, "too_large", "the limit is 600"),
        ("/", ask(&"word ".repeat(1000)), 413, "too_large", "larger than 4000 bytes"),
        ("/v1/answers", batch(json!([])), 422, "validation", "questions: is empty"),
        ("/v1/answers", batch(json!([who, who, who])), 422, "validation", "questions: has 3, the limit is 2"),
        (
            "/v1/answers",
            batch(json!([{ "question": "Who?", "context": 1 }])),
            422,
            "validation",
            "questions[0].context",
        ),
        ("/v1/nothing", "{}".to_owned(), 404, "not_found", "no such route"),
        ("/health", "{}".to_owned(), 405, "method_not_allowed", "does not accept this method"),
    ] {
        let reply = server.post(path, &body);
        assert_eq!((reply.status, reply.error_type().as_str()), (status, error_type), "{body}");
        assert!(reply.body.contains(says), "{body}: {}", reply.body);
    }
    let typeless = post("/", &ask(TEXT)).replace("application/json", "text/plain");
    let reply = server.raw(typeless.as_bytes());
    assert_eq!((reply.status, reply.error_type().as_str()), (415, "unsupported_media_type"));
    // Whatever was refused, the next is answered.
    let longest = server.post("/", &inputs(&"who ".repeat(80), TEXT, json!({ "max_question_len": 5 })));
    assert_eq!(longest.status, 200, "{}", longest.body);
}

#[test]
fn with_a_key_only_the_page_and_the_probes_are_open() {
    let server = Server::start("--cors-origin https://example.org");
    assert_eq!(server.get("/health").status, 200);
    for reply in [server.get("/metrics"), server.post("/", &ask(TEXT)), server.post("/v1/answers", "{}")] {
        assert_eq!((reply.status, reply.error_type().as_str()), (401, "unauthorized"));
        assert!(reply.head.contains("www-authenticate: bearer"), "{}", reply.head);
    }
    let with = |key: &str| {
        let request = post("/", &ask(TEXT)).replacen("Host: x", &format!("Host: x\r\n{key}"), 1);
        server.raw(request.as_bytes()).status
    };
    assert_eq!(with("Authorization: Bearer secret"), 200);
    assert_eq!((with("Authorization: Bearer secre"), with("Authorization: Basic secret")), (401, 401));
    let preflight = |origin: &str| {
        let request = format!(
            "OPTIONS / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: POST\r\n\r\n"
        );
        server.raw(request.as_bytes()).head
    };
    assert!(preflight("https://example.org").contains("access-control-allow-origin: https://example.org"));
    assert!(!preflight("https://other.org").contains("access-control-allow-origin"));
}

#[test]
fn too_many_get_429_and_too_slow_ones_504_or_408() {
    let server = Server::start("--max-requests 1 --timeout 2");
    let long = ask(&format!("{TEXT} ").repeat(3000));
    let replies: Vec<Reply> = thread::scope(|scope| {
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(|| server.post("/", &long))).collect();
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    let count = |status| replies.iter().filter(|reply| reply.status == status).count();
    // One at a time is in work; each may be done, or too slow, or too large for the queue.
    assert!(count(429) > 0, "{:?}", replies.iter().map(|reply| reply.status).collect::<Vec<_>>());
    let full = replies.iter().find(|reply| reply.status == 429).unwrap();
    assert!(full.error_type() == "overloaded" && full.head.contains("retry-after: 1"), "{}", full.head);

    // A body that never ends, while others are answered.
    let mut slow = server.connect();
    slow.write_all(&post("/", &ask(TEXT)).as_bytes()[..150]).unwrap();
    assert_eq!(server.post("/", &ask(TEXT)).status, 200);
    let reply = read(&mut slow);
    assert_eq!((reply.status, reply.error_type().as_str()), (408, "too_slow"));
}

#[test]
fn at_sigterm_what_was_accepted_is_answered_and_the_rest_told_so() {
    let mut server = Server::start("");
    let long = ask(&format!("{TEXT} ").repeat(300));
    let (replies, late) = thread::scope(|scope| {
        let asking: Vec<_> = (0..4).map(|_| scope.spawn(|| server.post("/", &long))).collect();
        // All four are in the queue or answered.
        let started = Instant::now();
        while !taken(&server.get("/metrics").body, 4) {
            assert!(started.elapsed() < Duration::from_mins(1));
        }
        server.terminate();
        let mut late = server.get("/ready");
        while late.status == 200 {
            late = server.get("/ready");
        }
        (asking.into_iter().map(|asking| asking.join().unwrap().status).collect::<Vec<_>>(), late)
    });
    assert_eq!(replies, [200; 4]);
    assert_eq!((late.status, late.error_type().as_str()), (503, "unavailable"));
    assert!(late.head.contains("connection: close"), "{}", late.head);
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_batch_of_a_client_that_has_gone_does_not_crash_the_end() {
    let mut server =
        Server::start("--max-bytes 4000000 --max-request-tokens 1000000 --max-batch-tokens 1000000");
    let mut gone = server.connect();
    gone.write_all(post("/", &ask(&format!("{TEXT} ").repeat(12_000))).as_bytes()).unwrap();
    let started = Instant::now();
    while !taken(&server.get("/metrics").body, 1) {
        assert!(started.elapsed() < Duration::from_mins(1));
    }
    drop(gone);
    server.terminate();
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

/// Whether so many requests were tokenized.
fn taken(metrics: &str, requests: usize) -> bool {
    let count =
        metrics.lines().find_map(|line| line.strip_prefix("distilburn_tokenize_duration_seconds_count "));
    count.is_some_and(|count| count.parse::<usize>().unwrap() >= requests)
}
