//! The export stage of distilburn
