//! Which wrong answers are shown where not all can be.

use std::collections::HashSet;

use analysis::EvaluatedQuestion;

use crate::figures::Figures;

/// The places of at most `most` wrong answers among the questions, in the order in which they were chosen: categories and
/// slices take turns, each with the answer that the model was most certain of. Articles, of which there may be hundreds,
/// have no turn.
pub(crate) fn select(questions: &[EvaluatedQuestion], figures: &Figures, most: usize) -> Vec<usize> {
    let certain = |wrong: &mut Vec<usize>| {
        let weight = |index: &usize| questions[*index].confidence * (1.0 - questions[*index].prediction.f1);
        wrong.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then(a.cmp(b)));
    };
    let wrong = |members: &mut dyn Iterator<Item = usize>| -> Vec<usize> {
        let mut wrong: Vec<usize> = members.filter(|index| questions[*index].category.is_some()).collect();
        certain(&mut wrong);
        wrong
    };
    let of_categories = figures.categories.iter().map(|(category, _)| {
        wrong(&mut (0..questions.len()).filter(|index| questions[*index].category == Some(*category)))
    });
    let slices = figures.slices.iter().filter(|slice| slice.row.slicing != "article");
    let of_slices = slices.map(|slice| wrong(&mut slice.members.iter().copied()));
    let mut turns: Vec<_> =
        of_categories.chain(of_slices).map(|wrong| wrong.into_iter().peekable()).collect();
    let (mut chosen, mut seen) = (Vec::new(), HashSet::new());
    while chosen.len() < most && !turns.is_empty() {
        turns.retain_mut(|turn| {
            while turn.next_if(|index| seen.contains(index)).is_some() {}
            let next = turn.next();
            if let Some(index) = next
                && chosen.len() < most
            {
                seen.insert(index);
                chosen.push(index);
            }
            next.is_some()
        });
    }
    chosen
}
