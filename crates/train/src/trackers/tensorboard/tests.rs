use std::fmt::Write as _;

use super::*;

/// What `TensorBoard`'s own writer makes of the four events below, at time 1.5:
/// `scripts/reference/trackers.py frames`
const FRAMES: [&str; 4] = [
    "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c",
    "0f000000000000006d532b0909000000000000f83f100b3a020801b2012ff1",
    "36000000000000004f578cef09000000000000f83f10142a290a110a0a747261696e2f6c6f7373150000803e0a140a0d76\
     616c69646174696f6e2f66311500000000c534fda4",
    "b3000000000000000fbfd84109000000000000f83f2aa7010aa4010a1c5f68706172616d735f2f73657373696f6e5f73\
     746172745f696e666f42060801120212004a7c0a7a0a0768706172616d73126f1a6d0a170a0d72756e2e707265636973\
     696f6e12061a04626631360a220a1c747261696e2e6772616469656e745f636865636b706f696e74696e67120220000a\
     200a13747261696e2e6c6561726e696e675f72617465120911691d554d1075ff3e220372756e29000000000000f83f39\
     724dc0",
];

fn value(tag: &str, value: f32) -> Value {
    Value { tag: tag.to_owned(), simple_value: Some(value), ..Value::default() }
}

#[test]
fn frames_are_tensorboards_own() {
    let scalars = vec![value("train/loss", 0.25), value("validation/f1", 0.0)];
    let settings = serde_json::json!({
        "run.precision": "bf16", "train.gradient_checkpointing": false, "train.learning_rate": 3e-5
    });
    let events = [
        (0, What::FileVersion("brain.Event:2".to_owned())),
        (11, What::SessionLog(SessionLog { status: session_log::Status::Start.into() })),
        (20, What::Summary(Summary { value: scalars })),
        (0, What::Summary(Summary { value: vec![hyperparameters("run", &settings, 1.5)] })),
    ];
    for ((step, what), expected) in events.into_iter().zip(FRAMES) {
        let bytes = frame(&Event { wall_time: 1.5, step, what: Some(what) }.encode_to_vec());
        let mut hex = String::new();
        for byte in bytes {
            write!(hex, "{byte:02x}").unwrap();
        }
        assert_eq!(hex, expected);
    }
}

fn read(path: &Path) -> Vec<Event> {
    let bytes = fs_err::read(path).unwrap();
    let mut rest = bytes.as_slice();
    let mut events = Vec::new();
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        let data = &rest[12..12 + length];
        assert_eq!(rest[..16 + length], frame(data));
        events.push(Event::decode(data).unwrap());
        rest = &rest[16 + length..];
    }
    events
}

#[test]
fn a_resumed_training_begins_a_file_that_comes_after_the_others() {
    let dir = tempfile::TempDir::new().unwrap();
    let mut first = EventFile::create(dir.path(), 0).unwrap();
    first.write(10, &[("train/loss", 2.5), ("speed/features_per_s", 40.0)]).unwrap();
    first.write(20, &[("train/loss", 2.0)]).unwrap();
    EventFile::create(dir.path(), 10).unwrap().write(20, &[("train/loss", 2.0)]).unwrap();

    let mut names: Vec<String> = fs_err::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names[0].ends_with(".distilburn.0000") && names[1].ends_with(".distilburn.0001"), "{names:?}");
    let starts_at = |event: &Event| match &event.what {
        Some(What::SessionLog(log)) if log.status() == session_log::Status::Start => Some(event.step),
        _ => None,
    };
    let [first, second] = [0, 1].map(|file| read(&dir.path().join(&names[file])));
    assert_eq!(first[0].what, Some(What::FileVersion("brain.Event:2".to_owned())));
    assert_eq!(starts_at(&first[1]), Some(0));
    assert_eq!(first[2].step, 10);
    let scalars = vec![value("train/loss", 2.5), value("speed/features_per_s", 40.0)];
    assert_eq!(first[2].what, Some(What::Summary(Summary { value: scalars })));
    assert_eq!(first.len(), 4);
    // TensorBoard drops what earlier files say of this step and later ones.
    assert_eq!(starts_at(&second[1]), Some(11));
    assert_eq!(second.last().unwrap().step, 20);
}

#[test]
fn a_clock_that_was_set_back_does_not_change_the_order() {
    let dir = tempfile::TempDir::new().unwrap();
    fs_err::write(dir.path().join("events.out.tfevents.9999999999.distilburn.0000"), "").unwrap();
    assert_eq!(next_name(dir.path()).unwrap(), "events.out.tfevents.9999999999.distilburn.0001");
}
