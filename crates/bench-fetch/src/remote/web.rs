//! Requests to web servers and S3, and what their answers mean.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, ReqwestConnector,
};

use super::s3::{self, object_url};
use super::{Access, Ask, Body, Proxy, Reply};
use crate::etag;
use crate::failure::Trouble;
use crate::key::can_be_asked_for;
use crate::part::Info;
use crate::{Cause, Error, Result};

/// Listings and error texts longer than this are no listings and no error texts.
const LONGEST_TEXT: usize = 64 << 20;

/// A server, and the address that keys are relative to.
#[derive(Debug)]
pub(crate) struct Web {
    client: HttpClient,
    base: String,
}

/// An address that keys can be added to, without a slash at the end.
pub(crate) fn base(address: &str) -> Result<String> {
    let url = url::Url::parse(address).map_err(|error| Error::address(address, format!("is none: {error}")))?;
    let plain = matches!(url.scheme(), "http" | "https") && url.has_host();
    if !plain || url.query().is_some() || url.fragment().is_some() {
        return Err(Error::address(address, "is to be `https://host/path`, without `?` and `#`"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::address(address, "must not hold a user name or password"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

impl Web {
    pub(crate) fn new(base: &str, access: &Access) -> Result<Self> {
        let mut options = ClientOptions::new()
            .with_config(object_store::ClientConfigKey::UserAgent, concat!("bench/", env!("CARGO_PKG_VERSION")))
            .with_timeout_disabled()
            .with_connect_timeout(access.connect_timeout)
            .with_allow_http(base.starts_with("http://"));
        options = match &access.proxy {
            Proxy::Environment => options,
            // There is no word for "none": a proxy that every host is exempt from.
            Proxy::Direct => options.with_proxy_url("http://localhost").with_proxy_excludes("*,0.0.0.0/0,::/0"),
            Proxy::At(url) => {
                let exempt = std::env::var("NO_PROXY").or_else(|_| std::env::var("no_proxy")).unwrap_or_default();
                options.with_proxy_url(url).with_proxy_excludes(exempt)
            }
        };
        let client = ReqwestConnector::default().connect(&options);
        let client = client.map_err(|error| Error::Setup { reason: chain(&error) })?;
        Ok(Self { client, base: base.to_owned() })
    }

    /// The body of an object, from the first byte or a later one on.
    pub(crate) async fn get(&self, key: &str, ask: Ask<'_>, s3: bool) -> Result<Reply, Trouble> {
        let mut headers = Vec::new();
        if let Some((from, etag)) = ask.rest {
            headers.push(("range", format!("bytes={from}-")));
            headers.push(("if-match", etag::quoted(etag)));
        }
        match ask.known {
            Some((Some(etag), _)) => headers.push(("if-none-match", etag::quoted(etag))),
            Some((None, Some(date))) => headers.push(("if-modified-since", date.to_owned())),
            _ => {}
        }
        let response = self.send("GET", &self.url(key)?, &headers).await?;
        let from = match response.status().as_u16() {
            200 => 0,
            206 => match ask.rest {
                Some((from, _)) => from,
                None => return Err(Trouble::lasting(Cause::Refused, "a part came where the whole was asked for")),
            },
            304 if ask.known.is_some() => return Ok(Reply::Unchanged),
            412 | 416 if ask.rest.is_some() => return Ok(Reply::Gone),
            _ => return Err(refusal(response, s3).await),
        };
        let info = info(&response, from, s3)?;
        Ok(Reply::Body { info, from, body: Body::Web(response.into_body().bytes_stream()) })
    }

    pub(crate) async fn head(&self, key: &str, s3: bool) -> Result<Info, Trouble> {
        let response = self.send("HEAD", &self.url(key)?, &[]).await?;
        if response.status().as_u16() != 200 {
            return Err(refusal(response, s3).await);
        }
        info(&response, 0, s3)
    }

    /// The text at an address.
    pub(crate) async fn text(&self, url: &str) -> Result<String, Trouble> {
        let response = self.send("GET", url, &[]).await?;
        if response.status().as_u16() != 200 {
            return Err(refusal(response, true).await);
        }
        text(response, LONGEST_TEXT).await
    }

    fn url(&self, key: &str) -> Result<String, Trouble> {
        if !can_be_asked_for(key) {
            return Err(Trouble::lasting(Cause::Refused, "a key with segments `.` or `..` cannot be asked for"));
        }
        Ok(object_url(&self.base, key))
    }

    async fn send(&self, method: &str, url: &str, headers: &[(&'static str, String)]) -> Result<HttpResponse, Trouble> {
        let wrong = || Trouble::lasting(Cause::Refused, format!("`{url}` or its tag cannot be asked for"));
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = method.parse().map_err(|_| wrong())?;
        *request.uri_mut() = url.parse().map_err(|_| wrong())?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().map_err(|_| wrong())?);
        }
        self.client.execute(request).await.map_err(|error| broken(&error))
    }
}

/// The bytes of a response.
pub(crate) type Stream = BoxStream<'static, Result<Bytes, HttpError>>;

/// The next bytes of a stream; `None` at its end.
pub(crate) async fn next(stream: &mut Stream) -> Result<Option<Bytes>, Trouble> {
    stream.next().await.transpose().map_err(|error| broken(&error))
}

fn header<'a>(response: &'a HttpResponse, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// What the headers say of the whole object, of which bytes come from `from` on.
fn info(response: &HttpResponse, from: u64, s3: bool) -> Result<Info, Trouble> {
    let length = header(response, "content-length").and_then(|text| text.parse::<u64>().ok());
    let bytes = if response.status().as_u16() == 206 {
        let range = header(response, "content-range").unwrap_or_default();
        let told = range.trim().strip_prefix("bytes ").and_then(|range| range.split_once('/'));
        let told = told.and_then(|(range, total)| {
            let first: u64 = range.split_once('-')?.0.parse().ok()?;
            Some((first, total.parse().ok()?))
        });
        match told {
            Some((first, total)) if first == from => Some(total),
            _ => {
                let message = format!("the rest from byte {from} was asked for, and `{range}` came");
                return Err(Trouble::anew(Cause::Damaged, message));
            }
        }
    } else {
        length
    };
    // Elsewhere a tag of 32 digits may be anything, and with a key service it is no digest either.
    let keyed = header(response, "x-amz-server-side-encryption").is_some_and(|with| with.starts_with("aws:kms"))
        || response.headers().contains_key("x-amz-server-side-encryption-customer-algorithm");
    Ok(Info {
        bytes,
        etag: header(response, "etag").filter(|etag| !etag.is_empty()).map(etag::plain),
        last_modified: header(response, "last-modified").map(str::to_owned),
        digest: s3 && !keyed,
        framed: header(response, "transfer-encoding").is_some_and(|with| with.ends_with("chunked")),
    })
}

/// What a status other than success means.
async fn refusal(response: HttpResponse, s3: bool) -> Trouble {
    let status = response.status();
    let wait = header(&response, "retry-after").and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let region = header(&response, "x-amz-bucket-region").map(str::to_owned);
    let said = match text(response, 1 << 16).await {
        Ok(body) if s3 => s3::error_text(&body),
        _ => None,
    };
    let mut message = format!("the server said {status}");
    if let Some(said) = said {
        message.push_str(&format!(": {said}"));
    }
    let cause = match status.as_u16() {
        404 | 410 => Cause::Missing,
        401 | 403 => Cause::Forbidden,
        408 | 429 | 500.. => return Trouble { wait, ..Trouble::passing(Cause::Server, message) },
        300..=399 => {
            if let Some(region) = region {
                message.push_str(&format!("; the bucket is in region `{region}`"));
            }
            Cause::Refused
        }
        _ => Cause::Refused,
    };
    Trouble::lasting(cause, message)
}

async fn text(response: HttpResponse, most: usize) -> Result<String, Trouble> {
    let mut stream = response.into_body().bytes_stream();
    let mut bytes = Vec::new();
    while let Some(more) = next(&mut stream).await? {
        bytes.extend_from_slice(&more);
        if bytes.len() > most {
            return Err(Trouble::lasting(Cause::Server, format!("more than {most} bytes of text came")));
        }
    }
    String::from_utf8(bytes).map_err(|_| Trouble::passing(Cause::Server, "what came is no text"))
}

/// What a connection that failed means.
fn broken(error: &HttpError) -> Trouble {
    let message = chain(error);
    if error.kind() == HttpErrorKind::Timeout {
        return Trouble::passing(Cause::TimedOut, message);
    }
    // A certificate that is not trusted now will not be in a minute.
    if message.contains("certificate") {
        return Trouble::lasting(Cause::Network, message);
    }
    Trouble::passing(Cause::Network, message)
}

/// An error and what is behind it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = error.source();
    }
    text
}
