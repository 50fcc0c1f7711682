//! Activations: one row of `f32` per token.

/// How many outputs one vector step of the fast device computes; row strides and panels are multiples of it.
pub const LANES: usize = 16;

/// A matrix of activations, row-major. Rows start `stride` elements apart, a multiple of [`LANES`], so that
/// whole vectors can be read and written; the padding is zero and every verb leaves it zero.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    data: Vec<f32>,
    width: usize,
    rows: usize,
}

impl Rows {
    /// No rows yet, of `width` elements each.
    pub fn new(width: usize) -> Self {
        Self { data: Vec::new(), width, rows: 0 }
    }

    /// Makes it `rows` rows; the content of the kept and the new rows is unspecified until a verb writes it.
    pub fn resize(&mut self, rows: usize) {
        self.data.resize(rows * self.stride(), 0.0);
        self.rows = rows;
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Elements per row, without the padding.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Elements from one row's start to the next.
    pub fn stride(&self) -> usize {
        self.width.next_multiple_of(LANES)
    }

    /// Row `index`, without the padding.
    pub fn row(&self, index: usize) -> &[f32] {
        let start = index * self.stride();
        &self.data[start..start + self.width]
    }

    /// Row `index`, without the padding.
    pub fn row_mut(&mut self, index: usize) -> &mut [f32] {
        let start = index * self.stride();
        &mut self.data[start..start + self.width]
    }

    /// All elements, padding included.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// All elements, padding included; the writer keeps the padding zero.
    pub fn data_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }
}
