//! Figures to be drawn: histograms merged to a curve, seconds of several runs laid over each other. No verdict looks at them.

mod curve;
mod timeline;

pub(crate) use curve::curve;
pub(crate) use timeline::timeline;
