//! The gateway of this process.

use std::{error::Error, sync::Arc};

use firesteel::SparkConf;
use firesteel_py4j::{Gateway, GatewayServer};
use firesteel_python_worker::secret;
use zeroize::Zeroizing;

use crate::{crowd::Crowd, driver::Driver, program::ProgramRelease, surface};

/// Where the program finds it.
pub(crate) struct Address {
    pub(crate) port: u16,
    pub(crate) secret: Zeroizing<String>,
}

/// Starts to serve the program, which may not have been started yet.
pub(crate) fn serve(conf: SparkConf, release: ProgramRelease) -> Result<Address, Box<dyn Error>> {
    let secret = secret::new();
    let server = GatewayServer::bind(secret.clone())?;
    let port = server.port()?;
    let gateway = Gateway::new(Driver::new(conf, release), surface::classes()).explaining(&surface::EXPLANATIONS);
    let crowd = Arc::new(Crowd::default());
    server.serve(Arc::new(gateway), move |live| crowd.is_now(live))?;
    Ok(Address { port, secret })
}
