//! Which node of the old tree is which of the new one.

use super::tree::{Class, Node};
use super::{Correspondence, Point};

/// Pairs two lists of nodes under one parent, and what lies in those that correspond.
///
/// Nodes of the same kind are aligned in order, those with the same text first of all, then
/// those with the same head. What has neither is paired only where both sides have as many
/// nodes of the kind between two pairs, because then there is nothing to confuse.
pub(super) fn pair(old: &[Node], new: &[Node], found: &mut Correspondence) {
    let mut partners = align(old, new);
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

/// How much it is worth to pair two nodes; nothing for different kinds.
fn worth(old: &Node, new: &Node) -> usize {
    match old.class == new.class {
        false => 0,
        true if old.whole == new.whole => 5,
        true if old.head == new.head => 4,
        // So that, of two pairs that are worth the same, the one is taken that leaves as
        // much on both sides.
        true => 1,
    }
}

/// The alignment in order of the greatest worth, of which only pairs with the same text or
/// head are told.
fn align(old: &[Node], new: &[Node]) -> Vec<Option<usize>> {
    let mut best = vec![vec![0usize; new.len() + 1]; old.len() + 1];
    let paired = |best: &[Vec<usize>], i: usize, j: usize| match worth(&old[i], &new[j]) {
        0 => 0,
        worth => best[i + 1][j + 1] + worth,
    };
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            best[i][j] = paired(&best, i, j).max(best[i + 1][j]).max(best[i][j + 1]);
        }
    }
    let mut partners = vec![None; old.len()];
    let (mut i, mut j) = (0, 0);
    while i < old.len() && j < new.len() {
        if best[i][j] > 0 && best[i][j] == paired(&best, i, j) {
            if worth(&old[i], &new[j]) > 1 {
                partners[i] = Some(j);
            }
            (i, j) = (i + 1, j + 1);
        } else if best[i + 1][j] >= best[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    partners
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
