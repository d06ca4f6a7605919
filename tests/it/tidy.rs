//! The house rules, checked over the tree.
