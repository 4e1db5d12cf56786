//! The Redis server of a bench: a private one that is found, started and killed here, or an external one that is checked first.

pub mod external;
pub mod facts;
pub mod find;
pub mod private;
pub mod probe;
mod server_log;
pub mod target;
pub mod version;
pub mod wheel;

pub use external::{ExternalError, ExternalOptions, ExternalServer};
pub use facts::{CommandStat, Product, ServerFacts};
pub use find::{Environment, FindError, Origin, ServerBinary, find};
pub use private::{PrivateError, PrivateOptions, PrivateServer};
pub use target::{ServerUrl, UrlError};
pub use version::Version;
