//! How far apart two words are, for suggestions.

/// The number of letters to add, drop, change, or exchange with their neighbour.
pub fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    let mut previous_left = None;
    for (row, left) in left.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, &right_character) in right.iter().enumerate() {
            let at =
                |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX / 2);
            let change = at(&last, column) + usize::from(left != right_character);
            let mut best = change.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            let exchanged = column.checked_sub(1).and_then(|index| right.get(index)) == Some(&left)
                && previous_left == Some(right_character);
            if exchanged {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
        previous_left = Some(left);
    }
    last.last().copied().unwrap_or(usize::MAX)
}
