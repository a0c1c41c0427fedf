//! One-off: dump features of a SQuAD file as i32 little endian.
use std::io::Write;
use rayon::prelude::*;
use distilburn_squad::*;
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let tok = std::fs::read(&args[0]).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(std::fs::File::open(&args[1]).unwrap()), &mut text).unwrap();
    let data: json::Dataset = serde_json::from_str(&text).unwrap();
    let t = FeatureTokenizer::new(&tok, WindowSettings { max_length: args[2].parse().unwrap(), doc_stride: args[3].parse().unwrap() }).unwrap();
    for _ in 0..2 {
    let start = std::time::Instant::now();
    let paragraphs: Vec<_> = data.data.iter().flat_map(|a| &a.paragraphs).collect();
    let all: Vec<Vec<Vec<Window>>> = paragraphs.par_iter().map(|p| {
        let c = t.tokenize_context(&p.context).unwrap();
        p.qas.iter().map(|q| t.windows(&q.question, &c, q.answers.first().map(|a| LabelledAnswer { start: a.answer_start, text: &a.text })).unwrap()).collect()
    }).collect();
    let n: usize = all.iter().flatten().map(Vec::len).sum();
    eprintln!("{n} features in {:?}", start.elapsed());
    if let Some(out) = args.get(4) {
        let mut w = std::io::BufWriter::new(std::fs::File::create(out).unwrap());
        let mut put = |x: i32| w.write_all(&x.to_le_bytes()).unwrap();
        for (i, windows) in all.iter().flatten().enumerate() {
            for f in windows {
                put(i as i32); put(f.input_ids.len() as i32); put(f.start_position); put(f.end_position);
                for &x in &f.input_ids { put(x); }
                for &o in &f.offset_mapping { let (a, b) = o.map_or((-1, -1), |(a, b)| (a as i32, b as i32)); put(a); put(b); }
            }
        }
    }
    }
}
