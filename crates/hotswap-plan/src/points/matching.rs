//! Which node of the old tree is which of the new one.

use super::tree::{Class, Node};
use super::{Correspondence, Point};

/// Pairs two lists of nodes under one parent, and what lies in those that correspond.
///
/// First the longest common run of nodes with the same text, then of nodes with the same
/// head; what is left between two pairs is paired in order where both sides have as many
/// nodes of a kind, because then there is nothing to confuse.
pub(super) fn pair(old: &[Node], new: &[Node], found: &mut Correspondence) {
    let mut partners = vec![None; old.len()];
    align(old, new, &mut partners, &|a, b| a.whole == b.whole);
    align(old, new, &mut partners, &|a, b| a.head == b.head);
    pair_gaps(old, new, &mut partners);
    for (before, partner) in old.iter().zip(partners) {
        match partner {
            Some(at) => {
                let after: &Node = &new[at];
                if let (Some(from), Some(to)) = (&before.point, &after.point) {
                    found.pairs.push((from.clone(), to.clone()));
                }
                if before.class == Class::GroupHandler && before.whole != after.whole {
                    lose(&before.children, found);
                } else {
                    pair(&before.children, &after.children, found);
                }
            }
            None => lose(std::slice::from_ref(before), found),
        }
    }
}

fn lose(nodes: &[Node], found: &mut Correspondence) {
    for node in nodes {
        found.lost.extend(node.point.iter().map(Point::clone));
        lose(&node.children, found);
    }
}

/// The stretches between two pairs: of the old list, and of the new one.
fn gaps(
    partners: &[Option<usize>],
    new: usize,
) -> Vec<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let mut found = Vec::new();
    let (mut from, mut start) = (0, 0);
    for (at, partner) in partners.iter().enumerate() {
        if let Some(partner) = *partner {
            found.push((from..at, start..partner));
            (from, start) = (at + 1, partner + 1);
        }
    }
    found.push((from..partners.len(), start..new));
    found
}

/// Adds the longest common run of equal nodes in each gap.
fn align(
    old: &[Node],
    new: &[Node],
    partners: &mut [Option<usize>],
    equal: &dyn Fn(&Node, &Node) -> bool,
) {
    for (left, right) in gaps(partners, new.len()) {
        let (a, b) = (&old[left.clone()], &new[right.clone()]);
        let same = |x: &Node, y: &Node| x.class == y.class && equal(x, y);
        let mut longest = vec![vec![0usize; b.len() + 1]; a.len() + 1];
        for i in (0..a.len()).rev() {
            for j in (0..b.len()).rev() {
                longest[i][j] = match same(&a[i], &b[j]) {
                    true => longest[i + 1][j + 1] + 1,
                    false => longest[i + 1][j].max(longest[i][j + 1]),
                };
            }
        }
        let (mut i, mut j) = (0, 0);
        while i < a.len() && j < b.len() {
            if same(&a[i], &b[j]) && longest[i][j] == longest[i + 1][j + 1] + 1 {
                partners[left.start + i] = Some(right.start + j);
                (i, j) = (i + 1, j + 1);
            } else if longest[i + 1][j] >= longest[i][j + 1] {
                i += 1;
            } else {
                j += 1;
            }
        }
    }
}

/// Pairs in order what is left of each kind, where both sides have as many of it.
///
/// A suspension inside a larger expression is left alone: what lies on the stack there is
/// told by the text of the statement only.
fn pair_gaps(old: &[Node], new: &[Node], partners: &mut [Option<usize>]) {
    for (left, right) in gaps(partners, new.len()) {
        let of = |nodes: &[Node], range: &std::ops::Range<usize>, class: Class| -> Vec<usize> {
            range
                .clone()
                .filter(|at| nodes[*at].class == class)
                .collect()
        };
        let mut fresh: Vec<(usize, usize)> = Vec::new();
        for at in left.clone() {
            let class = old[at].class;
            let (mine, theirs) = (of(old, &left, class), of(new, &right, class));
            if mine.len() != theirs.len() {
                continue;
            }
            let Some(rank) = mine.iter().position(|each| *each == at) else {
                continue;
            };
            if old[at].plain && new[theirs[rank]].plain {
                fresh.push((at, theirs[rank]));
            }
        }
        // Pairs of different kinds may cross; those that do are not sure.
        for (at, partner) in &fresh {
            let crosses = fresh
                .iter()
                .any(|(other, theirs)| (other < at) != (theirs < partner) && other != at);
            if !crosses {
                partners[*at] = Some(*partner);
            }
        }
    }
}
