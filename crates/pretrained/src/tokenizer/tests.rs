use super::*;
use crate::message::message;

const VOCAB: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncat\n##s\nthe\n";

fn config(vocab_size: usize) -> DistilBertConfig {
    let json = format!(
        r#"{{"model_type": "distilbert", "dim": 4, "hidden_dim": 6, "n_heads": 2, "n_layers": 2,
           "max_position_embeddings": 32, "vocab_size": {vocab_size}}}"#
    );
    DistilBertConfig::from_json(json.as_bytes(), Path::new("config.json")).unwrap().1
}

fn files() -> TokenizerFiles {
    TokenizerFiles { vocab: Some(VOCAB.into()), ..TokenizerFiles::default() }
}

fn assets(files: TokenizerFiles) -> std::result::Result<TokenizerAssets, String> {
    files.into_assets(&config(8), Path::new("model")).map_err(|error| message(&error, Path::new("/nowhere")))
}

/// The `tokenizer.json` that `files` gives, changed.
fn tokenizer(change: impl Fn(&mut Value)) -> TokenizerFiles {
    let mut value = serde_json::from_slice(&assets(files()).unwrap().tokenizer_json).unwrap();
    change(&mut value);
    TokenizerFiles { tokenizer: Some(value.to_string().into()), ..TokenizerFiles::default() }
}

fn object(json: &[u8]) -> Map<String, Value> {
    serde_json::from_slice(json).unwrap()
}

#[test]
fn a_vocabulary_alone_makes_a_tokenizer() {
    let assets = assets(files()).unwrap();
    assert_eq!(assets.vocab_txt, VOCAB.as_bytes());
    assert_eq!(assets.pad_token_id, 0);
    let settings = squad::WindowSettings { max_length: 16, doc_stride: 2 };
    let tokenizer = squad::FeatureTokenizer::new(&assets.tokenizer_json, settings).unwrap();
    let context = tokenizer.tokenize_context("The cats").unwrap();
    assert_eq!(tokenizer.windows("cat?", &context, None).unwrap()[0].input_ids, [2, 5, 1, 3, 7, 5, 6, 3]);
}

#[test]
fn truncation_and_padding_are_cleared_and_the_vocabulary_rebuilt() {
    let files = tokenizer(|tokenizer| {
        tokenizer["truncation"] = serde_json::json!({"max_length": 128});
        tokenizer["padding"] = serde_json::json!({"pad_id": 0});
    });
    let assets = assets(files).unwrap();
    let tokenizer = object(&assets.tokenizer_json);
    assert!(tokenizer["truncation"].is_null() && tokenizer["padding"].is_null());
    assert_eq!(assets.vocab_txt, VOCAB.as_bytes());
}

#[test]
fn a_model_that_does_not_name_its_type_is_known_by_its_fields() {
    let files = tokenizer(|tokenizer| {
        tokenizer["model"].as_object_mut().unwrap().shift_remove("type");
    });
    let named = object(&assets(files).unwrap().tokenizer_json);
    assert_eq!(named, object(&assets(tokenizer(|_| ())).unwrap().tokenizer_json));

    let byte_pairs = tokenizer(|tokenizer| {
        let model = tokenizer["model"].as_object_mut().unwrap();
        model.shift_remove("type");
        model.insert("merges".to_owned(), serde_json::json!([]));
    });
    insta::assert_snapshot!(assets(byte_pairs).unwrap_err(), @r"
      model/tokenizer.json: model is none, expected WordPiece
      help: DistilBERT needs a BERT tokenizer: choose another model
    ");
}

/// `tokenizer_config.json` beside the tokenizer that `change` makes.
fn configured(said: &str, change: impl Fn(&mut Value)) -> TokenizerFiles {
    TokenizerFiles { config: Some(said.into()), ..tokenizer(change) }
}

#[test]
fn case_and_accents_are_what_the_configuration_says_as_in_transformers() {
    let said = r#"{"do_lower_case": false, "strip_accents": true, "name_or_path": "/home/x",
        "tokenizer_class": "BertTokenizer", "model_max_length": 512, "never_split": null}"#;
    let made = assets(configured(said, |_| ())).unwrap();
    insta::assert_snapshot!(String::from_utf8(made.tokenizer_config_json).unwrap(), @r#"
      {
        "tokenizer_class": "DistilBertTokenizer",
        "do_lower_case": false,
        "strip_accents": true,
        "tokenize_chinese_chars": true,
        "model_max_length": 32,
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
        "pad_token": "[PAD]",
        "sep_token": "[SEP]",
        "unk_token": "[UNK]"
      }
    "#);
    let normalizer = &object(&made.tokenizer_json)["normalizer"];
    assert_eq!((&normalizer["lowercase"], &normalizer["strip_accents"]), (&false.into(), &true.into()));

    // What it does not say is left to tokenizer.json; the generic class takes that as it is.
    for said in ["{}", r#"{"do_lower_case": true, "tokenizer_class": "PreTrainedTokenizerFast"}"#] {
        let cased = configured(said, |tokenizer| tokenizer["normalizer"]["lowercase"] = false.into());
        let made = assets(cased).unwrap();
        assert_eq!(object(&made.tokenizer_json)["normalizer"]["lowercase"], false, "{said}");
        assert_eq!(object(&made.tokenizer_config_json)["do_lower_case"], false, "{said}");
    }
}

#[test]
fn a_tokenizer_with_a_part_of_its_own_is_exported_as_the_generic_class() {
    let class = |change: &dyn Fn(&mut Value)| {
        let made = assets(tokenizer(change)).unwrap();
        object(&made.tokenizer_config_json)["tokenizer_class"].as_str().unwrap().to_owned()
    };
    assert_eq!(class(&|_| ()), "DistilBertTokenizer");
    assert_eq!(
        class(&|tokenizer| tokenizer["normalizer"]["lowercase"] = false.into()),
        "DistilBertTokenizer"
    );
    let own_parts: [&dyn Fn(&mut Value); 6] = [
        &|tokenizer| tokenizer["pre_tokenizer"] = json!({"type": "Whitespace"}),
        &|tokenizer| tokenizer["normalizer"]["clean_text"] = false.into(),
        &|tokenizer| tokenizer["model"]["max_input_chars_per_word"] = 20.into(),
        &|tokenizer| tokenizer["post_processor"]["pair"][3]["Sequence"]["type_id"] = 0.into(),
        &|tokenizer| tokenizer["added_tokens"][0]["lstrip"] = true.into(),
        &|tokenizer| {
            let token = json!({"id": 5, "content": "cat", "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": true, "special": false});
            tokenizer["added_tokens"].as_array_mut().unwrap().push(token);
        },
    ];
    for (part, change) in own_parts.iter().enumerate() {
        assert_eq!(class(change), "PreTrainedTokenizerFast", "{part}");
    }
    let made = assets(tokenizer(own_parts[0])).unwrap();
    insta::assert_snapshot!(String::from_utf8(made.tokenizer_config_json).unwrap(), @r#"
      {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_input_names": [
          "input_ids",
          "attention_mask"
        ],
        "model_max_length": 32,
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
        "pad_token": "[PAD]",
        "sep_token": "[SEP]",
        "unk_token": "[UNK]"
      }
    "#);
}

#[test]
fn cased_vocabularies_stay_cased() {
    let said = Some(r#"{"do_lower_case": false}"#.into());
    let assets = assets(TokenizerFiles { config: said, ..files() }).unwrap();
    assert_eq!(object(&assets.tokenizer_json)["normalizer"]["lowercase"], false);
    assert_eq!(object(&assets.tokenizer_config_json)["do_lower_case"], false);
}

#[test]
fn capitals_that_lower_casing_hides_are_counted() {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(unreachable_capitals(&words("[PAD] [unused1] [A] cat ##s the")), None);
    assert_eq!(unreachable_capitals(&words("[PAD] Cat cat ##S É 1")), Some(3));
}

#[test]
fn more_embeddings_than_tokens_are_accepted_and_fewer_are_not() {
    let padded = files().into_assets(&config(16), Path::new("model")).unwrap();
    assert_eq!(padded.vocab_txt, VOCAB.as_bytes());
    insta::assert_snapshot!(
        message(&files().into_assets(&config(7), Path::new("model")).unwrap_err(), Path::new("/nowhere")), @r"
      model: the tokenizer has 8 tokens, config.json says vocab_size 7
      help: the tokenizer and the weights must come from the same model: fetch all files of the folder again
    "
    );
}

#[test]
fn added_tokens_stand_behind_the_vocabulary() {
    let added = r#"{"<ent>": 8, "[MASK]": 4}"#;
    let decoder = r#"{"added_tokens_decoder": {"8": {"content": "<ent>", "normalized": true}}}"#;
    let (json, config_json) = (Some(added.into()), Some(decoder.into()));
    for files in
        [TokenizerFiles { added_tokens: json, ..files() }, TokenizerFiles { config: config_json, ..files() }]
    {
        let made = files.into_assets(&config(9), Path::new("model")).unwrap();
        assert_eq!(made.vocab_txt, format!("{VOCAB}<ent>\n").as_bytes());
        assert_eq!(object(&made.tokenizer_config_json)["tokenizer_class"], "PreTrainedTokenizerFast");
        assert_eq!(ids(&made, "the<ent>cat"), [7, 8, 5]);
    }
}

fn ids(made: &TokenizerAssets, text: &str) -> Vec<i32> {
    let settings = squad::WindowSettings { max_length: 16, doc_stride: 2 };
    let tokenizer = squad::FeatureTokenizer::new(&made.tokenizer_json, settings).unwrap();
    let windows = tokenizer.windows("", &tokenizer.tokenize_context(text).unwrap(), None).unwrap();
    let ids = &windows[0].input_ids;
    ids[2..ids.len() - 1].to_vec()
}

#[test]
fn blank_last_lines_are_no_tokens_and_of_a_repeated_token_the_last_line_counts() {
    let blank = TokenizerFiles { vocab: Some(format!("{VOCAB}\n\n").into()), ..files() };
    assert_eq!(assets(blank).unwrap().vocab_txt, VOCAB.as_bytes());

    let repeated = VOCAB.replace("##s\n", "the\n");
    let made = assets(TokenizerFiles { vocab: Some(repeated.clone().into()), ..files() }).unwrap();
    // transformers: BertTokenizer(vocab_file).encode("the cat") is [2, 7, 5, 3].
    assert_eq!(ids(&made, "the cat"), [7, 5]);
    assert_eq!(made.vocab_txt, VOCAB.replace("##s\n", "\n").as_bytes());
    // The same beside the tokenizer.json that was made of it.
    let both = TokenizerFiles {
        tokenizer: Some(made.tokenizer_json.clone()),
        vocab: Some(repeated.into()),
        ..TokenizerFiles::default()
    };
    assert_eq!(assets(both).unwrap().tokenizer_json, made.tokenizer_json);
}

#[test]
fn tokenizers_that_are_not_word_piece_are_refused() {
    let said = |key: &str, value: &str| {
        let config = Some(format!(r#"{{"{key}": "{value}"}}"#).into());
        assets(TokenizerFiles { config, ..files() }).err()
    };
    for class in ["BertJapaneseTokenizer", "XLMRobertaTokenizerFast", "CamembertTokenizer", "T5Tokenizer"] {
        assert!(said("tokenizer_class", class).unwrap().contains(class));
    }
    for class in ["BertTokenizer", "BertTokenizerFast", "ElectraTokenizerFast", "PreTrainedTokenizerFast"] {
        assert_eq!(said("tokenizer_class", class), None);
    }
    insta::assert_snapshot!(said("word_tokenizer_type", "mecab").unwrap(), @r#"
      model/tokenizer_config.json: word_tokenizer_type is "mecab", expected basic
      help: distilburn supports only BERT's WordPiece tokenizer: choose another model. If its tokenizer.json is WordPiece, write "PreTrainedTokenizerFast" there
    "#);
    assert!(said("subword_tokenizer_type", "character").unwrap().contains("expected wordpiece"));
    let of_config = TokenizerFiles { class: Some("BertJapaneseTokenizer".to_owned()), ..files() };
    assert!(assets(of_config).unwrap_err().starts_with("model/config.json: tokenizer_class is"));

    let pieces = VOCAB.replace("cat", "▁cat").replace("the", "▁the");
    insta::assert_snapshot!(assets(TokenizerFiles { vocab: Some(pieces.into()), ..files() }).unwrap_err(), @r#"
      model/vocab.txt: 2 of 8 tokens begin with '▁', as in "▁cat": this is not a WordPiece vocabulary
      help: distilburn supports only BERT's WordPiece tokenizer: choose another model
    "#);
}

#[test]
fn a_token_with_a_line_break_is_refused() {
    let broken = tokenizer(|tokenizer| {
        let vocab = tokenizer["model"]["vocab"].as_object_mut().unwrap();
        vocab.shift_remove("cat");
        vocab.insert("c\nat".to_owned(), 5.into());
    });
    insta::assert_snapshot!(assets(broken).unwrap_err(), @r#"
      model/tokenizer.json: token "c\nat" holds a line break
      help: vocab.txt has one token per line, so every later id would shift: choose another model
    "#);
}

#[test]
fn files_that_disagree_are_refused() {
    let other = VOCAB.replace("cat", "dog");
    let both = TokenizerFiles { vocab: Some(other.into()), ..tokenizer(|_| ()) };
    insta::assert_snapshot!(assets(both).unwrap_err(), @r#"
      model/vocab.txt, line 6: "dog", where tokenizer.json has "cat"
      help: both must come from the same model: fetch the model again, or delete vocab.txt
    "#);
    insta::assert_snapshot!(assets(tokenizer(|t| t["model"]["vocab"]["the"] = 6.into())).unwrap_err(), @r#"
      model/tokenizer.json: token "the" has the id 6; each token needs an id of its own
      help: the file was altered: fetch the model again
    "#);
    insta::assert_snapshot!(assets(tokenizer(|t| t["model"]["type"] = "BPE".into())).unwrap_err(), @r"
      model/tokenizer.json: model is BPE, expected WordPiece
      help: DistilBERT needs a BERT tokenizer: choose another model
    ");
    insta::assert_snapshot!(assets(tokenizer(|t| t["normalizer"] = Value::Null)).unwrap_err(), @r"
      model/tokenizer.json: normalizer is none, expected BertNormalizer
      help: DistilBERT needs a BERT tokenizer: choose another model
    ");
    let without = |key: &'static str| {
        tokenizer(move |tokenizer| drop(tokenizer.as_object_mut().unwrap().shift_remove(key)))
    };
    for (key, expected) in [("normalizer", "BertNormalizer"), ("model", "WordPiece")] {
        let said = assets(without(key)).unwrap_err();
        assert!(said.contains(&format!("{key} is none, expected {expected}")), "{said}");
    }
    insta::assert_snapshot!(assets(TokenizerFiles::default()).unwrap_err(), @r"
      model holds neither tokenizer.json nor vocab.txt
      help: copy one of them from the source of config.json and model.safetensors
    ");
    let no_mask = VOCAB.replace("[MASK]", "mask");
    insta::assert_snapshot!(assets(TokenizerFiles { vocab: Some(no_mask.into()), ..files() }).unwrap_err(), @r"
      model/vocab.txt has no token [MASK]
      help: question answering needs [CLS], [SEP], [PAD], [UNK] and [MASK]: choose another model
    ");
}
