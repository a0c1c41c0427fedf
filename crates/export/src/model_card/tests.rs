use super::*;
use crate::facts::tests::manifests;
use artifact::Manifest;
use serde_json::json;

fn config() -> Config {
    let json = json!({"vocab_size": 30522, "max_position_embeddings": 512, "n_layers": 6, "n_heads": 12, "dim": 384,
        "hidden_dim": 1536});
    Config::from_json(json.to_string().as_bytes()).unwrap()
}

#[test]
fn the_card_of_a_model_that_knows_no_answer_tells_the_scores_apart_and_lets_it_say_so() {
    let mut manifests = manifests();
    manifests[1].metrics.insert("no_answer".to_owned(), json!(true));
    for (name, value) in [("has_answer", 70.0), ("no_answer", 80.0)] {
        let scores = json!({"questions": 150, "exact_match": value, "f1": value});
        manifests[2].metrics.insert(name.to_owned(), scores);
    }
    let facts = Facts::new(manifests.each_ref(), &"5".repeat(32)).unwrap();
    let card = model_card(&facts, &config(), 22_566_146);
    assert!(card.contains("| this model, questions with an answer | 70.00 | 70.00 |\n"), "{card}");
    assert!(card.contains("| this model, questions without | 80.00 | 80.00 |\n"), "{card}");
    assert!(card.contains("outside[0] = False") && card.contains("\"(no answer)\""), "{card}");
}

#[test]
fn the_card_of_a_model_trained_on_generated_data() {
    let manifests = manifests();
    let facts = Facts::new(manifests.each_ref(), &"5".repeat(32)).unwrap();
    insta::assert_snapshot!(model_card(&facts, &config(), 22_566_146));
}

#[test]
fn a_card_names_every_source_by_what_it_is() {
    let mut manifests = manifests();
    manifests[0].metrics["sources"] = json!({
        "train": [
            {"kind": "file", "name": "a.json", "blake3": "cd".repeat(32)},
            {"kind": "url", "url": "https://example.org/b.json", "sha256": "12".repeat(32)},
        ],
        "validation": [{"kind": "hub", "id": "owner/name", "commit": "34".repeat(20)}],
        "base_model": [{"kind": "hub", "id": "distilbert-base-uncased", "commit": "56".repeat(20)}],
    });
    manifests[0].metrics["base_model"]["name"] = json!("distilbert-base-uncased");
    let card = |manifests: &[Manifest; 3]| {
        let facts = Facts::new(manifests.each_ref(), &"5".repeat(32)).unwrap();
        model_card(&facts, &config(), 22_566_146)
    };
    let text = card(&manifests);
    assert!(text.contains("base_model: \"distilbert-base-uncased\"\n"));
    assert!(text.contains("      type: \"owner/name\"\n"), "{text}");
    let lines: Vec<&str> =
        text.lines().filter(|line| line.contains(" data: ") || line.starts_with("- Base")).collect();
    insta::assert_snapshot!(lines.join("\n"));
    assert!(!text.contains("generated") && !text.contains("unknown"), "{text}");

    manifests[0].metrics["sources"]["validation"] = json!([{"kind": "share_of_train", "percent": "10"}]);
    assert!(card(&manifests).contains("300 questions, 10 % of the training contexts, set aside."));
    manifests[0].metrics.shift_remove("sources");
    assert!(card(&manifests).contains("1500 questions, from an unrecorded source."));
}
