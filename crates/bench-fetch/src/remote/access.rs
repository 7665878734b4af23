//! How a remote is reached.

use std::time::Duration;

use crate::{Error, Result, Retry};

/// Which proxy requests go through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Proxy {
    /// As `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    #[default]
    Environment,
    /// None, whatever the environment says.
    Direct,
    /// This address, but for hosts that `NO_PROXY` names.
    At(String),
}

/// How a remote is reached, and with how much patience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Region of the bucket.
    pub region: String,
    /// Address of another server of S3's kind, `http://host:port`. Buckets are then its first folders.
    pub endpoint: Option<String>,
    /// Proxy.
    pub proxy: Proxy,
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest time without a byte, from the request on.
    pub read_timeout: Duration,
    /// Attempts and pauses.
    pub retry: Retry,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            region: "us-east-1".into(),
            endpoint: None,
            proxy: Proxy::default(),
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
            retry: Retry::default(),
        }
    }
}

impl Access {
    pub(crate) fn check(&self) -> Result<()> {
        self.retry.check()?;
        for (name, time) in [("connect-timeout", self.connect_timeout), ("read-timeout", self.read_timeout)] {
            if time.is_zero() {
                return Err(Error::Setting { name, reason: "must be longer than no time at all".into() });
            }
        }
        let name = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !name(&self.region) {
            let reason = format!("is the name of a region, such as `us-east-1`, and is `{}`", self.region);
            return Err(Error::Setting { name: "region", reason });
        }
        Ok(())
    }
}
