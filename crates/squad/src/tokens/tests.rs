use proptest::prelude::*;
use serde_json::json;
use tokenizers::AddedToken;

use super::*;

/// What may differ between BERT's tokenizers.
#[derive(Clone, Copy, Debug)]
struct Make {
    lowercase: bool,
    clean_text: bool,
    handle_chinese_chars: bool,
    strip_accents: Option<bool>,
}

const UNCASED: Make =
    Make { lowercase: true, clean_text: true, handle_chinese_chars: true, strip_accents: None };

/// BERT's, with a vocabulary of letters and punctuation.
fn tokenizer(make: Make) -> Tokenizer {
    let Make { lowercase, clean_text, handle_chinese_chars, strip_accents } = make;
    let special = ["[UNK]", "[CLS]", "[SEP]", "<mask>"];
    let letters = ('a'..='h').chain('A'..='C').map(String::from);
    let continued = ('a'..='h').chain('A'..='C').map(|letter| format!("##{letter}"));
    let rest = [",", ".", "-", "[", "]", "<", "'", "é", "##é", "東"].map(String::from);
    let words = special.map(String::from).into_iter().chain(letters).chain(continued).chain(rest);
    let vocab: serde_json::Map<_, _> = words.zip(0..).map(|(word, id)| (word, json!(id))).collect();
    let tokenizer = json!({
        "version": "1.0",
        "added_tokens": [],
        "normalizer": {
            "type": "BertNormalizer", "clean_text": clean_text, "handle_chinese_chars": handle_chinese_chars,
            "strip_accents": strip_accents, "lowercase": lowercase,
        },
        "pre_tokenizer": { "type": "BertPreTokenizer" },
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 4, "vocab": vocab,
        },
    });
    let mut tokenizer = Tokenizer::from_bytes(tokenizer.to_string()).unwrap();
    tokenizer.add_special_tokens(special.map(|token| AddedToken::from(token, true))).unwrap();
    tokenizer
}

#[test]
fn words_are_cut_at_punctuation_between_ascii() {
    let cuts = Cuts::of(&tokenizer(UNCASED)).unwrap();
    let pieces = |word| cuts.pieces(word).collect::<Vec<_>>();
    assert_eq!(pieces("(ab-c)."), ["(", "ab", "-", "c", ")", "."]);
    assert_eq!(pieces("a,é,b"), ["a", ",é,", "b"]);
    assert_eq!(pieces("a[SEP],<b>"), ["a[SEP]", ",", "<b>"]);
    assert!(pieces("").is_empty());
}

#[test]
fn tokenizers_whose_tokens_reach_beyond_a_piece_get_whole_texts() {
    let with = |token: AddedToken| {
        let mut tokenizer = tokenizer(UNCASED);
        tokenizer.add_tokens([token]).unwrap();
        Cuts::of(&tokenizer).is_some()
    };
    let token = || AddedToken::from("zz", true);
    assert!(with(token()));
    for reaching in [
        token().lstrip(true),
        token().rstrip(true),
        token().single_word(true),
        token().normalized(true),
        AddedToken::from("z z", true),
    ] {
        assert!(!with(reaching.clone()), "{reaching:?}");
    }
    let mut other = tokenizer(UNCASED);
    other.with_normalizer(None::<NormalizerWrapper>).unwrap();
    assert!(Cuts::of(&other).is_none());
    let mut other = tokenizer(UNCASED);
    other.with_pre_tokenizer(None::<PreTokenizerWrapper>);
    assert!(Cuts::of(&other).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_text_in_pieces_has_the_tokens_of_the_whole_text(
        parts in prop::collection::vec(
            prop_oneof![
                4 => "[a-hA-Cxİß]",
                2 => "[-,.'\"(]",
                1 => prop::sample::select(vec![
                    " ", "  ", "[SEP]", "<mask>", "[", "]", "<", "\u{301}", "e\u{301}", "é", "\u{200d}", "\u{1}", "\t",
                    "\n", "\u{a0}", "東", "😀", "。", "ﬁ", "\u{fffd}", "\0", "\u{5d0}", "\u{327}\u{301}", "…",
                ]).prop_map(String::from),
            ],
            0..24,
        ),
        lowercase: bool,
        clean_text: bool,
        handle_chinese_chars: bool,
        strip_accents: Option<bool>,
    ) {
        let text = parts.concat();
        let make = Make { lowercase, clean_text, handle_chinese_chars, strip_accents };
        let texts = TextTokenizer::new(tokenizer(make));
        prop_assert!(texts.pieces.is_some());
        let mut whole = Tokens::default();
        whole.push(&texts.encode(&text).unwrap(), 0);
        // Twice: of pieces that are new, and of pieces that are known.
        for _ in 0..2 {
            prop_assert_eq!(&texts.tokenize(&text).unwrap(), &whole, "{:?}", text);
        }
    }
}
