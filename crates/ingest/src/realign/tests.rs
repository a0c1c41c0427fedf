use super::*;

fn at(text: &str, start: i32, context: &str) -> (i32, String, String) {
    match locate(text, Some(start), &CharIndex::new(context)) {
        Located::At(place, why) => {
            let end = place.start as usize + place.text.chars().count();
            let there: String = context.chars().take(end).skip(place.start as usize).collect();
            assert_eq!(there, place.text, "the place must hold the text");
            (place.start, place.text.to_owned(), why)
        }
        other => panic!("{text:?} at {start} of {context:?}: {other:?}"),
    }
}

fn moved(start: i32, text: &str, why: &str) -> (i32, String, String) {
    (start, text.to_owned(), why.to_owned())
}

#[test]
fn utf_16_and_byte_offsets_are_told_by_what_stands_there() {
    // Twice "ran", so that only the offset can tell; 👩‍🔬 is 3 characters, 5 code units, 11 bytes.
    let context = "👩‍🔬 ran and 👩‍🔬 ran";
    assert_eq!(at("ran", 6, context), moved(4, "ran", "counted in UTF-16 code units"));
    assert_eq!(at("ran", 20, context), moved(16, "ran", "counted in UTF-16 code units"));
    assert_eq!(at("ran", 12, context), moved(4, "ran", "counted in bytes"));
    assert_eq!(at("ran", 32, context), moved(16, "ran", "counted in bytes"));
    assert_eq!(at("𐐷", 3, "a𐐷𐐷"), moved(2, "𐐷", "counted in UTF-16 code units"));
}

#[test]
fn drift_of_the_text_at_its_offset_takes_the_context_s_text() {
    assert_eq!(at("new york", 2, "a New York, New York"), moved(2, "New York", "case differs"));
    assert_eq!(
        at("New York", 2, "a New\u{a0} York; New\tYork"),
        moved(2, "New\u{a0} York", "white space differs")
    );
    assert_eq!(
        at("café", 1, " cafe\u{301} cafe\u{301}"),
        moved(1, "cafe\u{301}", "normal form differs (NFC)")
    );
    assert_eq!(at("5 km2", 0, "5 km² 5 km²"), moved(0, "5 km²", "normal form differs (NFKC)"));
    assert_eq!(at(" cat ", 3, "the cat, cat"), moved(4, "cat", "white space differs"));
    assert_eq!(at("ΛΌΓΟΣ", 0, "λόγος λόγος"), moved(0, "λόγος", "case differs"));
    assert_eq!(
        at("שלום עולם", 0, "שלום\u{200f} עולם"),
        moved(0, "שלום\u{200f} עולם", "white space, case or normal form differ")
    );
}

#[test]
fn drift_of_the_context_before_the_answer_shifts_it() {
    let decomposed = "e\u{301}te\u{301}, e\u{301}te\u{301}: fin fin";
    assert_eq!(at("b", 7, "ǖb b b"), moved(5, "b", "counted in NFD"));
    assert_eq!(at("fin", 10, decomposed), moved(14, "fin", "counted in NFC"));
    // Jamo are as many as bytes: one place, whichever it was.
    assert_eq!(at("한국", 7, "한국 한국"), moved(3, "한국", "counted in bytes"));
    assert_eq!(at("y", 7, "ﬁ xy xy"), moved(6, "y", "counted in NFKC"));
    assert_eq!(at("c", 6, "a   bc bc"), moved(8, "c", "counted with white space collapsed"));
    assert_eq!(at("b", 8, "a\nb\nb b"), moved(6, "b", "counted with CR LF line ends"));
    assert_eq!(at("c", 6, "a\r\nbc\r\nbc"), moved(8, "c", "counted with LF line ends"));
}

#[test]
fn a_text_that_stands_once_is_there() {
    assert_eq!(at("東京", 0, "日本の首都は東京です"), moved(6, "東京", "the only place with this text"));
    assert_eq!(at("cat", -1, "the cat"), moved(4, "cat", "the only place with this text"));
    assert_eq!(at("القاهرة", 90, "عاصمة مصر القاهرة"), moved(10, "القاهرة", "the only place with this text"));
    assert_eq!(at("CAT", 0, "the cat"), moved(4, "cat", "the only place with this text; case differs"));
}

#[test]
fn doubt_moves_nothing() {
    let context = CharIndex::new("cat dog cat dog cat");
    let nearest = |start| match locate("cat", Some(start), &context) {
        Located::Several(place, count) => (place.start, count),
        other => panic!("{other:?}"),
    };
    assert_eq!(nearest(1), (0, 3));
    assert_eq!(nearest(9), (8, 3));
    assert_eq!(nearest(i32::MAX), (16, 3));
    assert_eq!(nearest(i32::MIN), (0, 3));
    assert_eq!(locate("bird", Some(0), &context), Located::Nowhere);
    // Counted in UTF-16 and counted in bytes lead to two places.
    let two = CharIndex::new("éé🦀xyyyxyxx");
    assert_eq!(locate("x", Some(8), &two), Located::Several(Place { start: 7, text: "x" }, 4));
    // Half a character, a letter without its mark.
    assert_eq!(locate("f", Some(0), &CharIndex::new("ﬁ")), Located::Nowhere);
    assert_eq!(locate("cafe", Some(1), &CharIndex::new("cafe\u{301}")), Located::Nowhere);
    assert_eq!(locate("\u{301}", Some(0), &context), Located::Nowhere);
}
