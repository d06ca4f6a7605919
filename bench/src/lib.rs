//! Room of the workspace; see ARCHITECTURE.md.
