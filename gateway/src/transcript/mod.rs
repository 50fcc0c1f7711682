//! Text to tokens and back: harmony rendering and parsing: pure.
