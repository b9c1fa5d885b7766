//! The models are in `tests/`. Without `--cfg asyncpal_loom` there are none.
